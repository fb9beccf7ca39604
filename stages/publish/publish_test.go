package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func put(t *testing.T, s *storage.Store, files map[string]string) storage.Artifact {
	t.Helper()
	var entries []storage.TreeEntry
	for p, text := range files {
		a, err := s.Put(t.Context(), strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: p, Digest: a.Digest, Size: a.Size})
	}
	a, err := s.PutTree(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func model(extra string) map[string]string {
	return map[string]string{"model.safetensors": "w" + extra, "config.json": "{}", "tokenizer.json": "{}", "vocab.txt": "a"}
}

func run(t *testing.T, s *storage.Store, files map[string]string, checks string) *stagetest.Result {
	t.Helper()
	m := put(t, s, files)
	return stagetest.Run(t, stagetest.Case{Kind: publish.Kind(), Options: &publish.Options{Name: "news", Alias: "latest"}, Store: s,
		Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte("categories: []")},
		Inputs: map[string]any{"model": m, "thresholds": `{"crime":0.5}`, "history": "[]",
			"metrics": `{"gold":{"rows":9,"macro_f1":0.5,"per_category":{"crime":{"f1":0.5,"support":8}}}}`,
			"checks":  strings.ReplaceAll(checks, "MODEL", m.Digest)}})
}

const passed = `{"passed":true,"model":"MODEL"}`

