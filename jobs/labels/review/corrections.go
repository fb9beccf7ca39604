package review

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// ImportOptions say which corrections are added to which overlay.
type ImportOptions struct {
	Plan  *config.Plan
	Graph *graph.Graph
	Stage string // the label stage, empty for the only one
	// File holds the reviewed rows; Overlay is the file to add to, empty for the
	// plan's own, else corrections.csv beside the plan.
	File, Overlay string
	Reviewer      string // of rows that do not name theirs
	Now           time.Time
}

// Imported says what an import did.
type Imported struct {
	Overlay string // that corrections were added to
	// Added counts corrections that say something new, Same rows that do not, and
	// Anonymous rows without a reviewer.
	Added, Same, Anonymous int
	Conflicts              []string // changes of what another review said, in words
	// Used reports whether the plan's label stage names the overlay already; else
	// Stage and Source are what it has to be added to.
	Used   bool
	Stage  string
	Source []string
}

// lockTime is how long an import waits for another one of the same overlay.
const lockTime = 10 * time.Second

// Import adds the rows of a review that have a reviewer to the overlay. Imports of one
// overlay take turns, by a lock in a file beside it: what another one adds meanwhile
// would be lost.
func Import(ctx context.Context, o ImportOptions) (*Imported, error) {
	node, l, err := LabelStage(o.Graph, o.Stage)
	if err != nil {
		return nil, err
	}
	t, err := dataset.Taxonomy(o.Graph.Taxonomy())
	if err != nil {
		return nil, err
	}
	out := &Imported{Used: slices.Contains(l.Source, "overlay"), Stage: node.Name, Source: l.Source}
	if out.Overlay, err = overlayPath(o, l); err != nil {
		return nil, err
	}
	// Those who name the file by another link lock the same one.
	overlay, err := atomicfile.Target(out.Overlay)
	if err != nil {
		return nil, &diagnostic.UsageError{Message: err.Error(), Hint: "make the file, or name another with --overlay"}
	}
	if plainfile.Same(o.File, overlay) {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("%s is the overlay itself", o.File), Hint: "name the file that was reviewed: its rows are added to the overlay"}
	}
	review, err := readCorrections(o.File, l.Layout(), t, o.Now)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, overlay)
	if err != nil {
		return nil, err
	}
	defer unlock()
	have, err := readCorrections(overlay, l.Layout(), t, o.Now)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m := merger{names: t.Names(), effective: map[string]decided{}}
	for _, x := range have {
		m.take(x)
	}
	added, skipped := m.merge(review, o.Reviewer, o.Now)
	out.Added, out.Same, out.Anonymous, out.Conflicts = len(added), m.same, skipped, m.conflicts
	if len(added) == 0 {
		return out, nil
	}
	var b bytes.Buffer
	if err := rows.WriteOverlay(&b, append(have, added...), t.Names()); err != nil {
		return nil, err
	}
	if err := atomicfile.Write(overlay, b.Bytes(), 0o644); err != nil {
		return nil, atomicfile.Failure(err)
	}
	return out, nil
}

func lock(ctx context.Context, overlay string) (unlock func(), err error) {
	path := filepath.Join(filepath.Dir(overlay), "."+filepath.Base(overlay)+".lock")
	l := flock.New(path)
	waiting, stop := context.WithTimeout(ctx, lockTime)
	defer stop()
	switch _, err := l.TryLockContext(waiting, 50*time.Millisecond); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, stages.Fail(stages.CodeLease, "wait for it, then run the same command", "another import into %s goes on: it holds %s", overlay, path)
	case err != nil:
		return nil, atomicfile.Failure(err)
	}
	return func() { _ = l.Unlock() }, nil // the lock goes with the process at the latest
}

// overlayPath is the csv that corrections are added to.
func overlayPath(o ImportOptions, l *label.Options) (string, error) {
	used := slices.Contains(l.Source, "overlay")
	path := o.Overlay
	switch {
	case path == "" && used:
		path = l.Overlay.File
	case path == "":
		path = filepath.Join(o.Plan.Dir(), "corrections.csv")
	case used && filepath.Clean(path) != filepath.Clean(l.Overlay.File):
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("--overlay %s: the plan's overlay is %s", path, l.Overlay.File), Hint: "leave --overlay out"}
	}
	if format, _ := rows.FormatOf(path); format != rows.CSV {
		return "", &diagnostic.UsageError{Message: path + " is no csv file", Hint: "corrections are added to a csv: convert it, or name one with --overlay"}
	}
	return path, nil
}

