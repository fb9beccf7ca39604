package runs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Journal is the record of a run's events that is being written.
type Journal struct{ *logWriter }

// OpenJournal begins the journal of a run. Close it; ctx must outlive it. What
// the store does not take is told to log.
func OpenJournal(ctx context.Context, s *storage.Store, log *slog.Logger, run string) *Journal {
	return &Journal{newLogWriter(ctx, s, log,
		func(seq int) string { return journalKey(run, seq) },
		func(n int) []byte {
			e := Event{Type: EventLog, Time: time.Now().UTC(), Run: run, Level: slog.LevelWarn.String(), Message: droppedText(n)}
			line, err := json.Marshal(e)
			if err != nil {
				log.Warn("could not note lost lines", "run", run, "lines", n, "error", err)
			}
			return line
		})}
}

// Write appends an event; one that has no JSON is left out. It never waits for
// the store.
func (j *Journal) Write(e Event) {
	if b, err := json.Marshal(e); err == nil {
		j.write(b)
	}
}

func journalKey(run string, seq int) string {
	return Key(run, fmt.Sprintf("events/%06d.jsonl", seq))
}

// eventLimit caps one chunk of a run's journal.
const eventLimit = 64 << 20

// ReadJournal calls visit with the journal of a run, in order, until its end so far.
// Lines that cannot be read are skipped: the journal explains, it decides nothing.
func ReadJournal(ctx context.Context, s *storage.Store, run string, visit func(Event)) error {
	for seq := 1; ; seq++ {
		b, err := s.ReadFile(ctx, journalKey(run, seq), eventLimit)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range bytes.SplitSeq(b, []byte{'\n'}) {
			var e Event
			if len(line) > 0 && json.Unmarshal(line, &e) == nil {
				visit(e)
			}
		}
	}
}

// Progress gathers what the journal of a run says of its stages, in plan order.
func Progress(ctx context.Context, s *storage.Store, run string) ([]StageResult, error) {
	var order []*StageResult
	known := map[string]*StageResult{}
	began := map[string]time.Time{}
	note := func(name string) *StageResult {
		if known[name] == nil {
			known[name] = &StageResult{Name: name}
			order = append(order, known[name])
		}
		return known[name]
	}
	// The run's first event comes before its journal does, so the stages'
	// order is in what the run resolved.
	if resolved, err := LoadResolved(ctx, s, run); err == nil {
		for _, name := range resolved.Order {
			note(name).Kind = resolved.Stages[name].Kind
		}
	}
	err := ReadJournal(ctx, s, run, func(e Event) {
		if e.Type != EventState || e.State == nil {
			return
		}
		r := note(e.Stage)
		r.State, r.Reason, r.Attempt, r.Seconds = *e.State, e.Reason, e.Attempt, e.Seconds
		r.Error, r.Cost = e.Message, cmp.Or(e.Cost, r.Cost)
		switch {
		case r.State == Running:
			began[e.Stage] = e.Time
		case e.Wait > 0:
			r.Error = e.Reason + ": " + e.Message
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]StageResult, 0, len(order))
	for _, r := range order {
		if r.State == Running {
			r.Seconds = time.Since(began[r.Name]).Seconds()
		}
		out = append(out, *r)
	}
	return out, nil
}