func TestPublish(t *testing.T) {
	s := stagetest.Store(t)
	first := run(t, s, model(""), passed)
	if first.Err != nil {
		t.Fatal(first.Err)
	}
	files := first.Tree(t, "release")
	want := "README.md config.json history.json manifest.json metrics.json model.py model.safetensors network.py taxonomy.yaml thresholds.json titles.py tokenizer.json vocab.txt"
	if got := strings.Join(stagetest.Paths(files), " "); got != want {
		t.Errorf("release holds %s, want %s", got, want)
	}
	if !strings.Contains(string(files["README.md"]), "| crime | 0.000 | 0.000 | 0.500 | 8 |") {
		t.Errorf("card: %s", files["README.md"])
	}
	var m struct {
		Files map[string]struct{ SHA256 string } `json:"files"`
	}
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil || len(m.Files) != len(files)-1 {
		t.Errorf("manifest: %v %s", err, files["manifest.json"])
	}
	again := run(t, s, model(""), passed)
	if again.Err != nil || again.Outputs["release"].Digest != first.Outputs["release"].Digest {
		t.Errorf("publishing again: %v", again.Err)
	}
	if r, err := models.In(s).Release(context.Background(), "news", "latest"); err != nil || r.Version != 1 || r.Digest != first.Outputs["release"].Digest {
		t.Errorf("%+v %v", r, err)
	}
	if r := run(t, s, model("2"), passed); r.Err != nil {
		t.Fatal(r.Err)
	}
	if r, err := models.In(s).Release(context.Background(), "news", "latest"); err != nil || r.Version != 2 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestOvertaken: a publisher that was paused before its last step does not move
// the alias back behind one that published meanwhile; publishing an earlier
// model on purpose does.
func TestOvertaken(t *testing.T) {
	dir, reads := t.TempDir(), 0
	other, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s, err := storage.Open(t.Context(), dir, &storage.Options{Around: func(_ context.Context, op, key string, call func() error) error {
		if op == "read" && key == "models/news/aliases/latest" {
			if reads++; reads == 2 {
				if r := run(t, other, model("2"), passed); r.Err != nil {
					t.Error(r.Err)
				}
			}
		}
		return call()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	latest := func(want int) {
		t.Helper()
		if r, err := models.In(other).Release(t.Context(), "news", "latest"); err != nil || r.Version != want {
			t.Errorf("latest is %+v, %v; want version %d", r, err, want)
		}
	}
	if r := run(t, s, model(""), passed); r.Err != nil || reads < 2 {
		t.Fatalf("%v; the alias was read %d times", r.Err, reads)
	}
	latest(2)
	if r := run(t, s, model(""), passed); r.Err != nil {
		t.Fatal(r.Err)
	}
	latest(1)
}

func TestRefused(t *testing.T) {
	broken := model("")
	delete(broken, "tokenizer.json")
	for name, c := range map[string]struct {
		files  map[string]string
		checks string
	}{
		"failed check": {model(""), `{"passed":false,"model":"MODEL","checks":[{"id":"macro_f1","message":"0.4 < 0.6"}]}`},
		"other model":  {model(""), `{"passed":true,"model":"sha256:00"}`},
		"no checks":    {model(""), `nonsense`},
		"no tokenizer": {broken, passed},
	} {
		s := stagetest.Store(t)
		r := run(t, s, c.files, c.checks)
		var f *stages.Failure
		if !errors.As(r.Err, &f) || f.Code != stages.CodePublish {
			t.Errorf("%s: %v", name, r.Err)
		}
		if list, err := models.In(s).Releases(context.Background(), "news"); err != nil || len(list) != 0 {
			t.Errorf("%s: published %v %v", name, list, err)
		}
	}
}

func TestCheck(t *testing.T) {
	if p := (&publish.Options{Name: "A b", Alias: "3"}).Check(); len(p) != 2 {
		t.Errorf("%v", p)
	}
}

// TestPublished: what the work of a manifest published is read from it alone, also
// where an earlier sprint noted no version.
func TestPublished(t *testing.T) {
	tree := "sha256:" + strings.Repeat("ab", 32)
	m := storage.Manifest{Preimage: []byte(`{"options":{"name":"news","alias":"latest"}}`), Outputs: []storage.Artifact{{Name: "release", Digest: tree}}, Notes: map[string]any{"release": "news@3"}}
	of := publish.Kind().Published
	if got, ok := of(m); !ok || got != (models.Publication{Name: "news", Version: 3, Digest: tree, Alias: "latest"}) {
		t.Errorf("published %+v, %v", got, ok)
	}
	m.Notes["release"] = "other@3"
	if got, ok := of(m); !ok || got.Version != 0 {
		t.Errorf("another's note: %+v, %v", got, ok)
	}
	m.Preimage = []byte(`{"options":{"name":"../x","alias":"latest"}}`)
	if got, ok := of(m); ok {
		t.Errorf("no name of a model: %+v", got)
	}
}

// TestExample: the text to try the model on is a labelled title of the test split, short
// enough to be typed; it is in the card and noted for the run's summary.
func TestExample(t *testing.T) {
	s := stagetest.Store(t)
	var b bytes.Buffer
	test := []rows.Row{
		{Title: strings.Repeat("long ", 20), Labels: []rows.Label{{Score: 1}}}, {Title: "nothing here", Labels: []rows.Label{{}}},
		{Title: "Printer on fire", Labels: []rows.Label{{Score: 1}}},
	}
	for i := range test {
		test[i].ID = strconv.Itoa(i)
	}
	if err := rows.WriteParquet(&b, test, []string{"crime"}); err != nil {
		t.Fatal(err)
	}
	m := put(t, s, model(""))
	r := stagetest.MustRun(t, stagetest.Case{Kind: publish.Kind(), Options: &publish.Options{Name: "desk", Alias: "latest"}, Store: s,
		Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte("categories: []")},
		Inputs: map[string]any{"model": m, "thresholds": `{}`, "history": "[]", "metrics": `{}`, "test": b.Bytes(),
			"checks": strings.ReplaceAll(passed, "MODEL", m.Digest)}})
	if r.Notes[stages.NoteExample] != "Printer on fire" || !strings.Contains(string(r.Tree(t, "release")["README.md"]), "--model desk 'Printer on fire'") {
		t.Errorf("noted %v in\n%s", r.Notes, r.Tree(t, "release")["README.md"])
	}
}
