package refresh_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// categories are those of the world.
var categories = []string{"fire", "money", "sport"}

const worldTaxonomy = `categories:
  - {name: fire, rules: [{words: [blaze]}]}
  - {name: money, rules: [{words: [bank]}]}
  - {name: sport, rules: [{words: [cup]}]}
`

const worldPlan = `name: world
taxonomy: taxonomy.yaml
refresh: {max_age: 0, cooldown: 0}
stages:
  - name: fetch
    with: {source: files, files: {paths: [rows.csv]}}
  - name: label
    with: {source: [rules, overlay], overlay: {file: corrections.csv}}
  - name: split
    with: {ratios: {train: 0.6, val: 0.2, test: 0.2}}
  - name: train
    with: {encoder: all-minilm-l6-v2}
  - name: verify
    with: {gold: gold.csv, checks: [{id: macro_f1, set: gold, min: 0.1}]}
  - name: publish
    with: {name: world}
`

// world makes windows of rows. As it drifts from 0 to 1 one category grows, a new domain
// publishes, and texts say less of what they are about. Each category has words of its own;
// fresh is the share of them that no text had before, once it has drifted.
type world struct{ drift, fresh float64 }

// window draws rows; the same seed draws the same. A row is of one category, or of none.
func (w world) window(seed uint64, n int) []rows.Row {
	random := rand.New(rand.NewPCG(seed, 7))
	out := make([]rows.Row, n)
	shares := []float64{0.3 - 0.12*w.drift, 0.25 - 0.1*w.drift, 0.2 + 0.32*w.drift}
	for i := range out {
		category, x := -1, random.Float64()
		for k, share := range shares {
			if x < share {
				category = k
				break
			}
			x -= share
		}
		words := make([]string, 7)
		for j := range words {
			words[j] = fmt.Sprintf("w%d", random.IntN(60))
			if category >= 0 && random.Float64() < 0.36-0.08*w.drift {
				words[j] = w.word(random, category)
			} else if random.Float64() < 0.05 { // of any category: what makes rows hard
				words[j] = w.word(random, random.IntN(len(categories)))
			}
		}
		domain := "old.example"
		if random.Float64() < 0.4*w.drift {
			domain = "new.example"
		}
		labels := make([]rows.Label, len(categories))
		if category >= 0 {
			labels[category].Score = 1
		}
		out[i] = rows.Row{ID: fmt.Sprintf("%d-%d", seed, i), URL: fmt.Sprintf("https://%s/%d/%d", domain, seed, i), Title: strings.Join(words, " "), Language: "en", Labels: labels}
	}
	return out
}

func (w world) word(random *rand.Rand, category int) string {
	n := random.IntN(12)
	if random.Float64() < w.fresh*w.drift {
		n += 12
	}
	return fmt.Sprintf("%s%d", categories[category], n)
}

// vector stands in for an encoder: the mean of vectors that hang on the words alone.
func vector(title string) []float32 {
	out := make([]float32, 48)
	for word := range strings.FieldsSeq(title) {
		h := fnv.New64a()
		_, _ = io.WriteString(h, word)
		random := rand.New(rand.NewPCG(h.Sum64(), 1))
		for j := range out {
			out[j] += float32(random.NormFloat64())
		}
	}
	return out
}

func vectors(of []rows.Row) [][]float32 {
	out := make([][]float32, len(of))
	for i, x := range of {
		out[i] = vector(x.Title)
	}
	return out
}

// toyModel is what the world's runs publish: heads on the vectors.
type toyModel struct {
	Space   heads.Space
	Weights [][]float64
}

func trainToy(ctx context.Context, of []rows.Row) (toyModel, error) {
	n := len(categories)
	space, err := heads.NewSpace(vectors(of))
	if err != nil {
		return toyModel{}, err
	}
	l := &heads.Labels{Outputs: n, Target: make([]float64, n*len(of)), Weight: make([]float64, n*len(of))}
	for i, x := range of {
		for k := range n {
			l.Target[i*n+k], l.Weight[i*n+k] = x.Labels[k].Score, 1
		}
	}
	h, err := heads.Train(ctx, space.Features(vectors(of)), l, heads.Options{C: 3})
	if err != nil {
		return toyModel{}, err
	}
	m := toyModel{Space: space}
	for k := range n {
		m.Weights = append(m.Weights, h.W.Of(k))
	}
	return m, nil
}

