//go:build unix

package slurm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// fake is a cluster's commands that say what a real one cannot be made to say. The n-th
// call of a command runs the n-th script that it was given, and later calls the last.
type fake struct {
	t   *testing.T
	dir string
	*Provider
}

// caller is each command of a fake. A lock keeps calls at once apart.
const caller = `#!/bin/sh
cd DIR || exit 1
name=${0##*/}
until mkdir "$name.lock" 2>/dev/null; do sleep 0.01; done
n=$(($(cat "$name.n" 2>/dev/null || echo 0) + 1)); echo $n >"$name.n"
rmdir "$name.lock"
printf '%s\n' "$name $*" >>calls
if [ "$name" = sbatch ]; then cat >"script.$n"; fi
while [ $n -gt 0 ] && [ ! -f "$name.$n" ]; do n=$((n-1)); done
[ $n -gt 0 ] || { echo "$name: command not expected" >&2; exit 1; }
. "./$name.$n"
`

func newFake(t *testing.T, o Options) *fake {
	t.Helper()
	f := &fake{t: t, dir: t.TempDir()}
	bin := filepath.Join(f.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sbatch", "squeue", "scontrol", "scancel", "sacct", "ssh"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(strings.ReplaceAll(caller, "DIR", f.dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p, err := New("cluster", &o, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + f.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	p.tries, p.tick, p.o.Poll = time.Millisecond, time.Millisecond, 2*time.Millisecond
	f.Provider = p
	return f
}

// says gives a command its scripts.
func (f *fake) says(name string, scripts ...string) *fake {
	f.t.Helper()
	for i, s := range scripts {
		if err := os.WriteFile(filepath.Join(f.dir, fmt.Sprintf("%s.%d", name, i+1)), []byte(s+"\n"), 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	return f
}

// calls are the commands that ran, with a prefix.
func (f *fake) calls(prefix string) (found []string) {
	text, _ := os.ReadFile(filepath.Join(f.dir, "calls"))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func (f *fake) job() *executor.Job {
	const text = "#!/bin/sh\n"
	return &executor.Job{
		ID: "sprint-train-1-abc", Run: "R", Stage: "train", Attempt: 1, Argv: []string{"worker"},
		Program: executor.Program{
			Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(text))),
			Open:   func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
		},
	}
}

// watch follows job 7 to its end.
func (f *fake) watch() (executor.Status, []executor.Status) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	var seen []executor.Status
	s, err := f.Watch(ctx, "7 sprint-train-1-abc", func(s executor.Status) { seen = append(seen, s) })
	if err != nil {
		f.t.Fatal(err)
	}
	return s, seen
}

// A job as squeue and scontrol show it.
func line(state, reason, node string) string {
	return fmt.Sprintf("echo '7|sprint-train-1-abc|%s|%s|%s|sprint run R stage train attempt 1'", state, reason, node)
}

func shown(rest string) string {
	return "echo 'JobId=7 JobName=sprint-train-1-abc UserId=me(1) Comment=sprint run R " + rest + "'"
}

// TestTruthChanges: answers that contradict each other, are missing or are something else
// end no job that has not ended, and every end is found.
func TestTruthChanges(t *testing.T) {
	f := newFake(t, Options{})
	f.says("squeue",
		line("PENDING", "Priority", ""),
		"", // a controller that has just begun
		"echo 'slurm_load_jobs error: Socket timed out on send/recv operation' >&2; exit 1",
		"echo 'The cluster is down for maintenance until 9.'",
		"",
		line("RUNNING", "None", "n1"),
		line("COMPLETED", "None", "n1"), // which is taken back
		line("PENDING", "BeginTime", ""),
		line("EXPEDITING", "None", "n2"), // a word of tomorrow
		line("COMPLETING", "None", "n2"),
		"exit 137",
		line("FAILED", "NonZeroExitCode", "n2"))
	f.says("scontrol",
		shown("JobState=RUNNING Restarts=0"), // after COMPLETED
		"",                                   // update StartTime
		shown("JobState=PENDING Restarts=1"), // after it
		shown("JobState=FAILED Reason=NonZeroExitCode NewKey=a=b ExitCode=75:0 Restarts=1 BatchHost=n2 TRES=cpu=1,mem=5M"))
	s, seen := f.watch()
	want := executor.Status{Phase: executor.PhaseEnded, Reason: "FAILED (NonZeroExitCode)", Node: "n2", ExitCode: 75, Known: true, Restarts: 1}
	if s != want {
		t.Errorf("end %+v, want %+v", s, want)
	}
	var phases []executor.Phase
	for _, s := range seen {
		phases = append(phases, s.Phase)
	}
	if got := slices.Compact(phases); !slices.Equal(got, []executor.Phase{executor.PhaseQueued, executor.PhaseRunning, executor.PhaseQueued, executor.PhaseRunning, executor.PhaseEnded}) {
		t.Errorf("phases %v", got)
	}
	if !slices.ContainsFunc(seen, func(s executor.Status) bool { return strings.Contains(s.Reason, "Socket timed out") }) ||
		!slices.ContainsFunc(seen, func(s executor.Status) bool { return strings.Contains(s.Reason, "maintenance") }) {
		t.Errorf("nobody was told of the bad answers: %+v", seen)
	}
	if calls := f.calls("scontrol update"); !slices.Equal(calls, []string{"scontrol update JobId=7 StartTime=now"}) {
		t.Errorf("calls %q", calls)
	}
}

// TestEnds: what each way to end means, by versions that say more or less.
func TestEnds(t *testing.T) {
	for name, try := range map[string]struct {
		state, scontrol string
		want            executor.Status
	}{
		"done":            {"COMPLETED", shown("JobState=COMPLETED ExitCode=0:0"), executor.Status{Reason: "COMPLETED", Known: true}},
		"forgotten since": {"COMPLETED", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", executor.Status{Reason: "COMPLETED", Known: true}},
		"code":            {"FAILED", shown("JobState=FAILED ExitCode=9:0 BatchHost=n1"), executor.Status{Reason: "FAILED", Node: "n1", Known: true, ExitCode: 9}},
		"code unknown":    {"FAILED", "exit 1", executor.Status{Reason: "FAILED"}},
		"a crash's 1":     {"FAILED", shown("JobState=FAILED ExitCode=1:0"), executor.Status{Reason: "FAILED", ExitCode: 1}},
		"signal":          {"FAILED", shown("JobState=FAILED ExitCode=0:9 Reason=RaisedSignal:9(Killed)"), executor.Status{Reason: "FAILED (RaisedSignal:9(Killed))", Known: true, ExitCode: 137}},
		"memory":          {"OUT_OF_MEMORY", shown("JobState=OUT_OF_MEMORY ExitCode=0:125 Reason=OutOfMemory"), executor.Status{Reason: "OUT_OF_MEMORY (OutOfMemory)", OutOfMemory: true}},
		"time":            {"TIMEOUT", shown("JobState=TIMEOUT ExitCode=0:15"), executor.Status{Reason: "TIMEOUT", TimedOut: true}},
		"deadline":        {"DEADLINE", shown("JobState=DEADLINE ExitCode=0:15"), executor.Status{Reason: "DEADLINE", TimedOut: true}},
		"node":            {"NODE_FAIL", shown("JobState=NODE_FAIL ExitCode=0:0 Restarts=2"), executor.Status{Reason: "NODE_FAIL", Lost: true, Restarts: 2}},
		"boot":            {"BOOT_FAIL", shown("JobState=BOOT_FAIL"), executor.Status{Reason: "BOOT_FAIL", Lost: true}},
		"preempted":       {"PREEMPTED", shown("JobState=PREEMPTED"), executor.Status{Reason: "PREEMPTED", Preempted: true}},
		"by hand":         {"CANCELLED", shown("JobState=CANCELLED ExitCode=143:0"), executor.Status{Reason: "cancelled at the cluster", Hint: "find out who ran scancel; the same command tries again"}},
		"another's now":   {"COMPLETED", "echo 'JobId=7 JobName=other JobState=RUNNING'", executor.Status{Reason: "COMPLETED", Known: true}},
	} {
		f := newFake(t, Options{})
		f.says("squeue", line(try.state, "None", "n1")).says("scontrol", try.scontrol)
		try.want.Phase = executor.PhaseEnded
		if s, _ := f.watch(); s != try.want {
			t.Errorf("%s: %+v, want %+v", name, s, try.want)
		}
	}
}

// TestGone: a job that nobody knows has ended, as accounting says where there is some; one
// whose number another job has is gone too.
func TestGone(t *testing.T) {
	f := newFake(t, Options{})
	f.says("squeue", "", "echo '7|sprint-train-1-abc-other|RUNNING|None|n1|'").says("sacct", "exit 1")
	if s, _ := f.watch(); !s.Gone || s.Phase != executor.PhaseEnded || s.Reason != "the cluster has no job 7" {
		t.Errorf("%+v", s)
	}
	f = newFake(t, Options{})
	f.says("squeue", "").says("sacct", "echo 'other|RUNNING|0:0|n1'; echo 'sprint-train-1-abc|CANCELLED by 1000|0:15|n4'")
	if s, _ := f.watch(); !s.Gone || s.Reason != "cancelled at the cluster" || s.Node != "n4" {
		t.Errorf("%+v", s)
	}
}

// TestWaiting: a job that can never start is told as such, one that may is let go on.
func TestWaiting(t *testing.T) {
	for reason, hopeless := range map[string]bool{
		"Priority": false, "Resources": false, "PartitionTimeLimit": true, "PartitionConfig": true, "QOSMaxGRESPerJob": true,
		"QOSGrpGRES": false, "AssocGrpCpuLimit": false, "InvalidQOS": true, "JobHeldUser": false, "BadConstraints": true, "ReqNodeNotAvail, UnavailableNodes:n1": false,
	} {
		s := going("PENDING", reason, "n1")
		if s.Phase != executor.PhaseQueued || s.Reason != reason || s.Node != "" || s.Hopeless != hopeless || hopeless && s.Hint == "" {
			t.Errorf("%s: %+v", reason, s)
		}
	}
	f := newFake(t, Options{})
	held := line("PENDING", "launch failed requeued held", "")
	f.says("squeue", held, line("RUNNING", "None", "n1"), held, held, line("CANCELLED", "None", "")).says("scontrol", shown("JobState=CANCELLED"))
	_, seen := f.watch()
	if calls := f.calls("scontrol release"); len(calls) != 2 {
		t.Errorf("calls %q", calls)
	}
	if s := seen[len(seen)-2]; !s.Hopeless || s.Phase != executor.PhaseQueued {
		t.Errorf("the third failure to start: %+v", s)
	}
}

// TestSubmitAnswers: whatever sbatch answers, a job is submitted once, and an error says
// whether another try may do better.
func TestSubmitAnswers(t *testing.T) {
	there := line("PENDING", "Priority", "")
	for name, try := range map[string]struct {
		squeue  []string
		sbatch  string
		handle  executor.Handle
		cause   executor.Cause
		message string
		calls   int
	}{
		"number":            {[]string{""}, "echo 7", "7 sprint-train-1-abc", "", "", 1},
		"number of cluster": {[]string{""}, "echo 'sbatch: lua: have a nice day' >&2; echo '7;big'", "7 sprint-train-1-abc", "", "", 1},
		"there":             {[]string{there}, "echo 8", "7 sprint-train-1-abc", "", "", 0},
		"ended, and there":  {[]string{"echo '70|sprint-train-1-abc|FAILED|None||sprint run R stage train attempt 1'; " + there}, "echo 8", "7 sprint-train-1-abc", "", "", 0},
		"taken, not said":   {[]string{"", "", there}, "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1", "7 sprint-train-1-abc", "", "", 1},
		"prose":             {[]string{""}, "echo 'Submitting is not what it was.'", "", executor.CauseNetwork, "Submitting is not", 1},
		"prose for squeue":  {[]string{"echo '<html>502</html>'"}, "echo 7", "", executor.CauseNetwork, "<html>502", 0},
		"500":               {[]string{""}, "echo 'sbatch: error: whatever' >&2; exit 2", "", executor.CauseNetwork, "whatever", 1},
		"quota":             {[]string{""}, "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; echo 'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user'\"'\"'s size and/or time limits)' >&2; exit 1", "", executor.CauseNetwork, "QOSMaxSubmit", 1},
		"too much":          {[]string{""}, "echo 'sbatch: error: QOSMaxGRESPerJob' >&2; echo 'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, size and/or time limits)' >&2; exit 1", "", "", "QOSMaxGRES", 1},
		"right":             {[]string{""}, "echo 'sbatch: error: Batch job submission failed: Access/permission denied' >&2; exit 1", "", "", "permission denied", 1},
		"no cluster":        {[]string{"echo 'squeue: fatal: Could not establish a configuration source' >&2; exit 1"}, "echo 7", "", "", "configuration source", 0},
		"old":               {[]string{""}, `echo "sbatch: unrecognized option '--gres'" >&2; exit 1`, "", "", "unrecognized", 1},
		"collision":         {[]string{"echo '7|sprint-train-1-abc|RUNNING|None|n1|a|b'"}, "echo 8", "", "", `"a|b"`, 0},
	} {
		f := newFake(t, Options{})
		f.says("squeue", try.squeue...).says("sbatch", try.sbatch)
		h, err := f.Submit(t.Context(), f.job())
		if h != try.handle || (err != nil) != (try.message != "") || err != nil && !strings.Contains(err.Error(), try.message) || executor.CauseOf(err) != try.cause {
			t.Errorf("%s: %q, %v, cause %q", name, h, err, executor.CauseOf(err))
		}
		if err != nil && executor.Code(err) != stages.CodeEnvironment {
			t.Errorf("%s: code %d", name, executor.Code(err))
		}
		if calls := f.calls("sbatch"); len(calls) != try.calls {
			t.Errorf("%s: calls %q", name, calls)
		}
	}
}

// TestSubmitted: what sbatch is told.
func TestSubmitted(t *testing.T) {
	f := newFake(t, Options{Partition: "gpu", QOS: "low", Account: "us", Constraint: "a&b", Reservation: "r"})
	f.says("squeue", "").says("sbatch", "echo 7")
	job := f.job()
	job.Resources = executor.Resources{GPUs: 2, GPUType: "h100", CPUs: 3, Memory: 1<<20 + 1, Disk: 5 << 30}
	job.Limits = executor.Limits{Start: time.Minute, Run: 90 * time.Second, Grace: 20 * time.Second}
	if _, err := f.Submit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(f.dir, ".cache/sprint/slurm")
	want := "sbatch --parsable --job-name=sprint-train-1-abc --comment=sprint run R stage train attempt 1 --no-requeue --chdir=" + folder +
		" --output=/dev/null --error=" + folder + "/logs/sprint-train-1-abc.log --open-mode=append --nodes=1 --ntasks=1 --partition=gpu --qos=low --account=us --constraint=a&b --reservation=r" +
		" --cpus-per-task=3 --mem=2M --tmp=5120M --gres=gpu:h100:2 --time=3 --signal=B:TERM@20 --export=ALL"
	if calls := f.calls("sbatch"); len(calls) != 1 || calls[0] != want {
		t.Errorf("calls %q, want\n%s", calls, want)
	}
}

// TestPreemptible: a stage that may be pushed aside goes where that happens, others do not.
func TestPreemptible(t *testing.T) {
	o := Options{Partition: "gpu", QOS: "normal", Preemptible: Preemptible{Partition: "spare", QOS: "scavenger"}}
	for want, job := range map[string]*executor.Job{
		"--partition=gpu --qos=normal":      {},
		"--partition=spare --qos=scavenger": {Resources: executor.Resources{Preemptible: true}},
	} {
		if args := strings.Join(o.demands(job), " "); !strings.Contains(args, want) {
			t.Errorf("%s, want %s", args, want)
		}
	}
	o.Preemptible.QOS = ""
	if args := strings.Join(o.demands(&executor.Job{Resources: executor.Resources{Preemptible: true}}), " "); !strings.Contains(args, "--partition=spare --qos=normal") {
		t.Error(args)
	}
}

// TestEnvironment: a job gets nothing of the environment but what it needs.
func TestEnvironment(t *testing.T) {
	f := newFake(t, Options{Secrets: []string{"TOKEN"}})
	f.shell.environ = append(f.shell.environ, "TOKEN=secret", "OTHER=a\nFAKE=b", "SLURM_JOB_ID=3", "SBATCH_WCKEY=k")
	f.says("squeue", "").says("sbatch", "env >environ; echo 7")
	if _, err := f.Submit(t.Context(), f.job()); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(f.dir, "environ"))
	var names []string
	for line := range strings.Lines(string(text)) {
		if name, _, _ := strings.Cut(line, "="); name != "PWD" && name != "OLDPWD" && name != "_" && name != "SHLVL" { // of shells
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if want := []string{"HOME", "LC_ALL", "PATH", "SBATCH_WCKEY", "TOKEN"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// TestLogin: commands go through ssh, whose complaints are told from Slurm's.
func TestLogin(t *testing.T) {
	const through = `while [ "$1" != -- ]; do shift; done; [ "$2" = me@login ] || exit 255; echo "Welcome to login!"; eval "$3"`
	f := newFake(t, Options{Login: "me@login", SSHConfig: "/my/config"})
	f.says("ssh", through).says("squeue", "").says("sbatch", "echo 7")
	if h, err := f.Submit(t.Context(), f.job()); err != nil || h != "7 sprint-train-1-abc" {
		t.Errorf("%q, %v", h, err)
	}
	if calls := f.calls("ssh"); len(calls) < 4 || !strings.Contains(calls[0], "BatchMode=yes") || !strings.Contains(calls[0], "StrictHostKeyChecking=yes") || !strings.Contains(calls[0], "-F /my/config -- me@login ") {
		t.Errorf("calls %q", calls)
	}
	for says, try := range map[string]struct {
		cause executor.Cause
		hint  string
	}{
		"No ED25519 host key is known for login and you have requested strict checking.\nHost key verification failed.": {"", "`ssh me@login true`"},
		"me@login: Permission denied (publickey).":                         {"", "`ssh me@login true`"},
		"ssh: Could not resolve hostname login: Name or service not known": {"", "executors.cluster.login"},
		"ssh: connect to host login port 22: Connection refused":           {executor.CauseNetwork, ""},
		"mkdir: cannot create directory 'x': No space left on device":      {"", "free space there"},
		"mkdir: cannot create directory 'x': Disk quota exceeded":          {"", "free space there"},
	} {
		f := newFake(t, Options{Login: "me@login"})
		f.says("ssh", fmt.Sprintf("printf '%%s\\n' '%s' >&2; exit 255", says))
		_, err := f.Submit(t.Context(), f.job())
		if executor.Code(err) != stages.CodeEnvironment || executor.CauseOf(err) != try.cause || !strings.Contains(executor.Hint(err), try.hint) {
			t.Errorf("%s: %v, cause %q, hint %q", says, err, executor.CauseOf(err), executor.Hint(err))
		}
	}
}

// TestCancelAnswers: a job that does not go is an error; one that ends while it is asked
// is none.
func TestCancelAnswers(t *testing.T) {
	running := line("RUNNING", "None", "n1")
	f := newFake(t, Options{})
	f.says("squeue", running, line("COMPLETING", "None", "n1"), line("FAILED", "NonZeroExitCode", "n1")).says("scancel", "")
	if err := f.Cancel(t.Context(), "7 sprint-train-1-abc", time.Minute); err != nil {
		t.Error(err)
	}
	if calls := f.calls("scancel"); !slices.Equal(calls, []string{"scancel --batch --signal=TERM 7"}) {
		t.Errorf("calls %q", calls)
	}
	f = newFake(t, Options{})
	f.says("squeue", running).says("scancel", "echo 'scancel: error: Kill job error on job id 7: Access/permission denied' >&2; exit 1")
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := f.Cancel(ctx, "7 sprint-train-1-abc", time.Millisecond); err == nil || errors.Is(err, stages.ErrInterrupted) {
		t.Errorf("%v", err)
	}
}
