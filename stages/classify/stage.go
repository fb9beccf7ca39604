package classify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/ml/wheel"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// A batch of rows is answered at once: a model sorts its texts by length. Its size bounds
// what is held of the rows.
const (
	batchRows  = 4096
	batchBytes = 8 << 20 // of texts
)

type stage struct {
	o   *Options
	env stages.Env
}

// report is the content of classify_report.json.
type report struct {
	Model      *string        `json:"model"`   // name and version; null where keywords answered
	Release    string         `json:"release"` // digest of its files
	Rows       int            `json:"rows"`
	ByModel    int            `json:"by_model"`
	ByKeywords int            `json:"by_keywords"`
	Unanswered int            `json:"unanswered"` // the model gave no finite score
	None       int            `json:"none"`       // rows of no category
	Categories map[string]int `json:"categories"` // rows over the category's threshold
}

// Run answers about all rows in their order.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	c, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	articles, err := storeio.LocalInput(ctx, in, "articles", s.env.Scratch)
	if err != nil {
		return err
	}
	defer articles.Close()
	r := report{Categories: map[string]int{}}
	if c.Model != nil {
		r.Model, r.Release = &c.Name, s.text(keyRelease)
	}
	for _, name := range c.Taxonomy.Names() {
		r.Categories[name] = 0
	}
	schema := rows.Schema{Categories: c.Taxonomy.Names(), Probable: c.Taxonomy.Single}
	err = storeio.WriteProbableRows(ctx, out, "classified", schema, func(write func(*rows.Row, []*float64) error) error {
		b := &batch{c: c, sure: s.o.MinProbability, report: &r, write: write}
		_, _, err := rows.Each(articles, rows.Layout{Format: rows.Parquet}, &rows.Budget{}, func(row *rows.Row, _ []string) error {
			if row.Problem != "" {
				return nil // fetch made the table
			}
			if err := b.add(ctx, row); err != nil {
				return err
			}
			if r.Rows%batchRows == 0 {
				s.env.Progress(stages.Progress{Done: int64(r.Rows), Unit: "rows"})
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		return b.answer(ctx)
	})
	if err != nil {
		return resources.Computed(err)
	}
	s.env.Note("rows", r.Rows)
	log := s.env.Log.With(slog.Int("rows", r.Rows), slog.Int("none", r.None))
	if r.Model == nil {
		log.Warn("keywords answered: the store has no release of the model yet", slog.String("model", s.o.Model))
	} else {
		s.env.Note("model", *r.Model)
		log.Info("the model answered", slog.String("model", *r.Model))
	}
	if r.Unanswered > 0 {
		s.env.Log.Warn("rows without an answer: the model's scores are no finite numbers", slog.Int("rows", r.Unanswered))
	}
	return storeio.WriteJSON(ctx, out, "classify_report", r)
}

// text is what was resolved under a name.
func (s *stage) text(name string) string {
	text, _ := s.env.External[name].(string)
	return text
}

// open opens what the key says: the release, whatever the alias says by now, or the rules.
func (s *stage) open(ctx context.Context) (*classify.Classifier, func(), error) {
	model, digest := s.text(keyModel), s.text(keyRelease)
	if digest == "" {
		t, err := dataset.Taxonomy(s.env.Taxonomy)
		if err != nil {
			return nil, nil, err
		}
		return classify.New(t), func() {}, nil
	}
	name, version, _ := strings.Cut(model, "@")
	r, err := models.In(s.env.Store).Release(ctx, name, version)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", model, err)
	}
	if r.Digest != digest {
		return nil, nil, stages.Fail(stages.CodeIntegrity, "run again; `sprint models` lists what is there", "the release %s is another one than when the run began: %s, it was %s", model, r.Digest, digest)
	}
	// The record may list other files by now, the digest cannot.
	if r.Files, err = s.env.Store.Tree(ctx, digest); err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", model, err)
	}
	if err := s.noteSigner(ctx); err != nil {
		return nil, nil, err
	}
	folder, err := release.Fetch(ctx, s.env.Store, r)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", model, err)
	}
	c, err := folder.Classifier()
	if err != nil {
		folder.Close()
		return nil, nil, err
	}
	unload, err := s.load(ctx, c, folder.Dir)
	done := func() { c.Close(); unload(); folder.Close() }
	if damaged := release.Unreadable(model, err); damaged != nil {
		err = damaged
	}
	if err != nil {
		done()
		return nil, nil, resources.Computed(fmt.Errorf("model %s: %w", model, err))
	}
	return c, done, nil
}

