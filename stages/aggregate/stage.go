package aggregate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log/slog"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

type stage struct {
	o   *Options
	env stages.Env
}

// answered is what is read of classify_report.json.
type answered struct {
	Model      *string        `json:"model"`
	ByModel    int            `json:"by_model"`
	ByKeywords int            `json:"by_keywords"`
	Categories map[string]int `json:"categories"`
}

func (a *answered) source() string {
	if a.Model != nil {
		return "model"
	}
	return "keywords"
}

func (a *answered) model() string {
	if a.Model == nil {
		return ""
	}
	return *a.Model
}

// day is what is told of a partition.
type day struct {
	Day    string `json:"day"` // 2006-01-02, or that of rows without one
	File   string `json:"file"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // hex, of the file
	Bytes  int64  `json:"bytes"`
}

// report is the content of aggregate_report.json.
type report struct {
	Source string `json:"source"`
	Model  string `json:"model"`
	Rows   int    `json:"rows"`    // that were read
	Others int    `json:"outside"` // left out: of days before from, or not before to
	// Undated rows have no day that can be read, Nowhere neither a url nor a source.
	Undated int   `json:"undated"`
	Nowhere int   `json:"without_domain"`
	Days    []day `json:"days"`
}

// Run counts, writes the partitions and exports them.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	data, err := storeio.ReadFile(ctx, in, "classify_report")
	if err != nil {
		return err
	}
	var who answered
	if err := json.Unmarshal(data, &who); err != nil {
		return fmt.Errorf("read classify_report: %w", err)
	}
	r := &report{Source: who.source(), Model: who.model()}
	t, err := s.count(ctx, in, r)
	if err != nil {
		return err
	}
	tree, err := out.CreateTree(ctx, "aggregates")
	if err != nil {
		return err
	}
	defer tree.Abort()
	for _, name := range t.days(s.o.days()) {
		d, err := s.partition(tree, t, name, r)
		if err != nil {
			return fmt.Errorf("write the partition of %s: %w", name, err)
		}
		r.Days = append(r.Days, d)
	}
	if err := tree.Commit(); err != nil {
		return err
	}
	s.env.Note("days", len(r.Days))
	s.tell(r)
	if err := storeio.WriteJSON(ctx, out, "aggregate_report", r); err != nil {
		return err
	}
	if s.o.Export == "" {
		return nil
	}
	return s.export(ctx, t, r, out)
}

// count reads the rows.
func (s *stage) count(ctx context.Context, in stages.Inputs, r *report) (*tally, error) {
	f, err := storeio.LocalInput(ctx, in, "classified", s.env.Scratch)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var t *tally
	_, _, err = rows.Each(f, rows.Layout{Format: rows.Parquet}, &rows.Budget{}, func(row *rows.Row, categories []string) error {
		if t == nil {
			t = newTally(append([]string(nil), categories...)) // all stand in the file's head
		}
		if row.Problem != "" {
			return nil // classify wrote the table
		}
		r.Rows++
		day, counted := s.o.day(row)
		switch {
		case day == undated:
			r.Undated++
		case !counted:
			r.Others++
		}
		if !counted {
			return ctx.Err()
		}
		from := domain(row)
		if from == "" {
			r.Nowhere++
		}
		t.add(day, from, row.Labels)
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read classified: %w", err)
	}
	if t == nil {
		t = newTally(nil)
	}
	return t, nil
}

// partition writes a day's file into the tree.
func (s *stage) partition(tree stages.TreeWriter, t *tally, name string, r *report) (day, error) {
	d := day{Day: name, File: file(name)}
	w, err := tree.Create(d.File)
	if err != nil {
		return d, err
	}
	defer w.Abort()
	h := &measured{w: w, hash: sha256.New()}
	if d.Rows, err = t.write(h, t.keysOf(name), r.Source, r.Model); err != nil {
		return d, err
	}
	d.SHA256, d.Bytes = hex.EncodeToString(h.hash.Sum(nil)), h.n
	return d, w.Commit()
}

// measured passes bytes on, and knows how many and which.
type measured struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (m *measured) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

// tell says what did not count, or not where it should.
func (s *stage) tell(r *report) {
	log := s.env.Log.With(slog.Int("rows", r.Rows), slog.Int("days", len(r.Days)))
	if r.Undated > 0 {
		log.Warn("rows have no day that can be read", slog.Int("undated", r.Undated), slog.String("option", "undated: "+s.o.Undated))
	}
	if r.Nowhere > 0 {
		log.Warn("rows have neither a url nor a source: their domain is empty", slog.Int("without_domain", r.Nowhere))
	}
	if r.Others > 0 {
		log.Warn("rows of other days were left out", slog.Int("outside", r.Others))
	}
	log.Info("rows counted")
}
