package label

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// assembly holds the labels in the making.
type assembly struct {
	t      *taxonomy.Taxonomy
	model  labelmodel.Model
	voters voters
	report *Report

	rows []rows.Row
	// labels and by are parallel to rows, then to the categories; by names who
	// decided, empty while nobody did.
	labels    [][]rows.Label
	by        [][]string
	conflicts [][]bool
}

func newAssembly(t *taxonomy.Taxonomy, articles []rows.Row, o *Options) *assembly {
	b := &assembly{t: t, rows: articles, report: newReport(t), model: labelmodel.Model{Exclusive: o.Exclusive}}
	for _, c := range t.Categories {
		policy := o.Conflict
		if p, ok := o.Conflicts[c.Name]; ok {
			policy = p
		}
		b.model.Policies = append(b.model.Policies, labelmodel.Policy(policy))
	}
	n := len(t.Categories)
	for range articles {
		b.labels = append(b.labels, slices.Repeat([]rows.Label{{Abstain: true}}, n))
		b.by, b.conflicts = append(b.by, make([]string, n)), append(b.conflicts, make([]bool, n))
	}
	return b
}

func (b *assembly) set(row, category int, l rows.Label, by string) {
	b.labels[row][category], b.by[row][category] = l, by
}

// undecided lists the rows of which a category has no label yet.
func (b *assembly) undecided() []int {
	var out []int
	for i := range b.by {
		if slices.Contains(b.by[i], "") {
			out = append(out, i)
		}
	}
	return out
}

// voteBatch is how many rows are voted on at a time, to bound the votes in memory.
const voteBatch = 1024

// ask asks sources, together, about the rows that are still undecided, and
// takes what the model decides of their votes.
func (b *assembly) ask(ctx context.Context, sources []source, report func(stages.Progress)) error {
	if h, others := picky(sources); h != nil {
		return b.askDisputed(ctx, h, others)
	}
	at := b.undecided()
	all := make([]*rows.Row, len(at))
	for k, i := range at {
		all[k] = &b.rows[i]
	}
	if err := prepareAll(ctx, sources, all); err != nil {
		return err
	}
	progress := stages.Progress{Total: int64(len(at)), Unit: "rows"}
	for part := range slices.Chunk(at, voteBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		report(progress)
		progress.Done += int64(len(part))
		set := all[:len(part)]
		all = all[len(part):]
		votes, err := collectVotes(ctx, sources, set)
		if err != nil {
			return err
		}
		for k, i := range part {
			if len(votes[k]) > 0 {
				b.decide(i, b.model.Decide(votes[k]))
			}
		}
	}
	report(progress)
	return nil
}

func collectVotes(ctx context.Context, sources []source, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	for _, s := range sources {
		votes, err := s.cast(ctx, set)
		if err != nil {
			return nil, err
		}
		for i := range votes {
			out[i] = append(out[i], votes[i]...)
		}
	}
	return out, nil
}

func (b *assembly) decide(row int, decisions []labelmodel.Decision) {
	for c, d := range decisions {
		if b.by[row][c] != "" {
			continue // decided before this vote
		}
		b.conflicts[row][c] = b.conflicts[row][c] || d.Conflict
		if !d.Abstain {
			b.set(row, c, rows.Label{Score: d.Score, Tag: b.t.Categories[c].Tags[d.Tag]}, b.sourceOf(row, d.Winners))
		}
	}
}

// sourceOf names the sources of voters, in their order. Rows that carry labels
// may say themselves where those came from.
func (b *assembly) sourceOf(row int, winners []int) string {
	var names []string
	for _, v := range winners {
		name := b.voters.list[v].source
		if name == sourceColumns && b.rows[row].LabelSource != "" {
			name = b.rows[row].LabelSource
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// decidedByNone decided a category that everything left open, on a plan that takes
// such rows for negative.
const decidedByNone = "none"

// finish writes labels and provenance into the rows and counts them.
func (b *assembly) finish(abstain bool) {
	for i := range b.rows {
		row := &b.rows[i]
		open := !slices.ContainsFunc(b.by[i], func(s string) bool { return s != "" })
		if open && !abstain && !slices.Contains(b.conflicts[i], true) {
			for c := range b.labels[i] {
				b.set(i, c, rows.Label{}, decidedByNone)
			}
		}
		row.Labels, row.LabelSource, row.Conflicts = b.labels[i], provenance(b.t, b.by[i]), nil
		row.Label = "" // a source read it
		for c, clash := range b.conflicts[i] {
			if clash {
				row.Conflicts = append(row.Conflicts, b.t.Categories[c].Name)
			}
		}
		b.report.add(b.t, row, b.by[i])
	}
	b.report.finish(b.t)
}

// provenance says who decided a row: the source of most categories, then the
// others with theirs: "rules;overlay=crime,politics".
func provenance(t *taxonomy.Taxonomy, by []string) string {
	count := map[string]int{}
	var order []string
	for _, s := range by {
		if s == "" || s == decidedByNone {
			continue
		}
		if count[s] == 0 {
			order = append(order, s)
		}
		count[s]++
	}
	if len(order) == 0 {
		return ""
	}
	slices.SortFunc(order, func(x, y string) int { return cmp.Or(count[y]-count[x], cmp.Compare(x, y)) })
	out := order[0]
	for _, s := range order[1:] {
		var names []string
		for c := range by {
			if by[c] == s {
				names = append(names, t.Categories[c].Name)
			}
		}
		out += ";" + s + "=" + strings.Join(names, ",")
	}
	return out
}

// learnWeights weighs the voters by the gold part.
func (b *assembly) learnWeights(ctx context.Context, sources []source, gold []rows.Row, count *goldCount) error {
	set := make([]*rows.Row, len(gold))
	for i := range gold {
		copied := gold[i]
		copied.Labels = nil // a labeller never sees the truth
		set[i] = &copied
	}
	if err := prepareAll(ctx, sources, set); err != nil {
		return err
	}
	votes, err := collectVotes(ctx, sources, set)
	if err != nil {
		return err
	}
	tallies := b.model.Learn(votes, func(row, category int) bool { return gold[row].Labels[category].Score > 0 })
	if b.report.Encoder != nil {
		*b.report.Encoder = encoderCount{} // the report counts the rows alone
	}
	count.Voters = map[string]voterCount{}
	for i, v := range b.voters.list {
		if tallies[i].Votes == 0 {
			continue
		}
		name := v.name
		if !strings.Contains(name, ":") {
			name += " (" + v.source + ")"
		}
		count.Voters[name] = voterCount{Votes: tallies[i].Votes, Right: tallies[i].Right, Weight: b.model.Weights[i]}
	}
	return nil
}