func (m toyModel) answer(of []rows.Row) *refresh.Answers {
	a := &refresh.Answers{Categories: categories}
	for _, v := range vectors(of) {
		score, positive := make([]float64, len(categories)), make([]bool, len(categories))
		for k, w := range m.Weights {
			z := w[len(v)]
			for j, x := range v {
				z += w[j] * (float64(x) - m.Space.Mean[j]) * m.Space.Scale
			}
			score[k] = 1 / (1 + math.Exp(-z))
			positive[k] = score[k] >= 0.4
		}
		a.Score, a.Positive = append(a.Score, score), append(a.Positive, positive)
	}
	return a
}

// toyRuns runs the world's plan and answers with what it published: it writes what the
// stages do, in their order.
type toyRuns struct {
	store *storage.Store
	rows  []rows.Row // of the window, with the labels that the plan gives them
	// joined are rows of its overlay that no source gives any more.
	joined []rows.Row
	now    time.Time
	// source is how fetch ends.
	source stages.Code
	// failure, unless it is 0, is how the run of the whole plan ends.
	failure stages.Code
	gold    string                       // digest
	trained map[string]runs.OutputResult // outputs of train
	// published, where there is one, is called when the release is there, ended when the record
	// of the run is.
	published func()
	ended     func(run string)
}

func (o *toyRuns) put(ctx context.Context, of []rows.Row, labelled bool) (runs.OutputResult, error) {
	var b bytes.Buffer
	var names []string
	if of = slices.Clone(of); labelled {
		names = categories
	} else {
		for i := range of {
			of[i].Labels = nil
		}
	}
	if err := rows.WriteParquet(&b, of, names); err != nil {
		return runs.OutputResult{}, err
	}
	a, err := o.store.Put(ctx, &b, "")
	return runs.OutputResult{Digest: a.Digest, Size: a.Size}, err
}

// Run implements refresh.Runner.
func (o *toyRuns) Run(ctx context.Context, until string) (*runs.Result, error) {
	id := runs.NewID(o.now)
	result := &runs.Result{Run: &id, Code: o.source}
	if o.source != 0 {
		result.Error = "the source gave 0 rows of use, fewer than min_rows (1)"
		return result, runs.SaveRecord(ctx, o.store, runs.Record{Plan: "world", Started: o.now, Result: *result})
	}
	articles, err := o.put(ctx, o.rows, false)
	if err != nil {
		return nil, err
	}
	result.Stages = []runs.StageResult{{Name: "fetch", Kind: "fetch", State: runs.Cached, Outputs: map[string]runs.OutputResult{"articles": articles}}}
	if until == "" {
		err = o.publish(ctx, id, result)
	}
	if err == nil {
		err = runs.SaveRecord(ctx, o.store, runs.Record{Plan: "world", Started: o.now, Result: *result})
	}
	if err == nil && o.ended != nil && until == "" {
		o.ended(id)
	}
	return result, err
}

// publish trains and publishes.
func (o *toyRuns) publish(ctx context.Context, id string, result *runs.Result) error {
	sides := map[string][]rows.Row{}
	for i, x := range slices.Concat(o.rows, o.joined) {
		side := []string{"train", "train", "train", "val", "test"}[i%5]
		sides[side] = append(sides[side], x)
	}
	split := runs.StageResult{Name: "split", Kind: "split", State: runs.Succeeded, Outputs: map[string]runs.OutputResult{}}
	for side, part := range sides {
		var err error
		if split.Outputs[side], err = o.put(ctx, part, true); err != nil {
			return err
		}
	}
	m, err := trainToy(ctx, sides["train"])
	if err != nil {
		return err
	}
	train := runs.StageResult{Name: "train", Kind: "train", State: runs.Succeeded, Outputs: o.trained}
	if result.Code = o.failure; o.failure != 0 {
		result.Stages, result.Error = append(result.Stages, split, train), "macro_f1 on gold is 0.05, at least 0.1 is demanded"
		return nil
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(id)))
	if _, _, err := o.store.Commit(ctx, storage.Manifest{Kind: "verify", Key: key, Generation: 1, Preimage: fmt.Appendf(nil, `{"external":{"gold":%q}}`, o.gold)}); err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	file, err := o.store.Put(ctx, bytes.NewReader(data), "")
	if err != nil {
		return err
	}
	tree, err := o.store.PutTree(ctx, []storage.TreeEntry{{Path: "model.json", Digest: file.Digest, Size: file.Size}})
	if err != nil {
		return err
	}
	meta, err := json.Marshal(map[string]any{"run": id, "date": o.now})
	if err != nil {
		return err
	}
	release, err := models.In(o.store).Publish(ctx, "world", tree, meta)
	if err == nil {
		err = models.In(o.store).SetAlias(ctx, "world", models.Latest, release.Version)
	}
	if o.published != nil {
		o.published()
	}
	result.Stages = append(result.Stages, split, train, runs.StageResult{Name: "verify", Kind: "verify", State: runs.Succeeded, Key: key},
		runs.StageResult{Name: "publish", Kind: "publish", State: runs.Succeeded, Outputs: map[string]runs.OutputResult{"release": {Digest: tree.Digest, Size: tree.Size}}})
	return err
}

