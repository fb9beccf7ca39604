package answers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
)

// meddler is a context that acts once, when it is asked for the second time if it is over.
type meddler struct {
	context.Context
	asked int
	act   func()
}

func (m *meddler) Err() error {
	if m.asked++; m.asked == 2 {
		m.act()
	}
	return m.Context.Err()
}

// TestOpenAnswersWithWhatWasCompared: a file of a release folder that is written after it was
// compared with the manifest ends with code 9, and neither model nor keywords answer.
func TestOpenAnswersWithWhatWasCompared(t *testing.T) {
	dir := t.TempDir()
	taxonomy, thresholds := "categories:\n  - name: fire\n    rules: [{words: [fire]}]\n", "{}"
	manifest := fmt.Sprintf(`{"format":1,"files":{"taxonomy.yaml":{"sha256":"%x","size":%d},"thresholds.json":{"sha256":"%x","size":2}}}`,
		sha256.Sum256([]byte(taxonomy)), len(taxonomy), sha256.Sum256([]byte(thresholds)))
	for name, text := range map[string]string{"taxonomy.yaml": taxonomy, "thresholds.json": thresholds, "manifest.json": manifest} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Ref: dir, Device: "go", Log: slog.New(slog.DiscardHandler)}
	if _, fallback, done, err := Open(t.Context(), o); err != nil || fallback == nil {
		t.Fatalf("a whole folder without a model: %v, %v", fallback, err)
	} else {
		done()
	}
	// The digest of each file asks once: the second time, that of the first file is done.
	ctx := &meddler{Context: t.Context(), act: func() {
		path := filepath.Join(dir, "taxonomy.yaml")
		text := strings.Replace(taxonomy, "[fire]", "[calm]", 1)
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Error(err)
		}
	}}
	_, _, _, err := Open(ctx, o)
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeIntegrity || !strings.Contains(err.Error(), "taxonomy.yaml: changed while it was read") {
		t.Errorf("asked %d times: %v", ctx.asked, err)
	}
}

// TestOpenNeedsAWholeModel: a folder without manifest whose model has lost a file, or whose
// files are none of one model, ends with code 9, on a machine that could not run it either:
// no keywords answer for it. One that is made of rules alone lets them.
func TestOpenNeedsAWholeModel(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		wrong string // empty where keywords may answer
	}{
		"rules alone":  {nil, ""},
		"no weights":   {[]string{"config.json", "tokenizer.json"}, "model.safetensors"},
		"no config":    {[]string{"model.safetensors", "vocab.txt"}, "config.json"},
		"no tokenizer": {[]string{"config.json", "model.safetensors"}, "tokenizer.json or vocab.txt"},
		"no model":     {[]string{"config.json", "model.safetensors", "tokenizer.json"}, "it is an encoder, not a classifier"},
	} {
		dir := t.TempDir()
		for _, file := range append(c.files, "thresholds.json") {
			if err := os.WriteFile(filepath.Join(dir, file), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "taxonomy.yaml"), []byte("categories: [{name: fire, rules: [{words: [fire]}]}]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, fallback, done, err := Open(t.Context(), Options{Ref: dir, Device: "go", Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			done()
		}
		f, _ := errors.AsType[*stages.Failure](err)
		switch {
		case c.wrong == "" && (err != nil || fallback == nil):
			t.Errorf("%s: %v, %v", name, fallback, err)
		case c.wrong != "" && (f == nil || f.Code != stages.CodeIntegrity || f.Hint == "" || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, keywords answer for %v; want code 9 and %q", name, err, fallback, c.wrong)
		}
	}
}
