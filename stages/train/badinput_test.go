package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

func TestBadInput(t *testing.T) {
	dir := encodertest.Tiny(t)
	long := headlines(96, 1)
	long[3].Title = strings.Repeat("waa wab ", 50_000)
	long[4].Title = strings.Repeat("x", 1_000_000)
	for name, c := range map[string]struct {
		change func(*Options)
		train  []rows.Row
		code   stages.Code // 0 succeeds
		says   string
	}{
		"a word count of 100,000": {train: long},
		"one row":                 {train: headlines(1, 1), code: stages.CodeStage, says: "all of one class"},
		"two rows":                {train: headlines(2, 1)},
		"a tag outside": {train: []rows.Row{{Title: "waa", Labels: []rows.Label{{Score: 1, Tag: "arson"}, {}}}},
			code: stages.CodeStage, says: `the tag "arson", which category crime does not have`},
		"a rate that overflows": {train: headlines(96, 1), change: func(o *Options) { o.LearningRate, o.Clip, o.Warmup = 1e30, 0, 0 },
			code: stages.CodeStage, says: "the batch holds"},
		"a diverging rate": {train: headlines(96, 1), change: func(o *Options) {
			o.LearningRate, o.Clip, o.Epochs, o.Checkpoint, o.TagLoss = 20, 0, 10, 2, "all"
		}, code: stages.CodeStage, says: "diverges"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(dir)
			o.Epochs = 2
			if c.change != nil {
				c.change(o)
			}
			a := attempt(t, o)
			a.Inputs["train"] = parquet(t, c.train)
			r := stagetest.Run(t, a)
			if c.code == 0 {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				return
			}
			if f := failure(t, r.Err); f.Code != c.code || !strings.Contains(f.Error(), c.says) || f.Hint == "" {
				t.Errorf("code %d: %v (%s)", f.Code, f, f.Hint)
			}
		})
	}
}

// TestBadEncoder: files of which each looks whole, but which do not fit each
// other, and one that is cut short.
func TestBadEncoder(t *testing.T) {
	edit := func(name string, f func([]byte) []byte) func(dir string) {
		return func(dir string) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), f(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(old, with string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
	}
	for name, c := range map[string]struct {
		damage     func(dir string)
		says, hint string
	}{
		"config of another": {edit("config.json", replace(`"hidden_size":32`, `"hidden_size":64`)), "config.json asks for [64]", "of one encoder"},
		"larger vocabulary": {edit("vocab.txt", func(b []byte) []byte { return append(b, "more\nwords\n"...) }), "the tokenizer has 66 ids, the embedding table 64 rows", "of one encoder"},
		"half the weights":  {edit("model.safetensors", func(b []byte) []byte { return b[:len(b)/2] }), "cut short", "fetch it again"},
	} {
		dir := encodertest.Tiny(t)
		c.damage(dir)
		r := stagetest.Run(t, attempt(t, options(dir)))
		if f := failure(t, r.Err); f.Code != stages.CodeIntegrity || !strings.Contains(f.Error(), c.says) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: code %d: %v (%s)", name, f.Code, f, f.Hint)
		}
	}
}

// edited is a store of checkpoints whose files a newer sprint, or another plan,
// has written.
type edited struct {
	stages.Checkpoints
	file string
	edit func(map[string]any)
}

func (e edited) Restore(ctx context.Context, dir string, usable func(int64) error) (int64, error) {
	return e.Checkpoints.Restore(ctx, dir, func(step int64) error {
		path := filepath.Join(dir, e.file)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		e.edit(all)
		if data, err = json.Marshal(all); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
		return usable(step)
	})
}

// TestNewerCheckpoint: a checkpoint of another format is passed over with a
// warning, whatever else stands in it.
func TestNewerCheckpoint(t *testing.T) {
	dir := encodertest.Tiny(t)
	for name, e := range map[string]edited{
		"format": {file: "trainer.json", edit: func(m map[string]any) { m["format"], m["step"] = 99, "twelve" }},
		"step":   {file: "trainer.json", edit: func(m map[string]any) { m["step"] = 1 << 40 }},
		"data":   {file: "trainer.json", edit: func(m map[string]any) { m["data"] = "sha256:0" }},
		"loop":   {file: "loop.json", edit: func(m map[string]any) { m["history"] = 7 }},
	} {
		store := stagetest.Store(t)
		first := attempt(t, options(dir))
		first.Store = store
		want := stagetest.MustRun(t, first)
		second := attempt(t, options(dir))
		second.Store = store
		env := second.Env
		once := false
		second.Env = func(x *stages.Env) {
			env(x)
			plain := x.Checkpoints
			e.Checkpoints = plain
			x.Checkpoints = firstOnly{edited: e, plain: plain, once: &once}
		}
		r := stagetest.MustRun(t, second)
		if !strings.Contains(r.Log, "checkpoint is not used") || r.Notes["resumed"] != nil || r.Outputs["model"].Digest != want.Outputs["model"].Digest {
			t.Errorf("%s: %v\n%s", name, r.Notes["resumed"], r.Log)
		}
	}
}

// firstOnly edits what the first Restore finds.
type firstOnly struct {
	edited
	plain stages.Checkpoints
	once  *bool
}

func (f firstOnly) Restore(ctx context.Context, dir string, usable func(int64) error) (int64, error) {
	if *f.once {
		return f.plain.Restore(ctx, dir, usable)
	}
	*f.once = true
	return f.edited.Restore(ctx, dir, usable)
}

// TestFullDiskLater: a disk that fills up at any moment of a training ends it
// with the store's class, and once there is room the same command goes on to the
// same bytes.
func TestFullDiskLater(t *testing.T) {
	dir := encodertest.Tiny(t)
	injector := faults.New(nil)
	run := func(root string, injector *faults.Injector) *stagetest.Result {
		s, err := storage.Open(t.Context(), "file://"+root, &storage.Options{Around: injector.Around, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		o := options(dir)
		o.Epochs, o.Checkpoint = 2, 3
		a := attempt(t, o)
		a.Store = s
		return stagetest.Run(t, a)
	}
	want := run(t.TempDir(), injector)
	if want.Err != nil {
		t.Fatal(want.Err)
	}
	var saves []int // operations that write a part of a checkpoint
	for _, op := range injector.Ops() {
		if strings.HasPrefix(op.Key, "checkpoints/") && op.Op != "list" && op.Op != "open" {
			saves = append(saves, op.N, op.N-1)
		}
	}
	if len(saves) < 6 {
		t.Fatalf("operations %v", injector.Ops())
	}
	for _, n := range saves[:6] {
		full := faults.New(func(i int) faults.Mode {
			if i >= n {
				return faults.ErrorBefore
			}
			return faults.None
		})
		full.Err = faults.Causes()["enospc"]
		root := t.TempDir()
		if r := run(root, full); !errors.Is(r.Err, storage.ErrFull) || !strings.Contains(r.Err.Error(), "no space left") {
			t.Fatalf("full from operation %d on: %v", n, r.Err)
		}
		r := run(root, faults.New(nil))
		if r.Err != nil || r.Outputs["model"].Digest != want.Outputs["model"].Digest || r.Outputs["history"].Digest != want.Outputs["history"].Digest {
			t.Errorf("full from operation %d on, then continued: %v, model %s", n, r.Err, r.Outputs["model"].Digest)
		}
	}
}
