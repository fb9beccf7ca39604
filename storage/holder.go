package storage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Holder identifies a process so well that another process of the same host
// can tell whether it is still alive.
type Holder struct {
	Host string `json:"host"`
	// Boot and Namespace tell hosts and containers apart; empty where the
	// system does not say.
	Boot      string `json:"boot,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	PID       int    `json:"pid"`
	Started   string `json:"started,omitempty"` // the process's start time in the system's own unit
	// Run names what the process holds it for; empty if it has no name.
	Run string `json:"run,omitempty"`
}

// Self identifies the calling process.
func Self() Holder {
	host, _ := os.Hostname()
	h := Holder{Host: host, PID: os.Getpid()}
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = strings.TrimSpace(string(b))
	}
	h.Namespace, _ = os.Readlink("/proc/self/ns/pid")
	h.Started, _ = startTime(h.PID)
	return h
}

func (h Holder) String() string {
	if h.Run != "" {
		return fmt.Sprintf("run %s (process %d on %s)", h.Run, h.PID, h.Host)
	}
	return fmt.Sprintf("process %d on %s", h.PID, h.Host)
}

// Dead reports whether h is certainly gone, as seen by observer: same boot and
// same pid namespace, and no process of that pid and start time.
func (h Holder) Dead(observer Holder) bool {
	if h.Boot == "" || h.Boot != observer.Boot || h.Namespace == "" || h.Namespace != observer.Namespace {
		return false
	}
	started, alive := startTime(h.PID)
	return !alive || started != h.Started
}

// startTime reads field 22 of /proc/PID/stat (proc(5)). alive is false if there
// is no such process or it is a zombie.
func startTime(pid int) (started string, alive bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	// The command's name may hold spaces and brackets: count from its end.
	i := strings.LastIndexByte(string(b), ')')
	if i < 0 {
		return "", false
	}
	fields := strings.Fields(string(b[i+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", false
	}
	return fields[19], true
}
