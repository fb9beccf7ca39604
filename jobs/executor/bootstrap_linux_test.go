package executor_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestStopWhileItFetches: a job that is asked to end while it fetches its program starts no
// worker, in a container too, where it is the first process.
func TestStopWhileItFetches(t *testing.T) {
	program := []byte("#!/bin/sh\necho worker\n")
	sum := sha256.Sum256(program)
	job := &executor.Job{Program: executor.Program{Digest: hex.EncodeToString(sum[:])}, Argv: []string{"worker"}}
	for name, c := range map[string]struct {
		attributes *syscall.SysProcAttr
		code       int // -1: a signal
	}{
		"container": {&syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}, 75},
		"machine": {nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			asked, stopped := make(chan struct{}), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(asked)
				select {
				case <-stopped:
				case <-ctx.Done():
				}
				_, _ = w.Write(program)
			}))
			defer server.Close()
			cmd := exec.CommandContext(ctx, "sh", "-c", job.Script())
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), executor.EnvProgramDir + "=" + t.TempDir(), executor.EnvProgramURL + "=" + server.URL}
			cmd.SysProcAttr = c.attributes
			go func() {
				select {
				case <-asked:
					_ = cmd.Process.Signal(syscall.SIGTERM)
				case <-ctx.Done():
				}
				close(stopped)
			}()
			out, err := cmd.CombinedOutput()
			if errors.Is(err, os.ErrPermission) && os.Getuid() != 0 {
				t.Log("only root makes a container here")
				return
			}
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != c.code || len(out) > 0 {
				t.Errorf("it ends with %d, %v: %s", code, err, out)
			}
		})
	}
}
