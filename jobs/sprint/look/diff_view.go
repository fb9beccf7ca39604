package look

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// shownTurns is how many rows that turned are shown of each sort without --all.
const shownTurns = 5

// diffView shows a comparison of two runs to people.
type diffView struct {
	app   *app.App
	out   io.Writer
	flags diffFlags
}

func (v *diffView) show(old, now runs.Record, scores *comparison.Comparison, why string, c *provenance.Comparison) error {
	for _, x := range []struct {
		mark string
		r    runs.Record
	}{{"-", old}, {"+", now}} {
		model := ""
		if f := x.r.Figures; f != nil && f.Model != "" {
			model = ", " + f.Model
		}
		fmt.Fprintf(v.out, "%s run %s of %s: %s, %s%s\n", x.mark, *x.r.Run, x.r.Plan, x.r.Class, x.r.Started.Local().Format(time.DateTime), model)
	}
	switch {
	case !differ(c):
		fmt.Fprintln(v.out, "\nthe same work with the same results")
		return nil
	case scores == nil:
		fmt.Fprintf(v.out, "\nF1 cannot be compared: %s\n", why)
	default:
		if err := v.scores(old, now, scores); err != nil {
			return err
		}
		v.turned(scores)
	}
	v.fence(func() { v.stages(c) })
	if v.flags.all {
		return v.numbers(c)
	}
	return nil
}

// fence puts plain lines into a block where the output is Markdown.
func (v *diffView) fence(lines func()) {
	fmt.Fprintln(v.out)
	if v.flags.markdown {
		fmt.Fprintln(v.out, "```")
		defer fmt.Fprintln(v.out, "```")
	}
	lines()
}

// scores is the table of F1 before and after.
func (v *diffView) scores(old, now runs.Record, c *comparison.Comparison) error {
	fmt.Fprintf(v.out, "\nF1 on the %d rows of %s that both measured:\n", c.Rows, c.On)
	cells := [][]string{{"category", "rows", "before", "after", "change", "95 % interval", ""}}
	for _, x := range append(append([]comparison.Change{}, c.Categories...), c.MacroF1, c.MicroF1) {
		name := x.Name
		if text, ok := map[string]string{"macro_f1": "macro", "micro_f1": "micro"}[name]; ok {
			name = text
		}
		row := []string{name, strconv.Itoa(x.Support), "-", "-", "-", "-", "too few"}
		if x.Before != nil {
			row = []string{name, strconv.Itoa(x.Support), fmt.Sprintf("%.3f", *x.Before), fmt.Sprintf("%.3f", *x.After), fmt.Sprintf("%+.3f", x.Change),
				fmt.Sprintf("%+.3f to %+.3f", x.CI[0], x.CI[1]), x.Word}
		}
		cells = append(cells, row)
	}
	if err := v.table(cells, map[string]int{"rows": 1, "95 % interval": 3, "before": 2}); err != nil {
		return err
	}
	if text := headsLine(old, now); text != "" {
		fmt.Fprintln(v.out, text)
	}
	if c.Apart > 0 {
		fmt.Fprintf(v.out, "%d rows were measured by one of the runs alone\n", c.Apart)
	}
	if c.Relabelled > 0 {
		fmt.Fprintf(v.out, "%d rows have another label now and are left out\n", c.Relabelled)
	}
	return nil
}

// headsLine tells what the heads reached in runs that tuned a model from them; empty if
// neither did.
func headsLine(old, now runs.Record) string {
	figure := func(r runs.Record) (text string, tuned bool) {
		if r.Figures == nil || r.Figures.Heads == nil {
			return "-", false
		}
		return measured("%.3f", r.Figures.Heads, r.Figures.On), true
	}
	before, tunedBefore := figure(old)
	after, tunedAfter := figure(now)
	if !tunedBefore && !tunedAfter {
		return ""
	}
	return fmt.Sprintf("macro-F1 of the heads, before the encoder was tuned: %s before, %s after", before, after)
}

// table writes rows, the first of which is the head; words colour the rows that end with
// one of them.
func (v *diffView) table(rows [][]string, drop map[string]int) error {
	if v.flags.markdown {
		for i, row := range rows {
			fmt.Fprintf(v.out, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintln(v.out, strings.Repeat("|---", len(row))+"|")
			}
		}
		return nil
	}
	var columns []table.Column
	for _, name := range rows[0] {
		columns = append(columns, table.Column{Name: strings.ToUpper(name), Drop: drop[name]})
	}
	colours := map[string]string{comparison.Better: table.Good, comparison.Worse: table.Bad}
	t := v.app.Screen().Table(func(row int) string { return colours[rows[row+1][len(columns)-1]] }, columns...)
	for _, row := range rows[1:] {
		values := make([]any, len(row))
		for i, cell := range row {
			values[i] = cell
		}
		t.Row(values...)
	}
	return t.Write(v.app.Stdout)
}