// load loads the model of a folder. unload is called after the classifier was closed.
func (s *stage) load(ctx context.Context, c *classify.Classifier, dir string) (unload func(), err error) {
	unload = func() {}
	if s.o.Backend == release.BackendONNX {
		return unload, s.loadONNX(ctx, c, dir)
	}
	dev, err := resources.OpenDevice(ctx, s.env, s.env.Device)
	if err != nil {
		return unload, err
	}
	s.env.Note("device", strings.TrimSpace(dev.Name+" "+dev.Plugin))
	return func() { dev.Close() }, c.Load(dir, dev)
}

// loadONNX is load into ONNX Runtime.
func (s *stage) loadONNX(ctx context.Context, c *classify.Classifier, dir string) error {
	const without = "leave out backend: onnx, and the stage's device computes"
	if err := release.CheckBackend(s.o.Backend, s.env.Device); err != nil {
		return stages.Fail(stages.CodeEnvironment, without, "%w", err)
	}
	where, err := release.LoadONNX(ctx, c, dir, ort.Options{CacheDir: s.env.CacheDir, Offline: s.env.Offline, Announce: func(line string) { s.env.Note("fetch", line) }})
	switch {
	case err == nil:
		s.env.Note("device", where)
		return nil
	case errors.Is(err, wheel.ErrCorrupt):
		return stages.Fail(stages.CodeIntegrity, "remove the damaged package and run again", "%w", err)
	case ctx.Err() != nil, release.Unreadable(c.Name, err) != nil:
		return err
	}
	return stages.Fail(stages.CodeEnvironment, without, "%w", err)
}

// noteSigner notes the ID of the plan's key, if it names one. That the key signed the release,
// and is not revoked, was demanded of the release's digest before it was keyed, by who knows
// what is revoked: ResolveInputs.
func (s *stage) noteSigner(ctx context.Context) error {
	if s.o.Key == "" {
		return nil
	}
	r, err := s.env.Files.Open(ctx, s.o.Key)
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	k, err := signature.ParsePublicKey(data)
	if err != nil {
		return fmt.Errorf("key %s: %w", s.o.Key, err)
	}
	s.env.Note("signed_by", k.ID)
	return nil
}

// batch is rows that wait for their answers.
type batch struct {
	c      *classify.Classifier
	sure   float64
	report *report
	write  func(*rows.Row, []*float64) error
	rows   []rows.Row
	texts  []classify.Text
	bytes  int
}

func (b *batch) add(ctx context.Context, r *rows.Row) error {
	kept := *r
	kept.Labels = nil
	b.rows = append(b.rows, kept)
	b.texts = append(b.texts, classify.Text{Title: r.Title, Description: r.Description, Language: r.Language})
	if b.bytes += len(r.Title) + len(r.Description); len(b.rows) < batchRows && b.bytes < batchBytes {
		return nil
	}
	return b.answer(ctx)
}

func (b *batch) answer(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	answers, err := b.c.Classify(ctx, b.texts, false)
	if err != nil {
		return err
	}
	names := b.c.Taxonomy.Names()
	for i := range b.rows {
		r, a := &b.rows[i], &answers[i]
		r.Labels = make([]rows.Label, len(names))
		// What fetch brought along of labels is no answer.
		r.LabelSource, r.Rules, r.Conflicts, r.Label = a.Source, nil, nil, ""
		probabilities := make([]*float64, len(names))
		b.count(a)
		for k, n := range names {
			x, ok := a.Categories[n]
			if ok && b.c.Taxonomy.Single && x.Probability != nil && *x.Probability < b.sure {
				ok = false
			}
			if !ok {
				r.Labels[k].Abstain = true
				continue
			}
			r.Labels[k], probabilities[k] = rows.Label{Score: x.Score, Tag: x.Tag}, x.Probability
			b.report.Categories[n]++
		}
		if !contains(r.Labels) && a.Problem == "" {
			b.report.None++
		}
		if err := b.write(r, probabilities); err != nil {
			return err
		}
	}
	clear(b.rows)
	b.rows, b.texts, b.bytes = b.rows[:0], b.texts[:0], 0
	return nil
}

func (b *batch) count(a *classify.Answer) {
	b.report.Rows++
	switch {
	case a.Problem != "":
		b.report.Unanswered++
	case a.Source == classify.SourceModel:
		b.report.ByModel++
	default:
		b.report.ByKeywords++
	}
}

// contains reports whether one of the labels is given.
func contains(labels []rows.Label) bool {
	for _, l := range labels {
		if !l.Abstain {
			return true
		}
	}
	return false
}
