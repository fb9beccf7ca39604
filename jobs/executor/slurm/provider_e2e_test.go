//go:build e2e && linux

package slurm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/slurm"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/stages"
)

// TestProvider tries all that a cluster does to a job, on one cluster.
func TestProvider(t *testing.T) {
	t.Parallel()
	c := slurmtest.Start(t, slurmtest.Options{})
	t.Run("end", func(t *testing.T) { testEnd(t, newBench(t, c)) })
	t.Run("cancel", func(t *testing.T) { testCancel(t, newBench(t, c)) })
	t.Run("secrets", func(t *testing.T) { testSecrets(t, c) })
	t.Run("refused", func(t *testing.T) { testRefused(t, c) })
	t.Run("collision", func(t *testing.T) { testCollision(t, newBench(t, c)) })
	t.Run("by hand", func(t *testing.T) { testByHand(t, newBench(t, c)) })
	t.Run("preempted", func(t *testing.T) { testPreempted(t, c) })
	t.Run("controller", func(t *testing.T) { testController(t, newBench(t, c)) })
	t.Run("node", func(t *testing.T) { testNode(t, newBench(t, c)) })
}

// testEnd: a job runs once however often it is submitted, with the GPU that it asks for,
// and its exit code arrives.
func testEnd(t *testing.T, b *bench) {
	job, file := b.job("end", "end", "3")
	job.Resources = executor.Resources{Device: "cuda", GPUType: "h100", CPUs: 1, Memory: 100 << 20}
	job.Limits = executor.Limits{Run: time.Minute, Grace: 10 * time.Second}
	var wg sync.WaitGroup
	h := b.submit(job)
	for range 3 {
		wg.Go(func() {
			if again, err := newBench(t, b.Cluster).Submit(t.Context(), job); err != nil || again != h {
				t.Errorf("submitted again: %q, %v; want %q", again, err, h)
			}
		})
	}
	wg.Wait()
	f := b.follow(h)
	s := b.wait(f, 20*time.Second)
	if s.Phase != executor.PhaseEnded || !s.Known || s.ExitCode != 3 || s.Lost || s.Gone {
		t.Errorf("status %+v", s)
	}
	if got := read(file); !strings.HasSuffix(got, " 0 0 it's $HOME\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("the program said %q", got)
	}
	if again := b.submit(job); again != h {
		t.Errorf("submitted after its end: %q, want %q", again, h)
	}
	noise, _ := b.job("noise", "noise")
	h = b.submit(noise)
	if s := b.wait(b.follow(h), 20*time.Second); !s.Known || s.ExitCode != 0 {
		t.Errorf("status %+v", s)
	}
	var log bytes.Buffer
	if err := b.Logs(t.Context(), h, &log); err != nil || log.String() != "a word on standard error\n" {
		t.Errorf("log %q, %v", log.String(), err)
	}
	if err := b.Cancel(t.Context(), h, time.Second); err != nil {
		t.Error(err)
	}
	log.Reset()
	if err := b.Logs(t.Context(), h, &log); err != nil || log.Len() > 0 {
		t.Errorf("log after cleaning up %q, %v", log.String(), err)
	}
}

