package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// outcome is what the end of a job means. The store decides: its manifest, then the
// worker's last word; what the place says explains the rest. A store that is gone is
// waited for. Asked says that the job was asked to end.
func (f *followed) outcome(ctx context.Context, asked bool) executor.Outcome {
	began := time.Now()
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		f.relay(ctx)
		o, err := f.decided(ctx)
		if err == nil {
			return o
		}
		if errors.Is(err, storage.ErrNotFound) {
			break
		}
		if !errors.Is(err, storage.ErrTransient) || ctx.Err() != nil || time.Since(began) > f.retryBudget() {
			return executor.FromError(err)
		}
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("the store cannot be read now: %v", err))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if f.word != nil {
		o := f.word.Outcome(ctx, f.Store, f.a)
		if asked || f.word.State != runs.Interrupted {
			return o
		}
		// Nobody here asked for it: the place took the machine.
		lost := f.placeOutcome("the worker of stage " + f.a.Stage + " was asked to end there")
		lost.Checkpointed, lost.State = o.Checkpointed, runs.Lost
		switch {
		case f.last.TimedOut, f.last.OutOfMemory, f.last.Hopeless:
			lost.Cause = executor.CauseMachine
		default:
			lost.Cause = executor.CauseInterruption
		}
		return lost
	}
	return f.placeOutcome("the worker of stage " + f.a.Stage + " ended without a last word")
}

// placeOutcome is the outcome of a job of which the store says nothing more. A machine that
// was taken away is told from one that broke: of one that was let on that condition, places
// often say no more than that it is gone.
func (f *followed) placeOutcome(what string) executor.Outcome {
	o := executor.FromError(f.placeError(f.last, what))
	if f.last.TimedOut {
		f.sink.Note(executor.NoteEndedBy, executor.LimitPlace)
	}
	if f.last.Preempted || f.job.Resources.Preemptible && (f.last.Lost || f.last.Gone) && o.Cause == executor.CauseMachine {
		o.State, o.Cause = runs.Lost, executor.CauseInterruption
	}
	return o
}

// decided is the outcome by the store's records; storage.ErrNotFound if they say
// nothing.
func (f *followed) decided(ctx context.Context) (executor.Outcome, error) {
	m, generation, err := f.Store.Newest(ctx, f.a.Kind, f.a.Key)
	if err == nil && generation >= f.a.Generation {
		return executor.FromManifest(&m), nil
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return executor.Outcome{}, err
	}
	word, err := runs.LoadEnd(ctx, f.Store, f.a.Run, f.a.Stage, f.a.Number)
	if err != nil {
		return executor.Outcome{}, err
	}
	var said executor.Message
	if err := json.Unmarshal(word, &said); err != nil {
		return executor.Outcome{}, &storage.Error{Op: "read the last word", Key: f.a.Stage, Class: storage.ErrCorrupt, Err: err}
	}
	return said.Outcome(ctx, f.Store, f.a), nil
}

// placeError is the error of a job of which the store says nothing more.
func (f *followed) placeError(s executor.Status, what string) error {
	if s.Reason != "" {
		what += ": " + s.Reason
	}
	where := s.Node
	if where == "" {
		where = f.Name
	}
	log, memoryShort := f.placeLog()
	if hint := unfit(s, log); hint != "" {
		return stages.Fail(stages.CodeEnvironment, hint, "%s: the program does not run on %s%s", what, where, log)
	}
	again := "the same command continues from the last checkpoint"
	memory := "lower train.batch_tokens, or ask for more: resources.memory of the stage"
	switch {
	case memoryShort && s.Known && s.ExitCode != 0 && !s.OutOfMemory:
		return stages.Fail(stages.CodeMemory, memory, "%s: it got no more memory on %s%s", what, where, log)
	case s.OutOfMemory:
		return stages.Lose(stages.CodeMemory, memory, "%s: no memory was left on %s%s", what, where, log)
	case s.Hopeless:
		return stages.Fail(stages.CodeEnvironment, s.Hint, "%s%s", what, log)
	case s.Preempted:
		return stages.Lose(stages.CodeStage, again, "%s: %s was taken for something else%s", what, where, log)
	case s.Lost:
		return stages.Lose(stages.CodeStage, cmp.Or(s.Hint, again), "%s: %s is gone%s", what, where, log)
	case s.TimedOut:
		return stages.Fail(stages.CodeStage, fmt.Sprintf("raise the time limit of %s; the same command continues from the last checkpoint", f.Name), "%s: the place's own time limit is over%s", what, log)
	case s.Gone:
		return stages.Lose(stages.CodeStage, cmp.Or(s.Hint, again), "%s: %s knows no such job any more%s", what, f.Name, log)
	case s.Known && s.ExitCode == 128+9:
		return stages.Lose(stages.CodeMemory, memory+" if memory is short; "+again, "%s: it was killed, for want of memory or by someone%s", what, log)
	case s.Known && s.ExitCode > 128:
		return stages.Lose(stages.CodeStage, cmp.Or(s.Hint, again), "%s: signal %d%s", what, s.ExitCode-128, log)
	case s.Known && s.ExitCode == int(stages.CodeInterrupted):
		return stages.Lose(stages.CodeStage, again, "%s: it was asked to end%s", what, log)
	case s.Known && (s.ExitCode == int(stages.CodeEnvironment) || s.ExitCode == int(stages.CodeIntegrity)):
		return stages.Fail(stages.Code(s.ExitCode), cmp.Or(s.Hint, fmt.Sprintf("`sprint doctor --executor %s` tries what it needs", f.Name)), "%s: code %d%s", what, s.ExitCode, log)
	case s.Known:
		return stages.Fail(stages.CodeStage, s.Hint, "%s: code %d%s", what, s.ExitCode, log)
	}
	return stages.Lose(stages.CodeStage, cmp.Or(s.Hint, again), "%s%s", what, log)
}

// placeLog is the end of what the worker printed there, if the place keeps it, and whether
// it spoke of memory that it did not get.
func (f *followed) placeLog() (text string, memoryShort bool) {
	logger, ok := f.Provider.(executor.Logger)
	if !ok {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var kept tail
	if err := logger.Logs(ctx, f.handle, &kept); err != nil {
		f.Log.Debug("the place's log cannot be read", "job", f.job.ID, "error", err)
	}
	if text := strings.TrimSpace(string(kept.bytes)); text != "" {
		return "\n" + text, kept.memoryShort
	}
	return "", false
}

// tail keeps the last bytes that are written to it, and what the Go runtime says before it
// aborts for want of memory: a long trace follows.
type tail struct {
	bytes       []byte
	memoryShort bool
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	before := min(len(t.bytes), 64)
	t.bytes = append(t.bytes, p...)
	fresh := t.bytes[len(t.bytes)-len(p)-before:]
	t.memoryShort = t.memoryShort || bytes.Contains(fresh, []byte("out of memory")) || bytes.Contains(fresh, []byte("cannot allocate memory"))
	if len(t.bytes) > 2*most {
		t.bytes = bytes.Clone(t.bytes[len(t.bytes)-most:])
	}
	return len(p), nil
}
