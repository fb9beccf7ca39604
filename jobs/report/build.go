package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// Build makes the report of a run.
func Build(s *document.Source) *Report {
	r := &Report{Title: cmp.Or(s.Plan, "(unnamed plan)"), Run: s.Run, State: s.Class}
	switch {
	case s.Code == nil:
		r.Mark = Warn
	case *s.Code == 0:
		r.Mark = Good
	default:
		r.Mark = Bad
		r.State = fmt.Sprintf("%s (code %d)", s.Class, *s.Code)
	}
	r.lead(s)
	r.facts(s)
	for _, part := range []struct {
		kind, title, missing string
		build                func(*document.Source, document.Stage) []Section
	}{
		{"verify", "Quality", "This run has no stage of kind verify: nothing was measured.", verificationSections},
		{"train", "Training", "This run has no stage of kind train.", trainingSections},
		{"label", "Labels", "This run has no stage of kind label.", labelSections},
		{"split", "Data", "This run has no stage of kind split.", splitSections},
	} {
		found := s.OfKind(part.kind)
		if len(found) == 0 {
			r.Sections = append(r.Sections, Section{Title: part.title, Missing: []string{part.missing}})
		}
		for _, st := range found {
			for _, section := range part.build(s, st) {
				if len(found) > 1 {
					section.Title += " (" + st.Name + ")"
				}
				r.Sections = append(r.Sections, section)
			}
		}
	}
	r.Sections = append(append(append(r.Sections, costSection(s)), moneySection(s)...), lineageSection(s))
	for i := range r.Sections {
		r.Sections[i].ID = fmt.Sprintf("s%d", i+1)
	}
	r.clean()
	return r
}

// lead says the result in a sentence, and in tiles.
func (r *Report) lead(s *document.Source) {
	for _, st := range s.OfKind("verify") {
		m, missing := document.Decode[document.Metrics](st, "metrics")
		if missing != "" {
			continue
		}
		model, on := m.Measured()
		kw := m.Baselines["keywords"]
		what := fmt.Sprintf("On %s rows of the gold set, which never trained,", count(model.Rows))
		if m.Gold == nil {
			what = fmt.Sprintf("On %s held-out rows, labelled as the training rows were,", count(model.Rows))
		}
		figure, of := "macro-F1", document.Scores.Macro
		if !model.Averaged() {
			figure, of = "micro-F1", document.Scores.Micro
		}
		value := func(s document.Scores) string {
			v, _ := of(s)
			return f3(v)
		}
		r.Lead = fmt.Sprintf("%s the model reaches a %s of %s; the keywords, which are the rules alone, reach %s.", what, figure, value(model), value(kw))
		if heads, tuned := m.Baselines["heads"]; tuned {
			r.Lead += fmt.Sprintf(" Its heads alone, before the encoder was tuned, reach %s.", value(heads))
		}
		if m.Leaked > 0 {
			r.Lead += fmt.Sprintf(" %d of them were trained on, so the figures flatter.", m.Leaked)
		}
		_, ci := of(model)
		r.Tiles = append(r.Tiles, Tile{Name: figure + " on " + on, Value: value(model), Note: cmp.Or(span(ci), "micro-F1 "+f3(model.MicroF1))})
		if model.Averaged() {
			r.Tiles = append(r.Tiles, gainTile(&m))
		}
		if c, missing := document.Decode[document.Checks](st, "checks"); missing == "" {
			passed := 0
			for _, x := range c.Checks {
				if x.Passed {
					passed++
				}
			}
			t := Tile{Name: "checks passed", Value: fmt.Sprintf("%d of %d", passed, len(c.Checks)), Note: "the gate is open", Mark: Good}
			if !c.Passed {
				t.Note, t.Mark = "the gate is closed", Bad
			}
			r.Tiles = append(r.Tiles, t)
		}
		break
	}
	if r.Lead == "" {
		r.Lead = "No model was measured in this run."
	}
	seconds, devices := 0.0, []string{}
	for _, st := range s.Stages {
		n, _ := workSeconds(st)
		seconds += n
		if st.Kind == "train" && st.Device != "" {
			devices = append(devices, st.Device)
		}
	}
	r.Tiles = append(r.Tiles, Tile{Name: "work in all stages", Value: duration(seconds), Note: strings.Join(slices.Compact(devices), ", ")})
}

// gainTile says whether the model beats its rules, by more than chance where
// verify recorded an interval.
func gainTile(m *document.Metrics) Tile {
	model, _ := m.Measured()
	kw := m.Baselines["keywords"]
	t := Tile{Name: "gain over the rules", Value: signed(model.MacroF1-kw.MacroF1, 3), Note: "from " + f3(kw.MacroF1), Mark: Good}
	low := model.MacroF1 - kw.MacroF1
	if d := m.MeasuredDetails(); d != nil {
		if g, ok := d.Gains["keywords"]; ok && g.MacroF1.CI != nil {
			t.Note, low = span(g.MacroF1.CI), g.MacroF1.CI[0]
		}
	}
	switch {
	case !(model.MacroF1 > kw.MacroF1):
		t.Mark = Bad
	case low <= 0:
		t.Mark = Warn
	}
	return t
}

// span says an interval in words; empty without one.
func span(i *document.Interval) string {
	if i == nil {
		return ""
	}
	return f2(i[0]) + " to " + f2(i[1])
}

func (r *Report) facts(s *document.Source) {
	add := func(name string, c Cell) {
		if c.Text != "" {
			r.Facts = append(r.Facts, Fact{name, c})
		}
	}
	add("Run", code(s.Run))
	if !s.Started.IsZero() {
		text := s.Started.UTC().Format("2006-01-02 15:04:05 UTC")
		if !s.Finished.IsZero() {
			text += ", took " + duration(s.Finished.Sub(s.Started).Seconds())
		}
		add("Started", Cell{Text: text})
	}
	add("Published as", Cell{Text: strings.Join(s.Releases, ", ")})
	for _, st := range s.OfKind("prune") {
		text, _ := document.Note[string](st, "vocabulary")
		add("Vocabulary after "+st.Name, Cell{Text: text})
	}
	add("Command", code(s.Command))
	if s.Error != "" {
		add("Error", Cell{Text: s.Error, Mark: Bad})
	}
	add("sprint", Cell{Text: s.Version})
}
