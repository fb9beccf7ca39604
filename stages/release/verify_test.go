package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

var published = map[string]string{
	"model.safetensors": "weights", "config.json": "{}", "tokenizer.json": "{}", "vocab.txt": "a\n",
	"taxonomy.yaml": "categories: []", "thresholds.json": "{}", "docs/card.md": "card",
}

// publishedFolder is a release folder with its manifest.
func publishedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	type entry struct {
		SHA256 string `json:"sha256"`
		Size   int    `json:"size"`
	}
	files := map[string]entry{}
	for name, text := range published {
		sum := sha256.Sum256([]byte(text))
		files[name] = entry{hex.EncodeToString(sum[:]), len(text)}
		write(t, dir, name, text)
	}
	data, err := json.Marshal(map[string]any{"format": 1, "files": files})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, manifestFile, string(data))
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, strict bool) (f *Folder, log string, err error) {
	t.Helper()
	var b strings.Builder
	f, err = OpenFolder(t.Context(), dir, "mem://", strict, &storage.Options{Log: slog.New(slog.NewTextHandler(&b, nil))})
	return f, b.String(), err
}

// damagedIn checks that an error ends with code 9 and names the file.
func damagedIn(t *testing.T, err error, name string) {
	t.Helper()
	f, ok := errors.AsType[*stages.Failure](err)
	if !ok || f.Code != stages.CodeIntegrity || !strings.Contains(err.Error(), "is damaged: "+name+": ") {
		t.Errorf("got %v, want damage of %s", err, name)
	}
}

// TestFolderIsWhatWasPublished: whatever differs from the manifest is named and refused, and
// what nobody reads may lie beside it.
func TestFolderIsWhatWasPublished(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(_ *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, filepath.FromSlash(name))) }
	}
	edit := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { remove(name)(t, dir); write(t, dir, name, text) }
	}
	for _, c := range []struct {
		what, file string
		bend       func(t *testing.T, dir string)
	}{
		{"other bytes", "model.safetensors", edit("model.safetensors", "wEights")},
		{"cut short", "model.safetensors", edit("model.safetensors", "weight")},
		{"longer", "docs/card.md", edit("docs/card.md", "card and more")},
		{"missing", "vocab.txt", remove("vocab.txt")},
		{"a folder in its place", "thresholds.json", func(t *testing.T, dir string) {
			remove("thresholds.json")(t, dir)
			write(t, dir, "thresholds.json/x", "")
		}},
		{"one more that is read", "tokenizer_config.json", edit("tokenizer_config.json", "{}")},
		{"manifest is no JSON", manifestFile, edit(manifestFile, "{")},
		{"manifest of something else", manifestFile, edit(manifestFile, `{"name":"an app"}`)},
		{"manifest of a later format", manifestFile, edit(manifestFile, `{"format":2,"files":{"a":{}}}`)},
		{"manifest names what lies outside", manifestFile, edit(manifestFile, `{"format":1,"files":{"../a":{}}}`)},
		{"manifest without the taxonomy", "config.json", edit(manifestFile, `{"format":1,"files":{"a":{}}}`)},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, strict := range []bool{false, true} {
				dir := publishedFolder(t)
				c.bend(t, dir)
				_, _, err := open(t, dir, strict)
				damagedIn(t, err, c.file)
			}
		})
	}
	dir := publishedFolder(t)
	write(t, dir, "notes.txt", "mine")
	f, log, err := open(t, dir, true)
	if err != nil || f.Dir != dir || f.Unchanged() != nil || log != "" {
		t.Errorf("a whole folder: %v, %v, log %s", f, err, log)
	}
}

