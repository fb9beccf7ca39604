package main

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
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/labelnoise"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/verify"
	"github.com/sprint-ml/sprint/storage"
)

// reviewSet is what export looks at: labelled rows without those of gold sets.
type reviewSet struct {
	rows       []rows.Row
	categories []string
}

func (a *app) exportReview(cmd *cobra.Command, args []string, f *reviewFlags) error {
	ctx := cmd.Context()
	if f.limit < 1 {
		return &config.UsageError{Message: fmt.Sprintf("--limit %d: at least one row is needed", f.limit)}
	}
	set, err := a.reviewed(ctx, cmd, args, f)
	if err != nil {
		return err
	}
	doubts, err := set.doubts(ctx, f.limit)
	if err != nil {
		return err
	}
	if len(doubts) == 0 {
		fmt.Fprintf(a.stderr, "nothing to review: of %d labelled rows none is suspect, disputed or undecided\n", len(set.rows))
		return nil
	}
	count := map[string]int{}
	for _, d := range doubts {
		count[d.sort]++
	}
	out := a.stdout.Out
	if f.output != "-" {
		file, err := os.OpenFile(f.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			return &config.UsageError{Message: f.output + " exists already", Hint: "a review that was begun is not overwritten: name another file"}
		}
		if err != nil {
			return cannotWrite(err)
		}
		defer file.Close()
		out = file
	}
	if err := set.write(out, doubts); err != nil {
		return cannotWrite(err)
	}
	fmt.Fprintf(a.stderr, "%d rows: %d suspected, %d conflicts, %d uncertain, of %d labelled rows\n", len(doubts), count[suspected], count[conflicting], count[uncertain], len(set.rows))
	if f.output != "-" {
		fmt.Fprintf(a.stderr, "change what is wrong, write your name into the column reviewer, then:\n  sprint review import %s\n", commandline.Quote(f.output))
	}
	return nil
}

