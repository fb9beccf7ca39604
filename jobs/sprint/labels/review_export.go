package labels

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/labels/stored"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/labelnoise"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/verify"
	"github.com/sprint-ml/sprint/storage"
)

// ReviewSet is what export looks at: labelled rows without those of gold sets.
type ReviewSet struct {
	Rows       []rows.Row
	Categories []string
}

func exportReview(a *app.App, cmd *cobra.Command, args []string, f *reviewFlags) error {
	ctx := cmd.Context()
	if f.limit < 1 {
		return &config.UsageError{Message: fmt.Sprintf("--limit %d: at least one row is needed", f.limit)}
	}
	set, err := reviewedRows(ctx, a, cmd, args, f)
	if err != nil {
		return err
	}
	doubts, err := set.Doubts(ctx, f.limit)
	if err != nil {
		return err
	}
	if len(doubts) == 0 {
		fmt.Fprintf(a.Stderr, "nothing to review: of %d labelled rows none is suspect, disputed or undecided\n", len(set.Rows))
		return nil
	}
	count := map[string]int{}
	for _, d := range doubts {
		count[d.Sort]++
	}
	out := a.Stdout.Out
	if f.output != "-" {
		file, err := os.OpenFile(f.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			return &config.UsageError{Message: f.output + " exists already", Hint: "a review that was begun is not overwritten: name another file"}
		}
		if err != nil {
			return app.CannotWrite(err)
		}
		defer file.Close()
		out = file
	}
	if err := set.write(out, doubts); err != nil {
		return app.CannotWrite(err)
	}
	fmt.Fprintf(a.Stderr, "%d rows: %d suspected, %d conflicts, %d uncertain, of %d labelled rows\n", len(doubts), count[Suspected], count[conflicting], count[uncertain], len(set.Rows))
	if f.output != "-" {
		fmt.Fprintf(a.Stderr, "change what is wrong, write your name into the column reviewer, then:\n  sprint review import %s\n", commandline.Quote(f.output))
	}
	return nil
}

// reviewedRows reads the rows of a plan or of a run.
func reviewedRows(ctx context.Context, a *app.App, cmd *cobra.Command, args []string, f *reviewFlags) (*ReviewSet, error) {
	if len(args) == 1 {
		if _, err := os.Stat(args[0]); err != nil {
			store, err := a.StoreOf(cmd)
			if err != nil {
				return nil, err
			}
			defer store.Close()
			if catalog.IsRun(ctx, store, args[0]) {
				return reviewOfRun(ctx, store, args[0])
			}
		}
	}
	c, err := a.CompileOnStore(ctx, cmd, app.PlanArg(args), &f.plan)
	if err != nil {
		return nil, err
	}
	defer c.Close(a.Log())
	task, o, err := f.labelTask(c.Graph)
	if err != nil {
		return nil, err
	}
	e, err := evaluate.Evaluator{Store: c.Store}.Evaluate(ctx, c.Graph)
	if err != nil {
		return nil, err
	}
	made := e.Decisions[task.Name]
	if made.State != runs.Cached {
		return nil, &config.UsageError{Message: fmt.Sprintf("stage %s is not done: %s", task.Name, made.Reason), Hint: fmt.Sprintf("sprint run %s --until %s", commandline.Quote(c.Plan.File), task.Name)}
	}
	set := &ReviewSet{}
	artifact, _ := made.Manifest.Output("labelled")
	if set.Rows, set.Categories, err = stored.Rows(ctx, c.Store, artifact); err != nil {
		return nil, err
	}
	for _, path := range goldFiles(c.Graph, o) {
		gold, err := rows.OpenPlannedGold(path, nil)
		if err != nil {
			return nil, err
		}
		set.Rows, _ = dedup.RemoveOverlap(set.Rows, gold.Rows)
	}
	return set, nil
}

// goldFiles are the gold sets that a plan names anywhere.
func goldFiles(g *graph.Graph, o *label.Options) []string {
	files := []string{o.Gold, o.Scored}
	for _, t := range g.Nodes {
		switch x := t.Options.(type) {
		case *verify.Options:
			files = append(files, x.Gold)
		case *split.Options:
			files = append(files, x.Gold)
		}
	}
	slices.Sort(files)
	return slices.DeleteFunc(slices.Compact(files), func(s string) bool { return s == "" })
}

// reviewOfRun takes the sides of the split that a run made: gold is out of them
// already.
func reviewOfRun(ctx context.Context, store *storage.Store, run string) (*ReviewSet, error) {
	_, found, err := catalog.Outputs(ctx, store, run)
	if err != nil {
		return nil, err
	}
	set := &ReviewSet{}
	for _, side := range []string{"train", "val", "test"} {
		i := slices.IndexFunc(found, func(f provenance.Found) bool { return f.Name == side })
		if i < 0 {
			return nil, &config.UsageError{Message: fmt.Sprintf("run %s made no split, so its gold rows are not known", run), Hint: "name its plan: sprint review export plan.yaml"}
		}
		part, categories, err := stored.Rows(ctx, store, found[i].Artifact)
		if err != nil {
			return nil, err
		}
		set.Rows, set.Categories = append(set.Rows, part...), categories
	}
	return set, nil
}

// The sorts of doubt.
const (
	Suspected   = "suspected"
	conflicting = "conflict"
	uncertain   = "uncertain"
)

// doubt is one row that is worth a look.
type doubt struct {
	Row       int
	Sort      string // the first of its sorts
	weight    float64
	reasons   []string
	suggested []string
}

