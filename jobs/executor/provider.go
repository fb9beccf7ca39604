package executor

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"
)

// Provider is a place that starts workers elsewhere: hosts reached by ssh, a
// cluster's scheduler, a landlord of machines. It says what goes on there, as far
// as it knows; the records in the store decide what happened. All that places
// have in common stands in package remote: adoption, leases, deadlines, retries.
//
// An error is sorted where it is born: one made by stages.Lose may go away by
// itself (no answer, 429, 500, prose instead of an answer), one made by stages.Fail
// does not (no right, no such partition, an unknown host key). Hints say what to do.
// No method logs or returns the value of a secret.
type Provider interface {
	// Submit starts a job, or finds the one of that ID which is there: it looks
	// before it starts, so that a driver which died between the two starts nothing
	// twice. A job of that ID which has ended is found too. Something there of the
	// same name that is not this job is a collision, an error of stages.Fail.
	Submit(ctx context.Context, job *Job) (Handle, error)
	// Watch follows a job until it has ended there, and returns how. Each change is
	// reported, the first state at once; report is called from one goroutine. It
	// reconnects and rides out what may go away for as long as ctx lives. A job that
	// is not there is one that has ended, with Gone. The error is that of ctx, or one
	// that does not go away.
	Watch(ctx context.Context, h Handle, report func(Status)) (Status, error)
	// Cancel asks the job's processes to end, ends them once grace is over, and
	// returns when every one is gone; else an error. A job that is not there is
	// cancelled. It removes what the job left there, never what others share.
	Cancel(ctx context.Context, h Handle, grace time.Duration) error
}

// Logger is a provider that keeps what a worker printed to its standard error.
type Logger interface {
	// Logs copies what is kept, up to now. Of a job that is not there it copies nothing.
	Logs(ctx context.Context, h Handle, w io.Writer) error
}

// Prober is a provider that tries a place before anything is submitted.
type Prober interface {
	// Probe finds out whether a job like this one cannot start there: the place is
	// not reached, a right is missing, a partition is unknown, a host key is new. It
	// starts no job that waits in a queue. Note is told what was found.
	Probe(ctx context.Context, job *Job, note func(name, value string)) error
}

// Handle names a job at its place, in words that survive this process: the adapter
// stores it. Only the provider reads it.
type Handle string

// Job is one worker to be started. All of it but Program is a function of the
// attempt, so that equal attempts make equal jobs.
type Job struct {
	// ID names the job: a DNS label of at most 63 characters, the same for the same
	// attempt, and another for any other.
	ID         string
	Run, Stage string
	Attempt    int
	// Argv are the arguments of the sprint binary, which itself is not among them.
	Argv []string
	// Env are variables without secrets that the worker needs.
	Env map[string]string
	// Secrets are names of variables that the worker needs, whose values the place
	// gets by its own means: never through arguments, scripts or records.
	Secrets   []string
	Program   Program
	Resources Resources
	Limits    Limits
}

// JobID names the job of an attempt's record: readable, and unique by the digest.
func JobID(run, stage string, attempt int, digest string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{run, stage, strconv.Itoa(attempt), digest}, "\n")))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(stage))
	name = strings.Trim(name[:min(len(name), 24)], "-")
	return "sprint-" + cmp.Or(name, "stage") + "-" + strconv.Itoa(attempt) + "-" + hex.EncodeToString(sum[:8])
}

// Program is the sprint binary as the store holds it.
type Program struct {
	Digest   string // SHA-256, hexadecimal
	Size     int64
	Platform string // as linux/amd64
	// URL signs an address from which it can be read for so long. It fails with
	// errors.ErrUnsupported where the store cannot sign.
	URL func(ctx context.Context, valid time.Duration) (string, error)
	// Open reads it, for places that copy it.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Resources are what a job demands; zero demands nothing.
type Resources struct {
	Device  string // cuda, cpu, ...; empty is any
	GPUs    int
	GPUType string
	CPUs    int
	Memory  int64 // bytes
	Disk    int64 // bytes
	// Preemptible asks for a machine that the place may take away again.
	Preemptible bool
}

// Phase is how far a job has come at its place.
type Phase string

// The phases, in this order. A job that is put back into the queue by its place
// goes back to queued.
const (
	PhaseQueued   Phase = "queued"
	PhaseStarting Phase = "starting" // a machine is given; the program or an image is fetched
	PhaseRunning  Phase = "running"
	PhaseEnded    Phase = "ended"
)

// Status is what a place says of a job. It is a hint.
type Status struct {
	Phase Phase
	// Reason is why, in the place's words: what a queue waits for, what ended a job.
	Reason string
	// Hint is what to do about it; empty if nothing is to be done.
	Hint string
	Node string // the machine
	// The others say how a job ended.
	ExitCode    int  // of the worker, where it is known; 128 + n for signal n
	Known       bool // ExitCode is known
	Lost        bool // the machine is gone
	Preempted   bool // the place took the machine for something else
	OutOfMemory bool
	TimedOut    bool // the place's own limit ended it
	Gone        bool // nothing of that job is there: it was deleted, or long ago
	Hopeless    bool // it can never start as it is: no such image, more than any machine has
	Restarts    int  // how often the place has started it again
}
