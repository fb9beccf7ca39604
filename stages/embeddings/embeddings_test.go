package embeddings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// bench is a store, and encoders on the Go device.
type bench struct {
	t     *testing.T
	store *storage.Store
	dev   *device.Device
	model *bert.Model
	log   bytes.Buffer
	note  Note
	// progress, if set, is told how many texts are computed.
	progress func(done int64)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	dev, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: store, dev: dev, model: tiny(t, bert.Mean, "")}
	if dev.Fingerprint() == "" {
		t.Skip("this machine's processor has no name")
	}
	return b
}

func tiny(t *testing.T, pooling, prefix string) *bert.Model {
	t.Helper()
	enc, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: pooling, HeadHidden: 1, MaxLength: 32, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if prefix != "" {
		m.Params[0].Data = slices.Clone(m.Params[0].Data)
		m.Params[0].Data[100]++
	}
	return m
}

// embed embeds titles in a new space, as a stage of its own would.
func (b *bench) embed(ctx context.Context, store *storage.Store, titles []string) ([][]float32, error) {
	b.t.Helper()
	b.log.Reset()
	s, err := Open(stages.Env{
		Store: store, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Progress: func(p stages.Progress) {
			if b.progress != nil {
				b.progress(p.Done)
			}
		},
		Note: func(_ string, v any) { b.note = v.(Note) },
	}, b.model, b.dev)
	if err != nil {
		b.t.Fatal(err)
	}
	defer s.Close()
	return s.Embed(ctx, bert.EncodeTexts(b.model, titles, func(title string) (string, string) { return title, "" }))
}

func titles(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("w%c%c w%c%c %s", 'a'+i%26%2, 'a'+i%26, 'a', 'a'+i/26%26, strings.Repeat("waa ", i%9))
	}
	return out
}

// TestNeverChangesResults: what the store has of vectors changes what is computed and
// nothing else. Without a store, with an empty one, one that has all, some, or damaged
// ones, every vector is the same to the byte.
func TestNeverChangesResults(t *testing.T) {
	b := newBench(t)
	all := titles(60)
	want, err := b.embed(t.Context(), nil, all)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, titles []string, computed int) {
		t.Helper()
		got, err := b.embed(t.Context(), b.store, titles)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, title := range titles {
			if !slices.Equal(got[i], want[slices.Index(all, title)]) {
				t.Fatalf("%s: text %d has another vector", name, i)
			}
		}
		if b.note.Computed != computed {
			t.Errorf("%s: %d texts computed, want %d\n%s", name, b.note.Computed, computed, b.log.String())
		}
	}
	try("an empty store", all[:40], 40)
	try("all are there", all[:40], 0)
	try("in another order, one twice", []string{all[7], all[3], all[7]}, 0)
	try("one more", all[:41], 1)
	try("two kept segments", all[:41], 0)
	var kept []Kept
	for k, err := range All(t.Context(), b.store) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	if len(kept) != 2 || kept[0].Space != b.note.Space || len(b.note.Space) != 64 {
		t.Fatalf("kept %+v, noted %+v", kept, b.note)
	}
	// The last byte of a vector is another one: its digest tells.
	for _, k := range kept {
		key, err := storage.BlobKey(k.Blob)
		if err != nil {
			t.Fatal(err)
		}
		data, err := b.store.ReadFile(t.Context(), key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)-1] ^= 0x40
		if err := b.store.WriteFile(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	try("damaged segments", all[:41], 41)
	if !strings.Contains(b.log.String(), "embedded again") {
		t.Errorf("nothing is said of the damage: %s", b.log.String())
	}
	try("after the damage", all, 19)
	for _, k := range kept {
		if err := b.store.WriteFile(t.Context(), k.Key, []byte("no record")); err != nil {
			t.Fatal(err)
		}
	}
	try("damaged records", all[:41], 0)
}

// TestSpaces: encoders and poolings have spaces of their own; equal encoders share one,
// whatever heads stand on them.
func TestSpaces(t *testing.T) {
	b := newBench(t)
	seen := map[string]string{}
	for name, m := range map[string]*bert.Model{"mean": tiny(t, bert.Mean, ""), "pooler": tiny(t, bert.Pooler, ""), "another weight": tiny(t, bert.Mean, "x")} {
		b.model = m
		if _, err := b.embed(t.Context(), b.store, titles(2)); err != nil {
			t.Fatal(err)
		}
		if other, doubled := seen[b.note.Space]; doubled || b.note.Computed != 2 {
			t.Errorf("%s shares the space of %q: %+v", name, other, b.note)
		}
		seen[b.note.Space] = name
	}
	b.model = tiny(t, bert.Mean, "")
	b.model.Spec.Categories = append(b.model.Spec.Categories, bert.Category{Name: "y", Tags: []string{""}})
	if _, err := b.embed(t.Context(), b.store, titles(2)); err != nil || seen[b.note.Space] != "mean" || b.note.Computed != 0 {
		t.Errorf("other heads: %+v, %v", b.note, err)
	}
}

// TestPromptIsAnotherText: the same title behind a prompt has a vector of its own, in the
// space of its encoder.
func TestPromptIsAnotherText(t *testing.T) {
	b := newBench(t)
	if _, err := b.embed(t.Context(), b.store, titles(4)); err != nil {
		t.Fatal(err)
	}
	space := b.note.Space
	b.model.Spec.Prompt = "waa wab "
	if _, err := b.embed(t.Context(), b.store, titles(4)); err != nil || b.note.Computed != 4 || b.note.Space != space {
		t.Errorf("%+v, %v", b.note, err)
	}
	if _, err := b.embed(t.Context(), b.store, titles(4)); err != nil || b.note.Computed != 0 || !strings.Contains(b.log.String(), "kept=4 computed=0") {
		t.Errorf("%+v, %v: %s", b.note, err, b.log.String())
	}
}

// TestInterrupted: what an attempt has computed when it is stopped, the next one finds.
func TestInterrupted(t *testing.T) {
	b := newBench(t)
	all := titles(300)
	ctx, stop := context.WithCancel(t.Context())
	b.progress = func(int64) { stop() }
	if _, err := b.embed(ctx, b.store, all); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	b.progress = nil
	if _, err := b.embed(t.Context(), b.store, all); err != nil || b.note.Computed == 0 || b.note.Computed >= b.note.Texts {
		t.Errorf("%+v, %v", b.note, err)
	}
}
