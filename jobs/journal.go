package jobs

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// emit stores an event and tells the observer.
func (r *run) emit(e runs.Event) {
	e.Time, e.Run = time.Now().UTC(), r.id
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.journal != nil && e.Type != runs.EventProgress {
		r.journal.Write(e)
	}
	r.Observer.Observe(e)
}

// changeState moves a node and tells the observer.
func (r *run) changeState(node *graph.Node, s runs.State, reason string, change func(*runs.StageResult)) {
	r.reportState(node, runs.Event{State: &s, Reason: reason}, change)
}

// reportState is changeState with an event that says more.
func (r *run) reportState(node *graph.Node, e runs.Event, change func(*runs.StageResult)) {
	r.mu.Lock()
	res := r.results[node.Name]
	s := *e.State
	res.State = s
	if e.Reason != "" {
		res.Reason = e.Reason
	}
	if change != nil {
		change(res)
	}
	e.Type, e.Stage, e.Reason, e.Attempt, e.Seconds = runs.EventState, node.Name, res.Reason, res.Attempt, res.Seconds
	if s == runs.Failed || s == runs.Lost || s == runs.Interrupted {
		e.Message = res.Error
	}
	r.mu.Unlock()
	r.emit(e)
}

// nodeSink turns what an attempt reports into events and a stored log.
type nodeSink struct {
	run     *run
	node    *graph.Node
	attempt int
	log     *runs.Log
}

func (s *nodeSink) Progress(p stages.Progress) {
	s.run.emit(runs.Event{Type: runs.EventProgress, Stage: s.node.Name, Attempt: s.attempt, Progress: &p})
}

func (s *nodeSink) Note(name string, value any) {
	text := fmt.Sprint(value)
	if m, ok := value.(map[string]any); ok {
		parts := make([]string, 0, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %v", k, m[k]))
		}
		text = strings.Join(parts, ", ")
	}
	s.line(slog.LevelInfo, name+": "+text)
	s.run.emit(runs.Event{Type: runs.EventNote, Stage: s.node.Name, Attempt: s.attempt, Note: name, Message: name + ": " + text})
}

func (s *nodeSink) Log(level slog.Level, text string) {
	s.line(level, text)
	s.run.emit(runs.Event{Type: runs.EventLog, Stage: s.node.Name, Attempt: s.attempt, Level: runs.LevelName(level), Notable: level >= stages.LevelNotable, Message: text})
}

func (s *nodeSink) line(level slog.Level, text string) {
	if s.log != nil {
		s.log.Write(level, text)
	}
}
