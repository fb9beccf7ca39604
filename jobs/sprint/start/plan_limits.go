package start

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// foreseenLimits are how long each part of a stage's job may take, as configs write it; a
// part that is absent has no limit.
type foreseenLimits struct {
	Queue string `json:"queue,omitempty"`
	Start string `json:"start,omitempty"`
	Run   string `json:"run,omitempty"`
	Grace string `json:"grace"`
}

// foreseenPlace is where a stage would run, and on what terms.
type foreseenPlace struct {
	Executor string         `json:"executor"`
	Limits   foreseenLimits `json:"limits"`
	// The others say how often the machine may be taken away; absent if it may not.
	Preemptible   bool `json:"preemptible,omitempty"`
	OnDemandAfter int  `json:"on_demand_after,omitempty"` // interruptions
	Interruptions int  `json:"interruptions,omitempty"`   // at most
}

// foreseePlaces says where the stages that would run go. Nothing is opened.
func foreseePlaces(c *app.Compiled, e *evaluate.Evaluation) (map[string]*foreseenPlace, error) {
	where, err := places.Where(c.Config, c.Graph)
	if err != nil {
		return nil, err // run would refuse it too
	}
	span := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return executor.Span(d)
	}
	out := map[string]*foreseenPlace{}
	for _, name := range e.Work() {
		node, _ := c.Graph.Node(name)
		at := &foreseenPlace{Executor: cmp.Or(where[name], places.Local), Limits: foreseenLimits{Run: span(node.Stage.Timeout), Grace: executor.Span(executor.DefaultGrace)}}
		if out[name] = at; at.Executor == places.Local {
			continue
		}
		common, err := c.Config.ExecutorOptions(at.Executor)
		if err != nil {
			return nil, err
		}
		at.Limits.Queue, at.Limits.Start, at.Limits.Grace = span(common.Limits.Queue), span(common.Limits.Start), executor.Span(common.Limits.Grace)
		if r := node.Stage.Resources; r.Preemptible {
			at.Preemptible, at.OnDemandAfter, at.Interruptions = true, r.OnDemandAfter, node.Stage.Retry.Interruptions
		}
	}
	return out, nil
}

// showPlaces prints where stages would run, if one goes elsewhere or has a timeout.
func showPlaces(a *app.App, c *app.Compiled, at map[string]*foreseenPlace) error {
	told := false
	for _, p := range at {
		told = told || p.Executor != places.Local || p.Limits.Run != ""
	}
	if !told {
		return nil
	}
	fmt.Fprintln(a.Stdout)
	t := a.Table(table.Column{Name: "STAGE"}, table.Column{Name: "EXECUTOR"}, table.Column{Name: "QUEUE"}, table.Column{Name: "START"}, table.Column{Name: "RUN"}, table.Column{Name: "GRACE"}, table.Column{Name: "MACHINE", Cut: true})
	for _, name := range c.Graph.Names() {
		p := at[name]
		if p == nil {
			continue
		}
		machine := ""
		if p.Preemptible {
			machine = fmt.Sprintf("preemptible, %d interruptions at most", p.Interruptions)
			if p.OnDemandAfter > 0 {
				machine += fmt.Sprintf(", on demand after %d", p.OnDemandAfter)
			}
		}
		none := func(limit string) string { return cmp.Or(limit, "-") }
		t.Row(name, p.Executor, none(p.Limits.Queue), none(p.Limits.Start), none(p.Limits.Run), p.Limits.Grace, machine)
	}
	return t.Write(a.Stdout)
}