// reviewed reads the rows of a plan or of a run.
func (a *app) reviewed(ctx context.Context, cmd *cobra.Command, args []string, f *reviewFlags) (*reviewSet, error) {
	if len(args) == 1 {
		if _, err := os.Stat(args[0]); err != nil {
			store, err := a.storeOf(cmd)
			if err != nil {
				return nil, err
			}
			defer store.Close()
			if isRun(ctx, store, args[0]) {
				return reviewOfRun(ctx, store, args[0])
			}
		}
	}
	c, err := a.compileOnStore(ctx, cmd, planArg(args), &f.plan)
	if err != nil {
		return nil, err
	}
	defer c.close(a.log())
	task, o, err := f.labelTask(c.graph)
	if err != nil {
		return nil, err
	}
	e, err := evaluate.Evaluator{Store: c.store}.Evaluate(ctx, c.graph)
	if err != nil {
		return nil, err
	}
	made := e.Decisions[task.Name]
	if made.State != runs.Cached {
		return nil, &config.UsageError{Message: fmt.Sprintf("stage %s is not done: %s", task.Name, made.Reason), Hint: fmt.Sprintf("sprint run %s --until %s", commandline.Quote(c.plan.File), task.Name)}
	}
	set := &reviewSet{}
	artifact, _ := made.Manifest.Output("labelled")
	if set.rows, set.categories, err = readArtifact(ctx, c.store, artifact); err != nil {
		return nil, err
	}
	for _, path := range goldFiles(c.graph, o) {
		gold, err := rows.OpenPlannedGold(path, nil)
		if err != nil {
			return nil, err
		}
		set.rows, _ = dedup.RemoveOverlap(set.rows, gold.Rows)
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
func reviewOfRun(ctx context.Context, store *storage.Store, run string) (*reviewSet, error) {
	_, found, err := outputs(ctx, store, run)
	if err != nil {
		return nil, err
	}
	set := &reviewSet{}
	for _, side := range []string{"train", "val", "test"} {
		i := slices.IndexFunc(found, func(f provenance.Found) bool { return f.Name == side })
		if i < 0 {
			return nil, &config.UsageError{Message: fmt.Sprintf("run %s made no split, so its gold rows are not known", run), Hint: "name its plan: sprint review export plan.yaml"}
		}
		part, categories, err := readArtifact(ctx, store, found[i].Artifact)
		if err != nil {
			return nil, err
		}
		set.rows, set.categories = append(set.rows, part...), categories
	}
	return set, nil
}

func readArtifact(ctx context.Context, store *storage.Store, a storage.Artifact) ([]rows.Row, []string, error) {
	r, err := store.Get(ctx, a.Digest, a.Size)
	if err != nil {
		return nil, nil, gone(a.Name, err)
	}
	defer r.Close()
	return rows.DecodeParquet(r)
}

// The sorts of doubt.
const (
	suspected   = "suspected"
	conflicting = "conflict"
	uncertain   = "uncertain"
)

// doubt is one row that is worth a look.
type doubt struct {
	row       int
	sort      string // the first of its sorts
	weight    float64
	reasons   []string
	suggested []string
}

// doubts picks the rows to look at, as many of each sort as there are, the most
// doubtful first.
func (s *reviewSet) doubts(ctx context.Context, limit int) ([]*doubt, error) {
	labels := make([][]int8, len(s.categories))
	for c := range s.categories {
		for _, r := range s.rows {
			labels[c] = append(labels[c], given(r, c))
		}
	}
	titles := make([]string, len(s.rows))
	for i, r := range s.rows {
		titles[i] = r.Title
	}
	p, judged, err := labelnoise.OutOfFold(ctx, s.texts(), dedup.Groups(titles), labels, labelnoise.Options{Seed: 1})
	if err != nil {
		return nil, err
	}
	sorts := map[string][]*doubt{}
	at := map[int]*doubt{}
	add := func(row int, sort string, weight float64, reason string) *doubt {
		d := at[row]
		if d == nil {
			d = &doubt{row: row, sort: sort, weight: weight}
			at[row] = d
			sorts[sort] = append(sorts[sort], d)
		}
		d.weight = max(d.weight, weight)
		d.reasons = append(d.reasons, reason)
		return d
	}
	for c, name := range s.categories {
		if !judged[c] {
			continue
		}
		for _, x := range labelnoise.Issues(p[c], labels[c]) {
			if s.rows[x.Row].DecidedBy(name) == "overlay" {
				continue // a person has judged it
			}
			says := map[bool]string{true: "1", false: "0"}[x.Present]
			d := add(x.Row, suspected, x.Doubt, fmt.Sprintf("suspected: %s is more likely %s (%.2f)", name, says, x.Doubt))
			d.suggested = append(d.suggested, name+"="+says)
		}
	}
	for i, r := range s.rows {
		if len(r.Conflicts) > 0 {
			add(i, conflicting, float64(len(r.Conflicts)), "conflict: "+strings.Join(r.Conflicts, ", "))
		}
	}
	for i := range s.rows {
		if !strings.Contains(s.rows[i].LabelSource, "overlay") {
			s.uncertain(i, labels, p, judged, add)
		}
	}
	return choose(sorts, limit), nil
}

// uncertain adds a row that nobody decided on some category.
func (s *reviewSet) uncertain(row int, labels [][]int8, p [][]float64, judged []bool, add func(int, string, float64, string) *doubt) {
	hardest, weight, open := -1, -1.0, false
	var likely []string
	for c := range s.categories {
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
			likely = append(likely, s.categories[c]+"=1")
		}
	}
	if !open {
		return
	}
	reason := "uncertain: undecided"
	if hardest >= 0 {
		reason += fmt.Sprintf(", %s perhaps (%.2f)", s.categories[hardest], p[hardest][row])
	}
	d := add(row, uncertain, weight, reason)
	d.suggested = append(d.suggested, likely...)
}

// choose takes from each sort in turn, then groups by sort.
func choose(sorts map[string][]*doubt, limit int) []*doubt {
	order := []string{suspected, conflicting, uncertain}
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
	slices.SortStableFunc(out, func(a, b *doubt) int { return slices.Index(order, a.sort) - slices.Index(order, b.sort) })
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
func (s *reviewSet) texts() []string {
	out := make([]string, len(s.rows))
	for i, r := range s.rows {
		out[i] = r.Title + " " + r.Description
	}
	return out
}

// write writes the csv that people edit.
func (s *reviewSet) write(w io.Writer, doubts []*doubt) error {
	out := csv.NewWriter(w)
	head := []string{"url", "id", "title", "reasons", "suggested", "label_source", "rules"}
	for _, c := range s.categories {
		head = append(head, c, c+"_tag")
	}
	if err := out.Write(append(head, "reviewer", "note")); err != nil {
		return err
	}
	for _, d := range doubts {
		r := s.rows[d.row]
		rec := []string{harmless(r.URL), harmless(r.ID), harmless(r.Title), strings.Join(d.reasons, "; "), strings.Join(d.suggested, " "), r.LabelSource, strings.Join(r.Rules, " ")}
		for c := range s.categories {
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

// formulaStarts are the bytes that make a spreadsheet read a cell as a formula,
// or skip to what follows them, and the quote that keeps it from that.
const formulaStarts = "=+-@\t\r'"

// harmless keeps a spreadsheet from taking a text of the news for a formula;
// harmful undoes it.
func harmless(s string) string {
	if s != "" && strings.IndexByte(formulaStarts, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func harmful(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formulaStarts, s[1]) >= 0 {
		return s[1:]
	}
	return s
}