// testCancel: a worker is asked to end first, and one that does not listen is ended with
// all that it started.
func testCancel(t *testing.T, b *bench) {
	job, file := b.job("long", "long")
	h := b.submit(job)
	f := b.follow(h)
	b.Await(20*time.Second, "its start", func() bool { return read(file) != "" })
	if err := b.Cancel(t.Context(), h, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if s := b.wait(f, 20*time.Second); !s.Known || s.ExitCode != 75 || !strings.HasSuffix(read(file), "\nterm\n") {
		t.Errorf("status %+v, it said %q", s, read(file))
	}
	job, file = b.job("deaf", "deaf")
	h = b.submit(job)
	b.Await(20*time.Second, "its start", func() bool { return read(file) != "" && len(b.Jobs()) >= 3 })
	if err := b.Cancel(t.Context(), h, time.Second); err != nil {
		t.Fatal(err)
	}
	if left := b.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	// One that waits is cancelled too, and one that has ended.
	job, _ = b.job("waits", "end", "0")
	job.Resources.GPUs = 1
	b.Run("scontrol", "update", "PartitionName=batch", "State=DOWN")
	h = b.submit(job)
	f = b.follow(h)
	b.Await(20*time.Second, "the reason", func() bool { return f.last().Reason == "PartitionDown" && f.last().Hint != "" })
	for range 2 {
		if err := b.Cancel(t.Context(), h, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	b.Run("scontrol", "update", "PartitionName=batch", "State=UP")
	if s := b.wait(f, 20*time.Second); s.Reason != "cancelled at the cluster" || s.Known {
		t.Errorf("status %+v", s)
	}
}

// testSecrets: values come from the environment or a file, stand in no script, and one
// that is missing is told before anything starts.
func testSecrets(t *testing.T, c *slurmtest.Cluster) {
	file := filepath.Join(c.Dir, "secrets")
	if err := os.WriteFile(file, []byte("TOKEN=s3cret-value\nOTHER='not asked for'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*slurm.Options, *[]string){
		"environment": func(_ *slurm.Options, env *[]string) { *env = append(*env, "TOKEN=s3cret-value") },
		"file":        func(o *slurm.Options, _ *[]string) { o.SecretsFile = file },
	} {
		b := newBench(t, c, change)
		job, out := b.job(name, "secret")
		job.Secrets = []string{"TOKEN"}
		h := b.submit(job)
		number, _, _ := strings.Cut(string(h), " ")
		if script := b.Run("scontrol", "write", "batch_script", number, "-") + b.Run("scontrol", "show", "job", number); strings.Contains(script, "s3cret") || !strings.Contains(script, "SPRINT_PROGRAM_DIR") {
			t.Errorf("%s: the script is\n%s", name, script)
		}
		b.wait(b.follow(h), 20*time.Second)
		if got := read(out); !strings.HasSuffix(got, "secret s3cret-value\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
	b := newBench(t, c)
	job, _ := b.job("missing", "secret")
	job.Secrets = []string{"TOKEN"}
	for what, err := range map[string]error{"submit": second(b.Submit(t.Context(), job)), "probe": b.Probe(t.Context(), job, func(string, string) {})} {
		if executor.Code(err) != stages.CodeEnvironment || !strings.Contains(fmt.Sprint(err), "TOKEN is not set") || !strings.Contains(executor.Hint(err), "executors.cluster.secrets_file") || executor.CauseOf(err) != "" {
			t.Errorf("%s: %v, %q", what, err, executor.Hint(err))
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	b = newBench(t, c, func(o *slurm.Options, _ *[]string) { o.SecretsFile = file })
	h := b.submit(job)
	if s := b.wait(b.follow(h), 20*time.Second); !s.Known || s.ExitCode != 4 {
		t.Errorf("a file that others may read: %+v", s)
	}
	var log bytes.Buffer
	if err := b.Logs(t.Context(), h, &log); err != nil || !strings.Contains(log.String(), "chmod 600 "+file) {
		t.Errorf("log %q, %v", log.String(), err)
	}
}

func second[A any](_ A, err error) error { return err }

// testRefused: what the cluster refuses is told at once, with what to change, and is not
// tried again; by a probe too.
func testRefused(t *testing.T, c *slurmtest.Cluster) {
	for name, try := range map[string]struct {
		change func(*bench, *executor.Job)
		hint   string
	}{
		"partition":  {func(b *bench, _ *executor.Job) { b.o.Partition = "nowhere" }, "executors.cluster.partition"},
		"constraint": {func(b *bench, _ *executor.Job) { b.o.Constraint = "quantum" }, "executors.cluster.constraint"},
		"gpus":       {func(_ *bench, j *executor.Job) { j.Resources.GPUs = 9 }, "sinfo"},
		"gpu type":   {func(_ *bench, j *executor.Job) { j.Resources = executor.Resources{GPUs: 1, GPUType: "abacus"} }, "sinfo"},
		"memory":     {func(_ *bench, j *executor.Job) { j.Resources.Memory = 1 << 40 }, "sinfo"},
		"disk":       {func(_ *bench, j *executor.Job) { j.Resources.Disk = 1 << 50 }, "sinfo"},
		"time": {func(b *bench, j *executor.Job) {
			b.o.Partition = "short"
			j.Limits.Run = time.Hour
		}, "timeout"},
		"folder":  {func(b *bench, _ *executor.Job) { b.o.Folder = "/proc/nothing" }, "executors.cluster.folder"},
		"command": {func(b *bench, _ *executor.Job) { b.env = []string{"PATH=/nowhere", "HOME=/"} }, "executors.cluster"},
	} {
		b := newBench(t, c)
		job, _ := b.job("refused "+name, "end", "0")
		try.change(b, job)
		p := provider(t, b.o, b.env)
		for what, err := range map[string]error{"submit": second(p.Submit(t.Context(), job)), "probe": p.Probe(t.Context(), job, func(string, string) {})} {
			if executor.Code(err) != stages.CodeEnvironment || executor.CauseOf(err) != "" || !strings.Contains(executor.Hint(err), try.hint) {
				t.Errorf("%s, %s: %v, hint %q, cause %q", name, what, err, executor.Hint(err), executor.CauseOf(err))
			}
		}
	}
	b := newBench(t, c)
	job, _ := b.job("taken", "end", "0")
	notes := map[string]string{}
	if err := b.Probe(t.Context(), job, func(name, value string) { notes[name] = value }); err != nil || notes["version"] == "" || notes["start"] == "" || notes["folder"] == "" {
		t.Errorf("probe: %v, %v", notes, err)
	}
	if out := b.Run("squeue", "-h", "-t", "all", "--name="+job.ID); out != "" {
		t.Errorf("the probe left a job: %s", out)
	}
}

// testCollision: a job of that name which is another's is told, and left alone.
func testCollision(t *testing.T, b *bench) {
	job, _ := b.job("collision", "end", "0")
	number := strings.TrimSpace(b.Run("sbatch", "--parsable", "--output=/dev/null", "--job-name="+job.ID, "--comment=mine", "--wrap=sleep 100"))
	_, err := b.Submit(t.Context(), job)
	if executor.Code(err) != stages.CodeEnvironment || executor.CauseOf(err) != "" || !strings.Contains(executor.Hint(err), "scancel "+number) {
		t.Errorf("%v, hint %q", err, executor.Hint(err))
	}
	b.Run("scancel", number)
	if state := b.Run("squeue", "-h", "-t", "all", "-o", "%k", "-j", number); state != "mine\n" {
		t.Errorf("the other's job has become %q", state)
	}
}

// testByHand: a job that somebody deletes has ended.
func testByHand(t *testing.T, b *bench) {
	job, file := b.job("byhand", "deaf")
	h := b.submit(job)
	f := b.follow(h)
	b.Await(20*time.Second, "its start", func() bool { return read(file) != "" })
	number, _, _ := strings.Cut(string(h), " ")
	b.Run("scancel", number)
	if s := b.wait(f, 20*time.Second); s.Reason != "cancelled at the cluster" || s.Hint == "" || s.Known || s.Lost {
		t.Errorf("status %+v", s)
	}
	other, err := b.Watch(t.Context(), executor.Handle("999999 "+job.ID), func(executor.Status) {})
	if err != nil || !other.Gone || other.Phase != executor.PhaseEnded {
		t.Errorf("a job that is not there: %+v, %v", other, err)
	}
	if err := b.Cancel(t.Context(), executor.Handle("999999 "+job.ID), time.Second); err != nil {
		t.Errorf("cancel one that is not there: %v", err)
	}
}

// testPreempted: a job that gives way to one of more weight has ended, and says why: the
// cluster does not start it again.
func testPreempted(t *testing.T, c *slurmtest.Cluster) {
	b := newBench(t, c)
	job, file := b.job("preempted", "once")
	job.Resources = executor.Resources{CPUs: 2}
	h := b.submit(job)
	f := b.follow(h)
	b.Await(20*time.Second, "its start", func() bool { return f.last().Phase == executor.PhaseRunning && read(file) != "" })
	b.Run("sbatch", "--output=/dev/null", "--partition=urgent", "--nodes=3", "--ntasks=3", "--cpus-per-task=2", "--wrap=sleep 4")
	if s := b.wait(f, 60*time.Second); !s.Preempted || s.Known || s.Restarts != 0 {
		t.Errorf("status %+v", s)
	}
	want := []executor.Phase{executor.PhaseQueued, executor.PhaseRunning, executor.PhaseEnded}
	if got := f.phases(); !slices.Equal(got, want) && !slices.Equal(got, want[1:]) {
		t.Errorf("phases %v", got)
	}
}

// testController: a controller that is away is waited for, and knows its jobs again.
func testController(t *testing.T, b *bench) {
	job, file := b.job("controller", "long")
	h := b.submit(job)
	f := b.follow(h)
	b.Await(20*time.Second, "its start", func() bool { return read(file) != "" })
	b.StopController()
	job2, _ := b.job("away", "end", "0")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := newBench(t, b.Cluster).Submit(ctx, job2); err == nil {
		t.Error("submitted to no controller")
	}
	b.StartController()
	b.Await(30*time.Second, "the job's return", func() bool {
		return f.last().Phase == executor.PhaseRunning && b.Try("squeue", "-h", "-t", "running", "-o", "%A") != ""
	})
	if err := b.Cancel(t.Context(), h, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if s := b.wait(f, 20*time.Second); s.Gone || s.Phase != executor.PhaseEnded {
		t.Errorf("status %+v", s)
	}
	if left := b.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// testNode: the job of a node that is lost has ended soon after the cluster notices, and says
// why.
func testNode(t *testing.T, b *bench) {
	job, file := b.job("node", "once")
	h := b.submit(job)
	f := b.follow(h)
	b.Await(20*time.Second, "its start", func() bool { return f.last().Node != "" && read(file) != "" })
	node := b.NodeNumber(f.last().Node)
	b.KillNode(node)
	began := time.Now()
	b.Await(60*time.Second, "the loss", func() bool { return strings.Contains(b.Try("sinfo", "-h", "-N", "-o", "%t"), "down") })
	noticed := time.Now()
	s := b.wait(f, 60*time.Second)
	t.Logf("noticed after %s, ended %s later", noticed.Sub(began), time.Since(noticed))
	if !s.Lost || s.Known || s.Restarts != 0 || strings.Count(read(file), "start") != 1 {
		t.Errorf("status %+v, it said %q", s, read(file))
	}
	b.StartNode(node)
}
