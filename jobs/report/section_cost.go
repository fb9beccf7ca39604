package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// costSection is what the stages took and where they ran.
func costSection(s *document.Source) Section {
	out := Section{Title: "Time and device", Intro: "What each stage took when its work was done; a cached stage was done by an earlier run."}
	t := &Table{Caption: "Stages", Columns: []Column{{"stage", false}, {"kind", false}, {"state", false}, {"seconds", true}, {"tries", true}, {"rows/s", true}, {"device", false}, {"why", false}}}
	for _, st := range s.Stages {
		seconds, known := workSeconds(st)
		text := ""
		if known {
			text = strconv.FormatFloat(seconds, 'f', 1, 64)
		}
		tries := ""
		if st.Attempt > 0 {
			tries = strconv.Itoa(st.Attempt)
		}
		why := st.Reason
		if st.Error != "" {
			why, _, _ = strings.Cut(st.Error, "\n")
		}
		t.Rows = append(t.Rows, []Cell{{Text: st.Name, Head: true}, {Text: st.Kind}, {Text: st.State.String(), Mark: stateMark(st.State)}, {Text: text}, {Text: tries}, {Text: rate(st)}, {Text: st.Device}, {Text: why}})
	}
	out.Blocks = append(out.Blocks, Block{Table: t.cut()})
	if facts := endingFacts(s); len(facts) > 0 {
		out.Blocks = append(out.Blocks, Block{Facts: facts})
	}
	for _, st := range s.OfKind("verify") {
		if m, missing := document.Decode[document.Timings](st, "timings"); missing == "" {
			out.Blocks = append(out.Blocks, Block{Facts: []Fact{
				{"One text, median", Cell{Text: fmt.Sprintf("%.1f ms", m.P50)}},
				{"One text, 99 of 100", Cell{Text: fmt.Sprintf("%.1f ms", m.P99)}},
				{"In batches", Cell{Text: fmt.Sprintf("%s rows per second", count(int(clampTo(m.Rate, 1e12))))}},
				{"Measured", Cell{Text: fmt.Sprintf("on %s with %d texts", m.Device, m.Texts)}},
			}})
		}
	}
	for _, st := range s.OfKind("label") {
		if l, missing := document.Decode[document.LabelReport](st, "label_report"); missing == "" && l.HTTP != nil {
			out.Blocks = append(out.Blocks, Block{Text: fmt.Sprintf("Labelling by %s: %d answers, %d tokens in, %d out, cost %.4g at the plan's prices.", l.HTTP.Model, l.HTTP.Answers, l.HTTP.TokensIn, l.HTTP.TokensOut, l.HTTP.Cost)})
		}
	}
	return out
}

// endingFacts says of each stage how often its machine was taken away, and which limit ended
// its last try.
func endingFacts(s *document.Source) (out []Fact) {
	limits := map[string]string{
		"queue": "the limit of its time in the queue", "start": "the limit of its start", "run": "the limit of its run",
		"grace": "the end of its grace time", "place": "a limit of the place where it ran",
	}
	for _, st := range s.Stages {
		if st.Interruptions > 0 {
			out = append(out, Fact{st.Name + ", interruptions", Cell{Text: fmt.Sprintf("the machine was taken away %s times", count(st.Interruptions))}})
		}
		if st.EndedBy != "" {
			out = append(out, Fact{st.Name + ", ended by", Cell{Text: cmp.Or(limits[st.EndedBy], st.EndedBy), Mark: Warn}})
		}
	}
	return out
}

// workSeconds is how long the work of a stage took when it was done.
func workSeconds(st document.Stage) (seconds float64, known bool) {
	if m := st.Manifest; m != nil && (st.State == runs.Cached || st.Seconds == 0) {
		return m.Finished.Sub(m.Started).Seconds(), true
	}
	return st.Seconds, st.Seconds > 0
}

// rate is what a stage noted of its speed.
func rate(st document.Stage) string {
	notes, _ := document.Note[map[string]any](st, st.Kind)
	if v, ok := notes["rows_per_second"].(float64); ok {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return ""
}

func stateMark(s runs.State) Mark {
	switch s {
	case runs.Succeeded, runs.Cached:
		return Good
	case runs.Failed, runs.Lost:
		return Bad
	case runs.Skipped, runs.Pending:
		return Dim
	}
	return Warn
}
