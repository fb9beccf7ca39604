package program

import (
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a job object: the kernel ends all that is in it when its last handle is
// closed, by this process or because it was killed. What the program starts is in
// it too, but for what it has started before it was put there itself.
type group struct {
	job windows.Handle // 0 if there is none
}

// newGroup makes the job that cmd will join once it has started.
func newGroup(*exec.Cmd) *group {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return &group{}
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		_ = windows.CloseHandle(job)
		return &group{}
	}
	return &group{job}
}

// joined puts a program that has started into the job.
func (g *group) joined(cmd *exec.Cmd) {
	if g.job == 0 {
		return
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err != nil {
		return // it has ended
	}
	_ = windows.AssignProcessToJobObject(g.job, process) // else the program alone is ended
	_ = windows.CloseHandle(process)
}

// end ends the program; there is no polite way that reaches it.
func (g *group) end(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// kill ends what the program left running.
func (g *group) kill(*exec.Cmd) {
	if g.job != 0 {
		_ = windows.CloseHandle(g.job)
	}
}
