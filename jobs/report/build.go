package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/key"
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
		{"verify", "Quality", "This run has no stage of kind verify: nothing was measured.", func(_ *document.Source, st document.Stage) []Section { return verified(st) }},
		{"train", "Training", "This run has no stage of kind train.", func(_ *document.Source, st document.Stage) []Section { return trained(st) }},
		{"label", "Labels", "This run has no stage of kind label.", labelled},
		{"split", "Data", "This run has no stage of kind split.", func(_ *document.Source, st document.Stage) []Section { return parted(st) }},
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
	r.Sections = append(r.Sections, cost(s), lineage(s))
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
		what := fmt.Sprintf("On %s rows labelled by hand, which never trained,", count(model.Rows))
		if m.Gold == nil {
			what = fmt.Sprintf("On %s held-out rows, labelled by the rules themselves,", count(model.Rows))
		}
		r.Lead = fmt.Sprintf("%s the model reaches a macro-F1 of %s; the rules that taught it reach %s.", what, f3(model.MacroF1), f3(kw.MacroF1))
		if m.Leaked > 0 {
			r.Lead += fmt.Sprintf(" %d of them were trained on, so the figures flatter.", m.Leaked)
		}
		r.Tiles = append(r.Tiles,
			Tile{Name: "macro-F1 on " + on, Value: f3(model.MacroF1), Note: cmp.Or(between(model.MacroCI()), "micro-F1 "+f3(model.MicroF1))}, gainTile(&m))
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
		n, _ := took(st)
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
	t := Tile{Name: "gain over the rules", Value: signed(model.MacroF1 - kw.MacroF1), Note: "from " + f3(kw.MacroF1), Mark: Good}
	low := model.MacroF1 - kw.MacroF1
	if d := m.MeasuredDetails(); d != nil {
		if g, ok := d.Gains["keywords"]; ok && g.MacroF1.CI != nil {
			t.Note, low = between(g.MacroF1.CI), g.MacroF1.CI[0]
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

// between says an interval in words; empty without one.
func between(i *document.Interval) string {
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
	add("Command", code(s.Command))
	if s.Error != "" {
		add("Error", Cell{Text: s.Error, Mark: Bad})
	}
	add("sprint", Cell{Text: s.Version})
}

// cost is what the stages took and where they ran.
func cost(s *document.Source) Section {
	out := Section{Title: "Time and device", Intro: "What each stage took when its work was done; a cached stage was done by an earlier run."}
	t := &Table{Caption: "Stages", Columns: []Column{{"stage", false}, {"kind", false}, {"state", false}, {"seconds", true}, {"tries", true}, {"rows/s", true}, {"device", false}, {"why", false}}}
	for _, st := range s.Stages {
		seconds, known := took(st)
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
	for _, st := range s.OfKind("verify") {
		if m, missing := document.Decode[document.Timings](st, "timings"); missing == "" {
			out.Blocks = append(out.Blocks, Block{Facts: []Fact{
				{"One headline, median", Cell{Text: fmt.Sprintf("%.1f ms", m.P50)}},
				{"One headline, 99 of 100", Cell{Text: fmt.Sprintf("%.1f ms", m.P99)}},
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

// took is how long the work of a stage took when it was done.
func took(st document.Stage) (seconds float64, known bool) {
	if m := st.Manifest; m != nil && (st.State == jobs.Cached || st.Seconds == 0) {
		return m.Finished.Sub(m.Started).Seconds(), true
	}
	return st.Seconds, st.Seconds > 0
}

// rate is what a stage noted of its speed.
func rate(st document.Stage) string {
	if st.Manifest == nil {
		return ""
	}
	if notes, ok := st.Manifest.Notes[st.Kind].(map[string]any); ok {
		if v, ok := notes["rows_per_second"].(float64); ok {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
	}
	return ""
}

func stateMark(s jobs.State) Mark {
	switch s {
	case jobs.Succeeded, jobs.Cached:
		return Good
	case jobs.Failed, jobs.Lost:
		return Bad
	case jobs.Skipped, jobs.Pending:
		return Dim
	}
	return Warn
}

// lineage says which bytes came from which, down to what was outside the store.
func lineage(s *document.Source) Section {
	out := Section{Title: "Lineage", Intro: "Every stage with its key, what it read and made, and from where. Equal key is the same work; `sprint trace` and `sprint artifacts verify` start from these digests."}
	made := map[string]string{} // digest -> artifact
	for _, st := range s.Stages {
		for _, name := range slices.Sorted(maps.Keys(st.Outputs)) {
			if d := st.Outputs[name].Digest; made[d] == "" {
				made[d] = st.Name + "." + name
			}
		}
	}
	for _, st := range s.Stages {
		fold := Block{Fold: fmt.Sprintf("%s (%s): %s", st.Name, st.Kind, st.State)}
		facts := []Fact{{"Key", code(st.Key)}}
		if m := st.Manifest; m != nil {
			where := "run " + m.Run
			if m.Run == s.Run {
				where = "this run"
			}
			facts = append(facts,
				Fact{"Made by", Cell{Text: fmt.Sprintf("%s, try %d, generation %d, sprint %s", where, m.Attempt, m.Generation, cmp.Or(m.Version, "unknown"))}},
				Fact{"Finished", Cell{Text: m.Finished.UTC().Format(time.RFC3339)}})
			if m.Device != "" {
				facts = append(facts, Fact{"Device", Cell{Text: m.Device}})
			}
		} else {
			facts = append(facts, Fact{"Made", Cell{Text: "nothing that is in the store"}})
		}
		if st.Key == "" {
			facts = facts[1:]
		}
		fold.Blocks = append(fold.Blocks, Block{Facts: facts})
		t := &Table{Columns: []Column{{"", false}, {"name", false}, {"bytes", true}, {"digest", false}}}
		if m := st.Manifest; m != nil {
			for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
				d := m.Inputs[name]
				t.Rows = append(t.Rows, []Cell{{Text: "reads"}, {Text: cmp.Or(made[d], name+", of no stage of this run"), Head: true}, {}, code(d)})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(st.Outputs)) {
			o := st.Outputs[name]
			title := name
			if o.Volatile {
				title += " (volatile)"
			}
			t.Rows = append(t.Rows, []Cell{{Text: "makes"}, {Text: title, Head: true}, {Text: count(int(o.Size))}, code(o.Digest)})
		}
		if len(t.Rows) > 0 {
			fold.Blocks = append(fold.Blocks, Block{Table: t.cut()})
		}
		p := st.Preimage()
		if external := externals(p.External); len(external) > 0 {
			fold.Blocks = append(fold.Blocks, Block{Text: "From outside the store:"}, Block{Facts: external})
		}
		if len(p.Options) > 0 {
			if b, err := json.Marshal(p.Options); err == nil {
				fold.Blocks = append(fold.Blocks, Block{Text: fmt.Sprintf("Options in the key (version %d of the kind):", p.Version)}, Block{Facts: options(b)})
			}
		}
		out.Blocks = append(out.Blocks, fold)
	}
	return out
}

// externals are the values from outside the store that fit a line; rules and
// categories, which do not, are in the plan's taxonomy.
func externals(all map[string]any) []Fact {
	var out []Fact
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b, err := json.Marshal(all[name])
		if text := string(b); err == nil && text != "{}" && text != "null" && text != "[]" {
			if len(text) > 400 {
				text = fmt.Sprintf("%d entries, %d bytes of canonical JSON", entries(all[name]), len(text))
			}
			out = append(out, Fact{name, code(text)})
		}
	}
	return out
}

func entries(v any) int {
	switch x := v.(type) {
	case map[string]any:
		return len(x)
	case []any:
		return len(x)
	}
	return 1
}

func options(b []byte) []Fact {
	var all map[string]json.RawMessage
	if json.Unmarshal(b, &all) != nil {
		return nil
	}
	var out []Fact
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Fact{name, code(string(all[name]))})
	}
	return out
}

// Small helpers of all sections.

func code(text string) Cell { return Cell{Text: text, Code: true} }

func f2(v float64) string { return fixed(v, 2) }
func f3(v float64) string { return fixed(v, 3) }

func fixed(v float64, digits int) string {
	if math.IsNaN(v) || math.Abs(v) > 1e9 {
		return "?"
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" { // no negative zero
		s = strings.TrimPrefix(s, "-")
	}
	return s
}

func signed(v float64) string {
	if v >= 0 {
		return "+" + f3(v)
	}
	return "−" + f3(-v)
}

func percent(part, all int) string {
	if all <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(all))
}

// count writes thousands apart.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func clampTo(v, most float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, most)
}

func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	}
	return (time.Duration(clampTo(seconds, 1e9)) * time.Second).String()
}

// link returns an address that may be opened, or nothing: http and https alone,
// since rows come from strangers.
func link(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(raw) > 2000 {
		return ""
	}
	return u.String()
}

// text makes what comes from data fit to be shown: no control characters, none
// that turn the direction of what follows, and not too much of it.
func text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if n := 0; len(s) > maxText {
		for i := range s {
			if n++; n > maxText {
				return s[:i] + "…"
			}
		}
	}
	return s
}

// clean applies text to all that a report holds, and numbers its charts.
func (r *Report) clean() {
	for _, s := range []*string{&r.Title, &r.Run, &r.State, &r.Lead} {
		*s = text(*s)
	}
	for i := range r.Tiles {
		t := &r.Tiles[i]
		t.Name, t.Value, t.Note = text(t.Name), text(t.Value), text(t.Note)
	}
	cleanFacts(r.Facts)
	charts := 0
	for i := range r.Sections {
		s := &r.Sections[i]
		s.Title, s.Intro = text(s.Title), text(s.Intro)
		for k := range s.Missing {
			s.Missing[k] = text(s.Missing[k])
		}
		cleanBlocks(s.Blocks, &charts)
	}
}

func cleanFacts(facts []Fact) {
	for i := range facts {
		facts[i].Name, facts[i].Value.Text = text(facts[i].Name), text(facts[i].Value.Text)
	}
}

func cleanBlocks(blocks []Block, charts *int) {
	for i := range blocks {
		b := &blocks[i]
		b.Text, b.Fold = text(b.Text), text(b.Fold)
		cleanFacts(b.Facts)
		if t := b.Table; t != nil {
			t.Caption = text(t.Caption)
			for k := range t.Columns {
				t.Columns[k].Name = text(t.Columns[k].Name)
			}
			for _, row := range t.Rows {
				for k := range row {
					row[k].Text = text(row[k].Text)
				}
			}
		}
		if c := b.Chart; c != nil {
			*charts++
			c.ID, c.Title, c.Desc = fmt.Sprintf("c%d", *charts), text(c.Title), text(c.Desc)
			for k := range c.Shapes {
				c.Shapes[k].Text = text(c.Shapes[k].Text)
			}
		}
		cleanBlocks(b.Blocks, charts)
	}
}

// external decodes one value from outside the store; what does not fit leaves
// into as it is.
func external(p key.Preimage, name string, into any) {
	if b, err := json.Marshal(p.External[name]); err == nil {
		_ = json.Unmarshal(b, into)
	}
}
