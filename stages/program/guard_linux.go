package program

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a guard and its runner share, beside standard output and error.
const (
	lifelineFD = 3 // a byte asks the program to end, the pipe's end kills all
	statusFD   = 4 // "ended WAITSTATUS" or "failed ERRNO"
)

// guardTime is how long a guard tries to kill what does not die.
const guardTime = 5 * time.Second

// guard is a process between a runner and its program. It is a subreaper: whatever
// the program starts stays below it, in a session of its own and without an
// environment too.
type guard struct {
	mu      sync.Mutex // held while a signal goes to the program's group
	program int        // process id; 0 once it was waited for and may be another's
}

// Guard is the process that GuardWord starts: it runs the program of args, its path
// and its argv, and returns when nothing is left of it.
func Guard(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "sprint: a guard is started by a runner")
		return 2
	}
	// A polite end is for the program. To ignore the signals would hand that on.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(statusFD)
	lifeline, status := os.NewFile(lifelineFD, "lifeline"), os.NewFile(statusFD, "status")
	// Pdeathsig follows the thread that started the program.
	runtime.LockOSThread()
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	var pid int
	if err == nil {
		pid, err = syscall.ForkExec(args[0], args[1:], &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, 1, 2},
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
	}
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno) // that is all that these calls return
		fmt.Fprintf(status, "failed %d", errno)
		return 1
	}
	// The output ends when those end that write it.
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		_, _ = unix.Dup3(int(null.Fd()), 1, 0), unix.Dup3(int(null.Fd()), 2, 0)
	}
	g := &guard{program: pid}
	go g.watch(lifeline)
	return g.reap(status)
}

// reap waits for everything below the guard, and tells how the program has ended.
func (g *guard) reap(status *os.File) int {
	for {
		var how syscall.WaitStatus
		// It is waited for under the lock, so that its number is nobody else's
		// while a signal goes there.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			g.mu.Lock()
			var pid int
			pid, err = syscall.Wait4(-1, &how, syscall.WNOHANG, nil)
			if pid == g.program && pid > 0 {
				g.program = 0
				fmt.Fprintf(status, "ended %d", how)
				_ = status.Close() // the runner reads to the end
			}
			g.mu.Unlock()
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return 0 // nothing is below
		}
	}
}

// watch does what the runner asks for, and kills all when it is gone.
func (g *guard) watch(lifeline io.Reader) {
	for {
		if _, err := lifeline.Read(make([]byte, 1)); err != nil {
			break
		}
		g.signal(syscall.SIGTERM)
	}
	g.signal(syscall.SIGKILL)
	for end := time.Now().Add(guardTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		killBelow(os.Getpid())
	}
	os.Exit(1)
}

// signal sends a signal to the program's group.
func (g *guard) signal(s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.program != 0 {
		_ = syscall.Kill(-g.program, s)
	}
}

// killBelow kills the processes below one. What they start meanwhile is below it
// the next time.
func killBelow(root int) {
	below := map[int][]int{}
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return
	}
	for _, dir := range folders {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			parent := parentOf(pid)
			below[parent] = append(below[parent], pid)
		}
	}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range below[queue[0]] {
			queue = append(queue, pid)
			// The process is opened before it is looked at again, so that its
			// number cannot have become another one's when it is killed.
			p, err := os.FindProcess(pid)
			if err != nil {
				continue
			}
			if parent := parentOf(pid); parent == queue[0] || parent == root {
				_ = p.Signal(syscall.SIGKILL)
			}
			_ = p.Release() // only a handle
		}
	}
}

// parentOf is the parent of a process, or 0 if it is not to be seen.
func parentOf(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The program's name, in brackets, may hold anything.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}
