// Command sprint runs one-day model sprints from a plan. main.go takes signals and
// ends the process, root.go wires the commands; the rest is elsewhere:
//
//   - start/, look/, model/, labels/, care/: the commands, by what they are for
//   - app/: what they share
//
// A command reads its flags, asks a package beside this one, and prints.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
	guards "github.com/sprint-ml/sprint/stages/program"
)

func main() {
	// A library of S3's client prints there what it returns as an error as well.
	log.SetOutput(io.Discard)
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string {
	names := map[os.Signal]string{os.Interrupt: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP"}
	if name := names[e.signal]; name != "" {
		return "stopped by " + name
	}
	return fmt.Sprintf("stopped by signal %v", e.signal)
}

// abortGrace is how long an aborted run may take to store that it has ended
// and to release its leases.
const abortGrace = 3 * time.Second

// endGrace is how long a command that is no run may take to end after the first signal.
const endGrace = 5 * time.Second

// signalGap is the time after a signal in which others are the same request: a
// supervisor such as timeout(1) signals the process and then its whole group.
const signalGap = time.Second

// run is the whole program: it returns the exit code. The first SIGINT, SIGTERM
// or SIGHUP (a closed terminal) asks for a clean end (75), the second for one
// that waits for no checkpoint (130), the third for none at all. A command without
// checkpoints that does not end, because it waits for a file say, is given up. A SIGHUP
// that nohup(1) had ignored at the start stays ignored. A reader that goes away is no
// reason to lose a training.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == guards.GuardWord {
		return guards.Guard(args[1:]) // it takes its own signals
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Stop(signals)
	limitMemory()
	code := make(chan int, 1)
	ending := app.NewEnding()
	go func() { code <- execute(ctx, ending, args, env, stdin, stdout, stderr) }()
	var graceOver, givenUp <-chan time.Time
	var last time.Time // of a request
	for requests := 0; ; {
		select {
		case c := <-code:
			return c
		case <-graceOver:
			if !ending.IsOrderly() {
				fmt.Fprintf(stderr, "sprint: %v; it did not end by itself within %s\n", context.Cause(ctx), endGrace)
				return int(stages.CodeInterrupted)
			}
		case <-givenUp:
			return int(stages.CodeAborted)
		case s := <-signals:
			if time.Since(last) < signalGap {
				continue
			}
			last = time.Now()
			requests++
			switch requests {
			case 1:
				cancel(&signalError{s})
				graceOver = time.After(endGrace)
			case 2:
				ending.Abort()
				givenUp = time.After(abortGrace)
			default:
				return int(stages.CodeAborted)
			}
		}
	}
}

// limitMemory tells the Go runtime how much memory there is for this process, unless
// GOMEMLIMIT has: it collects garbage before the kernel ends the process for want of
// memory, and decoders refuse what would not fit.
func limitMemory() {
	total, _ := device.MachineMemory()
	if total > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 { // a negative limit only asks
		debug.SetMemoryLimit(total / 10 * 9)
	}
}