// TestFolderWithoutManifest: it is used unchecked and the log says so; strict refuses it, and
// both one that is not there.
func TestFolderWithoutManifest(t *testing.T) {
	dir := publishedFolder(t)
	if err := os.Remove(filepath.Join(dir, manifestFile)); err != nil {
		t.Fatal(err)
	}
	if f, log, err := open(t, dir, false); err != nil || f.Unchanged() != nil || !strings.Contains(log, "unchecked") {
		t.Errorf("%v, log %s", err, log)
	}
	_, _, err := open(t, dir, true)
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeIntegrity || !strings.Contains(err.Error(), "no manifest.json") {
		t.Errorf("strict: %v", err)
	}
	for _, strict := range []bool{true, false} {
		_, _, err := open(t, filepath.Join(dir, "none"), strict)
		if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeEnvironment || !strings.Contains(err.Error(), "there is no such folder") {
			t.Errorf("no folder: %v", err)
		}
	}
}

// TestFolderThatChangesMeanwhile: what was read after the digests is what had them, or it is
// not used. Size and time of writing can be made to agree, another file put in the place.
func TestFolderThatChangesMeanwhile(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"written over": func(path string) error { return os.WriteFile(path, []byte("wEights"), 0o600) },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("wEights"), 0o600), os.Rename(path+".new", path))
		},
		"removed": os.Remove,
	} {
		dir := publishedFolder(t)
		path := filepath.Join(dir, "model.safetensors")
		f, _, err := open(t, dir, false)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		before, ok := ownership.IdentityOf(info)
		if !ok && what == "written over" {
			continue // only its time tells there, and that can be set
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		// The file system's clock may stand still for some milliseconds.
		for after := before; ok && after == before && os.Chtimes(path, info.ModTime(), info.ModTime()) == nil; {
			if info, err = os.Stat(path); err != nil {
				t.Fatal(err)
			}
			after, _ = ownership.IdentityOf(info)
		}
		t.Run(what, func(t *testing.T) { damagedIn(t, f.Unchanged(), "model.safetensors") })
	}
}

// TestDigestsCanBeInterrupted: weights may have GBs.
func TestDigestsCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OpenFolder(ctx, publishedFolder(t), "mem://", false, &storage.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestClassifierOfAWholeRelease: what has, or by its manifest had, a file of a model has them
// all; what never had one is whole.
func TestClassifierOfAWholeRelease(t *testing.T) {
	for name, c := range map[string]struct {
		files    string
		manifest string
		lost     string
	}{
		"rules alone":          {"", `{"format":1,"model":"","files":{"taxonomy.yaml":{}}}`, ""},
		"a model":              {"config.json model.safetensors tokenizer.json", "", ""},
		"a vocabulary":         {"config.json model.safetensors vocab.txt", "", ""},
		"no weights":           {"config.json tokenizer.json vocab.txt", "", "model.safetensors"},
		"no config":            {"model.safetensors tokenizer.json", "", "config.json"},
		"no tokenizer":         {"config.json model.safetensors", "", "tokenizer.json or vocab.txt"},
		"made of a model":      {"", `{"format":1,"model":"sha256:1","files":{"taxonomy.yaml":{}}}`, "config.json"},
		"listed with a model":  {"", `{"format":1,"files":{"model.safetensors":{}}}`, "config.json"},
		"of a broken manifest": {"", `{"format":1`, "manifest.json"},
		"of a forged line":     {"", `{"format":1,"files":{"a\nsprint: all is well":{}}}`, "manifest.json"},
	} {
		for _, model := range []string{"", "news"} { // a folder, and a release of a store
			f := &Folder{Dir: t.TempDir(), Name: "news@1", model: model}
			for _, file := range strings.Fields(c.files) {
				write(t, f.Dir, file, "{}")
			}
			if c.manifest != "" {
				write(t, f.Dir, manifestFile, c.manifest)
			}
			write(t, f.Dir, "taxonomy.yaml", "categories: [{name: fire, rules: [{words: [fire]}]}]")
			write(t, f.Dir, "thresholds.json", "{}")
			opened, err := f.Classifier()
			if c.lost != "" {
				damagedIn(t, err, c.lost)
			} else if err != nil || opened.Name != "news@1" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
