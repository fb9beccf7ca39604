//go:build e2e && linux

package kubernetes

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// withNode lets the fake run the line of each pod as a process of this machine.
func (f *fake) withNode(home string) {
	ends := map[string]context.CancelFunc{} // by pod; f.mu
	f.signal = func(name string, grace time.Duration) {
		if end := ends[name]; end != nil {
			time.AfterFunc(grace, end)
		}
	}
	f.log = func(name string) []byte {
		said, _ := os.ReadFile(filepath.Join(home, name+".log")) // of a pod that did not begin there is none
		return said
	}
	f.run = func(o *pod) {
		name := o.Metadata.Name
		ctx, end := context.WithCancel(context.Background())
		ends[name] = end
		c := o.Spec.Containers[0]
		cmd := exec.Command(c.Command[0], c.Command[1], strings.ReplaceAll(c.Command[2], "$$", "$"))
		env := map[string]string{"PATH": os.Getenv("PATH")}
		for _, v := range c.Env {
			env[v.Name] = strings.ReplaceAll(v.Value, "$$", "$")
			if v.From != nil && v.From.Field != nil {
				env[v.Name] = o.Metadata.Annotations[annotationProgram]
			}
		}
		env["HOME"], env["TMPDIR"] = home, home
		for k := range maps.Keys(env) {
			cmd.Env = append(cmd.Env, k+"="+env[k])
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		log, err := os.Create(filepath.Join(home, name+".log"))
		if err != nil {
			f.t.Error(err)
			return
		}
		defer log.Close()
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			f.t.Error(err)
			return
		}
		o.Spec.NodeName, o.Status.Phase = "n1", "Running"
		o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Running: &struct{}{}}}}
		f.put("pods", "MODIFIED", name)
		done := make(chan any)
		go f.terminate(ctx, name, cmd, done)
		go func() {
			_ = cmd.Wait()
			close(done)
			f.ended(name, cmd.ProcessState)
		}()
	}
}

// terminate asks a process to end once its pod is deleted, and ends it after the grace time.
func (f *fake) terminate(ctx context.Context, name string, cmd *exec.Cmd, done chan any) {
	for asked := false; ; {
		select {
		case <-done:
			return
		case <-ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			return
		case <-time.After(20 * time.Millisecond):
		}
		f.mu.Lock()
		deleted := f.pods[name] == nil || f.pods[name].Metadata.Deleted != nil
		f.mu.Unlock()
		if deleted && !asked {
			asked = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}

// ended says how a process did, as a kubelet does.
func (f *fake) ended(name string, state *os.ProcessState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.pods[name]
	if o == nil {
		return
	}
	code := state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	o.Status.Phase = "Failed"
	if code == 0 {
		o.Status.Phase = "Succeeded"
	}
	o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Terminated: &terminated{ExitCode: code, Reason: "Error"}}}}
	f.put("pods", "MODIFIED", name)
	if o.Metadata.Deleted != nil {
		f.end(name, true)
	}
}

// TestConformance: package remote over this provider keeps what every executor promises,
// where the cluster is a fake whose pods are processes of this machine.
func TestConformance(t *testing.T) {
	f := newFake(t)
	f.withNode(t.TempDir())
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return executortest.Remote(t, newProvider(t, f, Options{}), store, append(env, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")...)
		},
		Store: func(t *testing.T) *storage.Store {
			s, err := storage.Open(t.Context(), storagetest.S3URL(t, nil)(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
