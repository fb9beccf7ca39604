package labels

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

func importReview(a *app.App, cmd *cobra.Command, file, plan string, f *reviewFlags) error {
	c, err := a.Compile(cmd.Context(), cmd, plan, &f.plan, false)
	if err != nil {
		return err
	}
	task, o, err := f.labelTask(c.Graph)
	if err != nil {
		return err
	}
	t, err := dataset.Taxonomy(c.Graph.Taxonomy())
	if err != nil {
		return err
	}
	used := slices.Contains(o.Source, "overlay")
	path := f.overlay
	switch {
	case path == "" && used:
		path = o.Overlay.File
	case path == "":
		path = filepath.Join(c.Plan.Dir(), "corrections.csv")
	case used && filepath.Clean(path) != filepath.Clean(o.Overlay.File):
		return &config.UsageError{Message: fmt.Sprintf("--overlay %s: the plan's overlay is %s", path, o.Overlay.File), Hint: "leave --overlay out"}
	}
	if format, _ := rows.FormatOf(path); format != rows.CSV {
		return &config.UsageError{Message: path + " is no csv file", Hint: "corrections are added to a csv: convert it, or name one with --overlay"}
	}
	review, err := readCorrections(file, t)
	if err != nil {
		return err
	}
	have, err := readCorrections(path, t)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m := merger{names: t.Names(), effective: map[string]decided{}}
	for _, x := range have {
		m.take(x)
	}
	added, skipped := m.merge(review, f.reviewer, app.Now())
	if len(added) > 0 {
		var b bytes.Buffer
		if err := rows.WriteOverlay(&b, append(have, added...), t.Names()); err != nil {
			return err
		}
		if err := atomicfile.Write(path, b.Bytes()); err != nil {
			return app.CannotWrite(err)
		}
	}
	for _, line := range m.conflicts {
		fmt.Fprintln(a.Stdout, line)
	}
	fmt.Fprintf(a.Stdout, "%d corrections added to %s; %d rows say nothing new, %d have no reviewer; %d labels differ from an earlier review\n", len(added), path, m.same, skipped, len(m.conflicts))
	if len(added)+m.same == 0 {
		return &config.UsageError{Message: "no row of " + file + " has a reviewer", Hint: "write a name into the column reviewer of the rows that were looked at, or pass --reviewer NAME for all"}
	}
	if !used {
		fmt.Fprintf(a.Stdout, "the plan does not use it yet; below `with` of stage %s add:\n  source: [%s, overlay]\n  overlay: {file: %s}\n", task.Name, strings.Join(o.Source, ", "), filepath.Base(path))
	}
	fmt.Fprintf(a.Stdout, "the next run labels by it:\n  sprint run %s\n", commandline.Quote(c.Plan.File))
	return nil
}

// readCorrections reads a review or an overlay.
func readCorrections(path string, t *taxonomy.Taxonomy) ([]rows.Correction, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "`sprint review export` writes one", "cannot read the corrections: %w", err)
	}
	defer file.Close()
	format, ok := rows.FormatOf(path)
	if !ok {
		return nil, &config.UsageError{Message: path + ": the extension does not tell the format", Hint: "use a .csv, .jsonl or .parquet file"}
	}
	list, err := rows.ReadOverlay(file, format, t.Names())
	if err != nil {
		return nil, stages.Fail(stages.CodeStage, "mend the file; nothing was imported", "%s: %w", path, err)
	}
	for i := range list {
		c := &list[i]
		c.URL, c.ID, c.Title = sanitize.CellText(c.URL), sanitize.CellText(c.ID), sanitize.CellText(c.Title)
		for k, l := range c.Labels {
			if t.Categories[k].TagIndex(l.Tag) < 0 {
				return nil, stages.Fail(stages.CodeStage, "use a tag of the taxonomy, or none; nothing was imported", "%s: record %d: category %s has no tag %q", path, c.Number, t.Categories[k].Name, l.Tag)
			}
		}
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
		added = append(added, rows.Correction{Row: rows.Row{URL: c.URL, ID: c.ID, Title: c.Title, Labels: c.Labels}, Reviewer: c.Reviewer, Time: c.Time})
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