// Doubts picks the rows to look at, as many of each sort as there are, the most
// doubtful first.
func (s *ReviewSet) Doubts(ctx context.Context, limit int) ([]*doubt, error) {
	labels := make([][]int8, len(s.Categories))
	for c := range s.Categories {
		for _, r := range s.Rows {
			labels[c] = append(labels[c], given(r, c))
		}
	}
	p, judged, err := labelnoise.OutOfFold(ctx, s.texts(), dedup.Groups(rows.Titles(s.Rows)), labels, labelnoise.Options{Seed: 1})
	if err != nil {
		return nil, err
	}
	sorts := map[string][]*doubt{}
	at := map[int]*doubt{}
	add := func(row int, sort string, weight float64, reason string) *doubt {
		d := at[row]
		if d == nil {
			d = &doubt{Row: row, Sort: sort, weight: weight}
			at[row] = d
			sorts[sort] = append(sorts[sort], d)
		}
		d.weight = max(d.weight, weight)
		d.reasons = append(d.reasons, reason)
		return d
	}
	for c, name := range s.Categories {
		if !judged[c] {
			continue
		}
		for _, x := range labelnoise.Issues(p[c], labels[c]) {
			if s.Rows[x.Row].DecidedBy(name) == "overlay" {
				continue // a person has judged it
			}
			says := map[bool]string{true: "1", false: "0"}[x.Present]
			d := add(x.Row, Suspected, x.Doubt, fmt.Sprintf("suspected: %s is more likely %s (%.2f)", name, says, x.Doubt))
			d.suggested = append(d.suggested, name+"="+says)
		}
	}
	for i, r := range s.Rows {
		if len(r.Conflicts) > 0 {
			add(i, conflicting, float64(len(r.Conflicts)), "conflict: "+strings.Join(r.Conflicts, ", "))
		}
	}
	for i := range s.Rows {
		if !strings.Contains(s.Rows[i].LabelSource, "overlay") {
			s.uncertain(i, labels, p, judged, add)
		}
	}
	return choose(sorts, limit), nil
}

// uncertain adds a row that nobody decided on some category.
func (s *ReviewSet) uncertain(row int, labels [][]int8, p [][]float64, judged []bool, add func(int, string, float64, string) *doubt) {
	hardest, weight, open := -1, -1.0, false
	var likely []string
	for c := range s.Categories {
		if labels[c][row] != labelnoise.Undecided {
			continue
		}
		open = true
		if !judged[c] {
			continue
		}
		if w := 1 - max(2*p[c][row]-1, 1-2*p[c][row]); w > weight {
			hardest, weight = c, w
		}
		if p[c][row] >= 0.5 {
			likely = append(likely, s.Categories[c]+"=1")
		}
	}
	if !open {
		return
	}
	reason := "uncertain: undecided"
	if hardest >= 0 {
		reason += fmt.Sprintf(", %s perhaps (%.2f)", s.Categories[hardest], p[hardest][row])
	}
	d := add(row, uncertain, weight, reason)
	d.suggested = append(d.suggested, likely...)
}

// choose takes from each sort in turn, then groups by sort.
func choose(sorts map[string][]*doubt, limit int) []*doubt {
	order := []string{Suspected, conflicting, uncertain}
	for _, list := range sorts {
		slices.SortStableFunc(list, func(a, b *doubt) int { return cmp.Compare(b.weight, a.weight) })
	}
	var out []*doubt
	for depth := 0; len(out) < limit; depth++ {
		before := len(out)
		for _, sort := range order {
			if depth < len(sorts[sort]) && len(out) < limit {
				out = append(out, sorts[sort][depth])
			}
		}
		if len(out) == before {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b *doubt) int { return slices.Index(order, a.Sort) - slices.Index(order, b.Sort) })
	return out
}

func given(r rows.Row, category int) int8 {
	switch {
	case r.Labels == nil || r.Labels[category].Abstain:
		return labelnoise.Undecided
	case r.Labels[category].Score > 0:
		return labelnoise.Present
	}
	return labelnoise.Absent
}

// texts are what the classifier reads: all of it, the words on which rules fired
// too. Without them it doubts right labels for want of what they stand on: of the
// 50 most suspect gold rows of two sets 40 and 26 were wrong, without those words
// 35 and 17.
func (s *ReviewSet) texts() []string {
	out := make([]string, len(s.Rows))
	for i, r := range s.Rows {
		out[i] = r.Title + " " + r.Description
	}
	return out
}

// write writes the csv that people edit.
func (s *ReviewSet) write(w io.Writer, doubts []*doubt) error {
	out := csv.NewWriter(w)
	head := []string{"url", "id", "title", "reasons", "suggested", "label_source", "rules"}
	for _, c := range s.Categories {
		head = append(head, c, c+"_tag")
	}
	if err := out.Write(append(head, "reviewer", "note")); err != nil {
		return err
	}
	for _, d := range doubts {
		r := s.Rows[d.Row]
		rec := []string{sanitize.Cell(r.URL), sanitize.Cell(r.ID), sanitize.Cell(r.Title), strings.Join(d.reasons, "; "), strings.Join(d.suggested, " "), r.LabelSource, strings.Join(r.Rules, " ")}
		for c := range s.Categories {
			l := rows.Label{Abstain: true}
			if r.Labels != nil {
				l = r.Labels[c]
			}
			rec = append(rec, rows.ScoreText(l), l.Tag)
		}
		if err := out.Write(append(rec, "", "")); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
