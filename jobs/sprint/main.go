// Command sprint runs one-day model sprints from a plan.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// errSignal is the cause of a context that a signal ended.
var errSignal = errors.New("stopped by a signal")

// run is the whole program: it returns the exit code. The first SIGINT, SIGTERM
// or SIGHUP (a closed terminal) asks for a clean end (75), the second ends at
// once (130). A reader that goes away is no reason to lose a training.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Stop(signals)
	code := make(chan int, 1)
	go func() { code <- execute(ctx, args, env, stdin, stdout, stderr) }()
	for first := true; ; first = false {
		select {
		case c := <-code:
			return c
		case <-signals:
			if !first {
				return 130
			}
			cancel(errSignal)
		}
	}
}