// Answer implements refresh.Answerer.
func (o *toyRuns) Answer(ctx context.Context, r models.Release, of []rows.Row) (*refresh.Answers, error) {
	f, err := o.store.Get(ctx, r.Files[0].Digest, r.Files[0].Size)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var m toyModel
	if err := json.NewDecoder(f).Decode(&m); err != nil {
		return nil, err
	}
	return m.answer(of), nil
}

// csvOf writes labelled rows as a gold set or, with a time, as corrections.
func csvOf(of []rows.Row, at time.Time) string {
	var b strings.Builder
	head, tail := "id,url,title,fire,money,sport", ""
	if !at.IsZero() {
		head, tail = head+",reviewer,time", ",ann,"+at.UTC().Format(time.RFC3339)
	}
	fmt.Fprintln(&b, head)
	for _, x := range of {
		fmt.Fprintf(&b, "%s,%s,%s,%g,%g,%g%s\n", x.ID, x.URL, x.Title, x.Labels[0].Score, x.Labels[1].Score, x.Labels[2].Score, tail)
	}
	return b.String()
}

// place is a folder with the world's plan, and a store.
type place struct {
	dir   string
	store *storage.Store
	try   func(context.Context, models.Release) error
}

// newPlace writes the plan and its files; change replaces some.
func newPlace(dir string, store *storage.Store, change map[string]string) (place, error) {
	files := map[string]string{"plan.yaml": worldPlan, "taxonomy.yaml": worldTaxonomy, "rows.csv": "title\na\n", "gold.csv": csvOf(world{}.window(1000, 400), time.Time{}), "corrections.csv": csvOf(nil, time.Unix(0, 0))}
	for name, text := range change {
		files[name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return place{}, err
		}
	}
	return place{dir: dir, store: store}, nil
}

// refresh refreshes by a runner.
func (p place) refresh(ctx context.Context, by *toyRuns, now time.Time) (*refresh.Result, error) {
	plan, err := config.LoadPlan(filepath.Join(p.dir, "plan.yaml"))
	if err != nil {
		return nil, err
	}
	o, err := config.NewOptions(plan, config.Overrides{})
	if err != nil {
		return nil, err
	}
	lookup := graph.NewLookup(plan.Dir(), filepath.Join(p.dir, "cache"), true, now)
	g, err := graph.Compile(ctx, plan, graph.CompileOptions{Registry: all.All(), Options: o, Lookup: lookup})
	if err != nil {
		return nil, err
	}
	by.store, by.now = p.store, now
	for path, file := range g.Files() {
		if filepath.Base(path) == "gold.csv" {
			by.gold = file.Digest
		}
	}
	r := &refresh.Refresh{Store: p.store, Graph: g, Runner: by, Answerer: by, Log: slog.New(slog.DiscardHandler), Now: now, Who: "ann", Try: p.try, TTL: 2 * time.Second}
	return r.Run(ctx)
}

// open opens a store in a folder of a test, with the plan beside it.
func open(t *testing.T, change map[string]string) place {
	t.Helper()
	s, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p, err := newPlace(t.TempDir(), s, change)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
