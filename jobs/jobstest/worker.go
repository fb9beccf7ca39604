package jobstest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

// WorkerFaults names the environment variable with the faults of a worker's first attempt.
const WorkerFaults = "TOY_WORKER_FAULTS"

// WorkerLastWords names the environment variable with what a worker says to standard error
// in the middle of its work, before it aborts as the Go runtime does.
const WorkerLastWords = "TOY_WORKER_LAST_WORDS"

// WorkerBegins names the environment variable that lets a worker leave an object in the
// store each time that it begins its work: what it was given, it has on any machine.
const WorkerBegins = "TOY_WORKER_BEGINS"

// begun is where these objects lie.
const begun = "begun/"

// Begun are the attempts of the workers that have begun, by the time at which they did.
func Begun(ctx context.Context, s *storage.Store) (attempts []string, err error) {
	for info, err := range s.List(ctx, begun) {
		if err != nil {
			return nil, err
		}
		_, attempt, _ := strings.Cut(strings.TrimPrefix(info.Key, begun), "-")
		attempts = append(attempts, attempt)
	}
	return attempts, nil
}

// NoSecret is what an executor resolves secrets with where there are none.
func NoSecret(string) (string, error) { return "", nil }

// playWorker is the command `sprint worker` over the toy kinds. It returns the exit
// code.
func playWorker(args []string) int {
	var o executor.WorkerOptions
	var url string
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	f.StringVar(&url, "store", "", "")
	f.StringVar(&o.Run, "run", "", "")
	f.StringVar(&o.Stage, "stage", "", "")
	f.IntVar(&o.Attempt, "attempt", 0, "")
	f.StringVar(&o.Digest, "digest", "", "")
	f.BoolVar(&o.Preflight, "preflight", false, "")
	elsewhere := f.Bool("elsewhere", false, "")
	orphan := f.Duration("orphan", 0, "")
	ttl := f.Duration("ttl", 0, "")
	nonce := f.String("probe", "", "")
	f.String("device", "", "")
	var secrets []string
	f.Func("secret", "", func(name string) error { secrets = append(secrets, name); return nil })
	if err := f.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if *nonce != "" {
		return tryMachine(ctx, url, *nonce, secrets)
	}
	options := &storage.Options{}
	if text := os.Getenv(WorkerFaults); text != "" && o.Attempt == 1 {
		injector, err := faults.Open(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		if f, err := os.Create(os.Getenv("TOY_WORKER_OPS")); err == nil {
			injector.Log = f
		}
		options.Around = injector.Around
	}
	if *elsewhere && os.Getenv(KillBeforeEnd) != "" {
		options.Around = func(_ context.Context, op, key string, call func() error) error {
			if op == "create" && strings.Contains(key, "/ends/") {
				kill()
			}
			return call()
		}
	}
	store, err := storage.Open(ctx, url, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	c := &Counter{Before: func(_ string, attempt int) {
		fmt.Println("a line that is no message")
		if os.Getenv(WorkerBegins) != "" {
			if err := store.WriteNew(ctx, fmt.Sprintf("%s%d-%d", begun, time.Now().UnixNano(), attempt), []byte("begun")); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		if os.Getenv("TOY_DEAF") != "" {
			time.Sleep(10 * time.Minute) // it hears no signal
		}
		if words := os.Getenv(WorkerLastWords); words != "" {
			fmt.Fprintln(os.Stderr, words+strings.Repeat("\nand a long trace", 2000))
			os.Exit(2)
		}
		if file := os.Getenv("TOY_KILL_ONCE"); file != "" && attempt == 1 {
			kill()
		}
	}}
	if !*elsewhere {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
			os.Exit(1)
		}()
	}
	if tampers := os.Getenv(AttemptTampers); tampers != "" && (tampers == "preflight") == o.Preflight {
		if err := tamper(ctx, store, o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 4
		}
	}
	if *elsewhere {
		w := remote.Worker{Store: store, Registry: Kinds(c), Secret: NoSecret, Stderr: os.Stderr, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Orphan: *orphan, TTL: *ttl}
		return int(w.Work(ctx, o))
	}
	var out io.Writer = os.Stdout
	if os.Getenv(KillBeforeEnd) != "" && !o.Preflight {
		out = dying{out}
	}
	return int(executor.Work(ctx, store, Kinds(c), o, NoSecret, out))
}

// KillBeforeEnd names the environment variable that kills a worker when its work is
// committed and its last word is not said.
const KillBeforeEnd = "TOY_KILL_BEFORE_END"

// dying is the output of such a worker.
type dying struct{ io.Writer }

func (d dying) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"type":"end"`)) {
		kill()
	}
	return d.Writer.Write(line)
}

// kill ends this process like the kernel does when memory is short. The first process of
// a container hears no signal of its own: it ends with the code that a kill has there.
func kill() {
	if os.Getpid() == 1 {
		os.Exit(128 + 9)
	}
	p, _ := os.FindProcess(os.Getpid())
	_ = p.Kill()
	time.Sleep(time.Minute)
}

// AttemptTampers names the environment variable that says what a worker's record is changed before, preflight or
// work, as somebody else who writes to the store could.
const AttemptTampers = "TOY_ATTEMPT_TAMPERS"

// tamper puts another valid record in the place of an attempt's.
func tamper(ctx context.Context, store *storage.Store, o executor.WorkerOptions) error {
	key := fmt.Sprintf("runs/%s/attempts/%s/%d.json", o.Run, o.Stage, o.Attempt)
	body, version, err := store.Read(ctx, key)
	if err != nil {
		return err
	}
	_, err = store.Swap(ctx, key, version, bytes.Replace(body, []byte(`"version":"`), []byte(`"version":"other `), 1))
	return err
}

// Observe makes a function an observer.
type Observe func(runs.Event)

// Observe calls it.
func (f Observe) Observe(e runs.Event) { f(e) }

// Main runs a package's tests, or plays the part of another process that a test
// started with its own binary, by the first argument: "worker" is that of an
// executor, "play-runner FOLDER" runs Plan there, others are in parts. It returns
// the exit code.
func Main(m *testing.M, parts map[string]func(args []string) int) int {
	if len(os.Args) > 1 {
		switch part := os.Args[1]; {
		case part == "worker":
			return playWorker(os.Args[2:])
		case part == "play-runner":
			return playRunner(os.Args[2])
		case parts[part] != nil:
			return parts[part](os.Args[2:])
		case !strings.HasPrefix(part, "-"):
			fmt.Fprintf(os.Stderr, "this test binary plays no %s\n", part)
			return 2
		}
	}
	if Tier > 0 { // on a disk
		return m.Run()
	}
	return inmemory.Run(m)
}

// playRunner runs the toy plan of a folder with its own store.
func playRunner(dir string) int {
	t := &testing.B{}
	b := &Bench{T: t, Dir: dir, Plan: Plan, Count: &Counter{}, Ctx: context.Background(), Set: []string{"make.pace=2ms", "refine.times=5", "refine.pace=2ms", "join.pace=2ms"}}
	b.Set = append(b.Set, strings.Fields(os.Getenv("TOY_SET"))...)
	b.Registry = Kinds(b.Count)
	var err error
	if b.Store, err = storage.Open(b.Ctx, filepath.Join(dir, "store"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
	res, err := b.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	fmt.Println(Digests(res), States(res))
	if res.Code != 0 {
		fmt.Fprintln(os.Stderr, res.Error)
	}
	return int(res.Code)
}