// turned lists rows whose answer is right in one run alone.
func (v *diffView) turned(c *comparison.Comparison) {
	if len(c.Turned) == 0 {
		fmt.Fprintln(v.out, "\nno answer turned")
		return
	}
	right := 0
	for _, t := range c.Turned {
		if t.Right {
			right++
		}
	}
	v.fence(func() {
		fmt.Fprintf(v.out, "answers that turned: %d wrong now, %d right now\n", len(c.Turned)-right, right)
		shown := map[bool]int{}
		for _, t := range c.Turned {
			if shown[t.Right]++; shown[t.Right] > shownTurns && !v.flags.all {
				continue
			}
			mark, said := "-", t.Truth == t.Right
			if t.Right {
				mark = "+"
			}
			fmt.Fprintf(v.out, "  %s %s: %s -> %s: %.80s\n", mark, t.Category, yes(!said), yes(said), t.Title)
		}
		if !v.flags.all && (right > shownTurns || len(c.Turned)-right > shownTurns) {
			fmt.Fprintln(v.out, "  (--all shows the rest)")
		}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stages says which options and data differ.
func (v *diffView) stages(c *provenance.Comparison) {
	same := 0
	for _, st := range c.Stages {
		if st.Same && len(st.Outputs)+len(st.Record) == 0 {
			same++
			continue
		}
		v.stage(st)
	}
	if same > 0 {
		fmt.Fprintf(v.out, "%d of %d stages are the same\n", same, len(c.Stages))
	}
}

func (v *diffView) stage(st provenance.StageComparison) {
	switch {
	case st.Old == nil:
		fmt.Fprintf(v.out, "%s: only in the second run\n", st.Name)
		return
	case st.New == nil:
		fmt.Fprintf(v.out, "%s: only in the first run\n", st.Name)
		return
	}
	lines := v.changes(st)
	for _, d := range st.Inputs {
		lines = append(lines, fmt.Sprintf("reads %s: %s -> %s", d.Name, shortOrNone(d.Old), shortOrNone(d.New)))
	}
	if v.flags.all {
		for _, d := range st.Outputs {
			lines = append(lines, fmt.Sprintf("makes %s: %s -> %s", d.Name, shortOrNone(d.Old), shortOrNone(d.New)))
		}
	}
	head := st.Name
	if st.Same {
		head += ": the same work"
		if len(st.Outputs) > 0 {
			head += ", other bytes"
		}
	}
	if st.Old.State != st.New.State {
		head += fmt.Sprintf(": %s -> %s", st.Old.State, st.New.State)
	}
	fmt.Fprintln(v.out, head)
	for _, l := range lines {
		fmt.Fprintf(v.out, "  %s\n", l)
	}
}

// shownOptions is how many options that differ have a line of their own in a stage without
// --all: another method has dozens that the one before had not.
const shownOptions = 8

// changes are lines for what differs of a stage: of its key, and of what no key holds.
func (v *diffView) changes(st provenance.StageComparison) []string {
	var lines []string
	brief := &briefOptions{run: map[string]string{}, left: shownOptions}
	little := len(st.Changes)+len(st.Record) <= shownOptions || v.flags.all
	for _, ch := range st.Changes {
		if little || brief.shows(ch) {
			lines = append(lines, fmt.Sprint(ch))
		}
	}
	for _, ch := range st.Record {
		if little || brief.shows(ch) {
			lines = append(lines, fmt.Sprintf("%s (in no key)", ch))
		}
	}
	return append(lines, brief.rest()...)
}

// briefOptions counts the options that are told by their names alone.
type briefOptions struct {
	before, after []string
	run           map[string]string // which run alone has an option of before or after
	left, hidden  int               // lines for options that both runs have
}

// shows reports whether a change is told by a line of its own. Options that both runs have are,
// as far as there is room, and so is the one by which others come and go.
func (b *briefOptions) shows(ch key.Change) bool {
	name, isOption := strings.CutPrefix(ch.Path, "options.")
	if !isOption || name == "method" {
		return true
	}
	group, _, _ := strings.Cut(name, ".")
	switch {
	case ch.New == "" && b.run[group] != "first":
		b.before, b.run[name] = append(b.before, name), "first"
	case ch.Old == "" && b.run[group] != "second":
		b.after, b.run[name] = append(b.after, name), "second"
	case ch.New == "" || ch.Old == "": // of a group that is told
	case b.left > 0:
		b.left--
		return true
	default:
		b.hidden++
	}
	return false
}

// rest tells of the options that have no line.
func (b *briefOptions) rest() []string {
	var lines []string
	if b.hidden > 0 {
		lines = append(lines, fmt.Sprintf("and %d more options that both runs have", b.hidden))
	}
	for _, x := range []struct {
		run   string
		names []string
	}{{"first", b.before}, {"second", b.after}} {
		if len(x.names) > 0 {
			lines = append(lines, fmt.Sprintf("%d options that only the %s run has: %s", len(x.names), x.run, few(x.names)))
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "(--all shows each of them)")
	}
	return lines
}

// few is a list of names, of which the first are told.
func few(names []string) string {
	if len(names) > shownOptions {
		names = append(slices.Clone(names[:shownOptions]), "...")
	}
	return strings.Join(names, ", ")
}

// numbers lists every number of a document that differs.
func (v *diffView) numbers(c *provenance.Comparison) error {
	if len(c.Metrics) == 0 {
		return nil
	}
	fmt.Fprintln(v.out)
	rows := [][]string{{"number", "before", "after", "change"}}
	for _, m := range c.Metrics {
		change := ""
		if m.Old != nil && m.New != nil {
			change = fmt.Sprintf("%+.4g", *m.New-*m.Old)
		}
		rows = append(rows, []string{m.Stage + "." + m.Name, number(m.Old), number(m.New), change})
	}
	return v.table(rows, nil)
}

func number(v *float64) string {
	if v == nil {
		return "(none)"
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}

func shortOrNone(digest string) string {
	if digest == "" {
		return "(none)"
	}
	return app.Short(digest)
}