// readCorrections reads a review or an overlay, and refuses what is dated ahead of now.
func readCorrections(path string, layout rows.Layout, t *taxonomy.Taxonomy, now time.Time) ([]rows.Correction, error) {
	file, err := plainfile.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "`sprint review export` writes one", "cannot read the corrections: %w", err)
	}
	defer file.Close()
	format, ok := rows.FormatOf(path)
	if !ok {
		return nil, &diagnostic.UsageError{Message: path + ": the extension does not tell the format", Hint: "use a .csv, .jsonl or .parquet file"}
	}
	layout.Format = format
	list, err := rows.ReadOverlay(file, layout, dataset.Categories(t))
	if err != nil {
		return nil, stages.Fail(stages.CodeStage, rows.HintOf(err, "mend the file; nothing was imported"), "%s: %w", path, err)
	}
	if c, ok := rows.Ahead(list, now); ok {
		return nil, stages.Fail(stages.CodeStage, "write when it was reviewed, and check this machine's clock; nothing was imported", "%s: record %d is dated %s: no later review would count until then", path, c.Number, c.Time.Format(time.RFC3339))
	}
	return list, nil
}

// decided is what the corrections say about one category of a row.
type decided struct {
	label    rows.Label
	reviewer string
	time     time.Time
}

// merger adds corrections to those that are there.
type merger struct {
	names     []string
	effective map[string]decided // by identity and category
	conflicts []string
	same      int
}

func (m *merger) key(c rows.Correction, category int) string {
	return rows.Identity(c.Row) + "\x00" + m.names[category]
}

// take makes a correction count: the later one of a category of a row.
func (m *merger) take(c rows.Correction) {
	for k, l := range c.Labels {
		if old, ok := m.effective[m.key(c, k)]; !l.Abstain && (!ok || !c.Time.Before(old.time)) {
			m.effective[m.key(c, k)] = decided{l, c.Reviewer, c.Time}
		}
	}
}

// merge returns the corrections of a review that say something new; skipped
// counts rows without a reviewer.
func (m *merger) merge(review []rows.Correction, reviewer string, now time.Time) (added []rows.Correction, skipped int) {
	for _, c := range review {
		if c.Reviewer == "" {
			c.Reviewer = reviewer
		}
		if c.Reviewer == "" {
			skipped++
			continue
		}
		if c.Time.IsZero() {
			c.Time = now.UTC().Truncate(time.Second)
		}
		fresh := false
		for k, l := range c.Labels {
			if l.Abstain {
				continue
			}
			old, ok := m.effective[m.key(c, k)]
			fresh = fresh || !ok || old.label != l
			if ok && old.label != l {
				m.conflicts = append(m.conflicts, m.conflict(c, k, old))
			}
		}
		if !fresh {
			m.same++
			continue
		}
		m.take(c)
		added = append(added, rows.Correction{Row: rows.Row{URL: c.URL, ID: c.ID, Title: c.Title, Description: c.Description, Language: c.Language, SeenAt: c.SeenAt, Labels: c.Labels}, Reviewer: c.Reviewer, Time: c.Time, Note: c.Note})
	}
	return added, skipped
}

func (m *merger) conflict(c rows.Correction, category int, old decided) string {
	verdict := "counts now"
	if c.Time.Before(old.time) {
		verdict = "is older and does not count"
	}
	say := func(l rows.Label) string {
		if l.Tag == "" {
			return rows.ScoreText(l)
		}
		return rows.ScoreText(l) + " " + l.Tag
	}
	return fmt.Sprintf("%s: %s was %s by %s, %s by %s %s", rows.Identity(c.Row), m.names[category], say(old.label), old.reviewer, say(c.Labels[category]), c.Reviewer, verdict)
}

// WriteCSV writes the csv that people edit.
func (s *Set) WriteCSV(w io.Writer, doubts []*Doubt) error {
	out := csv.NewWriter(w)
	texts := rows.TextsOf(func(yield func(*rows.Row) bool) {
		for _, d := range doubts {
			if !yield(&s.Rows[d.Row]) {
				return
			}
		}
	})
	head := append(append([]string{"url", "id", "title"}, texts...), "reasons", "suggested", "label_source", "rules")
	for _, c := range s.Categories {
		head = append(head, c, c+"_tag")
	}
	if err := out.Write(append(head, "reviewer", "note")); err != nil {
		return err
	}
	for _, d := range doubts {
		r := s.Rows[d.Row]
		rec := append([]string{table.Quote(r.URL), table.Quote(r.ID), table.Quote(r.Title)}, texts.Cells(&r)...)
		rec = append(rec, table.Quote(strings.Join(d.reasons, "; ")), table.Quote(strings.Join(d.suggested, " ")), table.Quote(r.LabelSource), table.Quote(strings.Join(r.Rules, " ")))
		for c := range s.Categories {
			l := rows.Label{Abstain: true}
			if r.Labels != nil {
				l = r.Labels[c]
			}
			rec = append(rec, rows.ScoreText(l), table.Quote(l.Tag))
		}
		if err := out.Write(append(rec, "", "")); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
