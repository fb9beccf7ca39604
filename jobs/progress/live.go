package progress

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// live is what a view knows of the stages that are at work, in the order in which
// they began. A stage whose demands are tried before the run, which may download for
// minutes, is one of them.
type live struct {
	graph     *graph.Graph // nil is unknown
	parallel  int
	stages    []*liveStage
	order     []string // all of the run
	finished  map[string]bool
	estimates map[string]float64 // seconds
}

// liveStage is one of them.
type liveStage struct {
	name   string
	began  time.Time
	told   time.Time // when a view of lines last wrote of it
	reason string
	last   *stages.Progress // nil before the first report
	heard  time.Time        // when last came
	demand bool             // only its demands are tried
}

// observe takes in what an event says of the stages.
func (l *live) observe(e runs.Event) {
	switch e.Type {
	case runs.EventRun:
		l.order, l.finished, l.estimates = e.Stages, map[string]bool{}, map[string]float64{}
		maps.Copy(l.estimates, e.Estimates)
	case runs.EventProgress:
		s := l.stage(e.Stage)
		if s == nil {
			// Demands are tried one stage after the other.
			l.drop(func(s *liveStage) bool { return s.demand })
			s = &liveStage{name: e.Stage, began: time.Now(), told: time.Now(), demand: true}
			l.stages = append(l.stages, s)
		}
		s.last, s.heard = e.Progress, time.Now()
	case runs.EventState:
		l.drop(func(s *liveStage) bool { return s.demand || s.name == e.Stage })
		if l.estimates != nil {
			maps.Copy(l.estimates, e.Estimates)
		}
		switch {
		case *e.State == runs.Running || *e.State == runs.Waiting:
			l.stages = append(l.stages, &liveStage{name: e.Stage, began: time.Now(), told: time.Now(), reason: e.Reason})
		case e.State.Final() && e.Wait == 0 && l.finished != nil:
			l.finished[e.Stage] = true
		}
	}
}

func (l *live) stage(name string) *liveStage {
	if i := slices.IndexFunc(l.stages, func(s *liveStage) bool { return s.name == name }); i >= 0 {
		return l.stages[i]
	}
	return nil
}

// heartbeat is the longest silence about a stage at work of the views that write lines.
const heartbeat = 30 * time.Second

// beat writes a line of each stage of which none was written for so long.
func (l *live) beat(out io.Writer) {
	for _, s := range l.stages {
		if time.Since(s.told) >= heartbeat {
			fmt.Fprintln(out, s)
			s.told = time.Now()
		}
	}
}

// tell notes that a line of a stage was written.
func (l *live) tell(stage string) {
	if s := l.stage(stage); s != nil {
		s.told = time.Now()
	}
}

func (l *live) drop(which func(*liveStage) bool) { l.stages = slices.DeleteFunc(l.stages, which) }

// overall says how far the run is and, if enough is known, what is left; empty where
// nothing is known or all is done.
func (l *live) overall() string {
	if len(l.order) < 2 || len(l.finished) >= len(l.order) {
		return ""
	}
	text := fmt.Sprintf("stage %d of %d", len(l.finished)+1, len(l.order))
	if l.graph == nil {
		return text
	}
	if seconds, ok := estimate.Total(l.graph, l.parallel, l.left); ok && seconds > 0 {
		text += ", " + estimate.About(time.Duration(seconds*float64(time.Second))) + " left"
	}
	return text
}

// left is how many seconds a stage still takes. One that says so itself knows better
// than the past.
func (l *live) left(name string) (seconds float64, known bool) {
	if l.finished[name] {
		return 0, true
	}
	s := l.stage(name)
	seconds, known = l.estimates[name]
	if s != nil && s.last != nil && s.last.Left > 0 {
		left := max(s.last.Left.Seconds()-time.Since(s.heard).Seconds(), 0)
		if s.last.Unit == "programs" { // the work itself comes after them
			return left + seconds, known
		}
		return left, true
	}
	if s != nil && !s.demand {
		seconds = max(seconds-time.Since(s.began).Seconds(), 0)
	}
	return seconds, known
}

// String is the line of a stage at work.
func (s *liveStage) String() string {
	text := s.reason
	if s.last != nil {
		text = progressText(*s.last)
	}
	return fmt.Sprintf("%-10s %4.0fs  %s", s.name, time.Since(s.began).Seconds(), text)
}
