package release

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestLocate: every way to name a release says the same store, name and version.
func TestLocate(t *testing.T) {
	for ref, want := range map[string][3]string{
		"news":                                   {"file:///s", "news", ""},
		"news@3":                                 {"file:///s", "news", "3"},
		"news@champion":                          {"file:///s", "news", "champion"},
		"s3://bucket/team/models/news":           {"s3://bucket/team", "news", ""},
		"s3://bucket/team/models/news/3":         {"s3://bucket/team", "news", "3"},
		"s3://bucket/models/news/champion/":      {"s3://bucket", "news", "champion"},
		"file:///home/someone/store/models/x/7":  {"file:///home/someone/store", "x", "7"},
		"file:///data/models/store/models/x/7":   {"file:///data/models/store", "x", "7"},
		"gs://bucket/models/a/models/b/models/x": {"gs://bucket/models/a/models/b", "x", ""},
		"s3://bucket/models/models/7":            {"s3://bucket", "models", "7"},
		"s3://bucket/models/x/7/files":           {"s3://bucket", "x", "7/files"},
	} {
		store, name, version, err := locate(ref, "file:///s")
		if got := [3]string{store, name, version}; got != want || err != nil {
			t.Errorf("%s: %v, want %v: %v", ref, got, want, err)
		}
	}
}

// TestIsFolder: no folder here stands in for a version or an alias of a store.
func TestIsFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"news@1", "other"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "config.json", "{}")
	}
	for ref, want := range map[string]bool{"news@1": false, "./news@1": true, "other": true, "news": false, "news@champion": false, "s3://b/models/news": false, "nothing/there": true} {
		if got := IsFolder(ref); got != want {
			t.Errorf("%s: %t", ref, got)
		}
	}
}

// TestOpenNothing: a reference that is a file or no model of the store is a failure of
// CodeEnvironment that says what would be one.
func TestOpenNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"plan.yaml", filepath.Join("mails", "plan.yaml")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := storage.Open(t.Context(), "store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree, err := s.PutTree(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mails", "news"} {
		if _, err := models.In(s).Publish(t.Context(), name, tree, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := models.In(s).Publish(t.Context(), "broken", tree, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join("store", "models", "broken", "1", "release.json")); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"mails/plan.yaml":            "mails/plan.yaml is a file; --model wants NAME, NAME@VERSION, NAME@ALIAS or a release folder",
		"plan.yaml":                  "plan.yaml is a file; --model wants",
		"mail":                       "did you mean mails?",
		"mail@2":                     "did you mean mails?",
		"tickets":                    "there are: broken, mails, news",
		"mails@7":                    "there are: version 1",
		"store/models/mails/1":       "name the store, --store " + filepath.Join(here, "store") + ", and the release in it, mails@1",
		"store/models/mails/1/files": "and the release in it, mails@1",
		"store/models/mails":         "and the release in it, mails",
		"broken@1":                   "no release of broken can be read",
	} {
		_, err := OpenFolder(t.Context(), ref, "store", false, &storage.Options{})
		f, ok := errors.AsType[*stages.Failure](err)
		if !ok || f.Code != stages.CodeEnvironment || !strings.Contains(f.Error()+"\n"+f.Hint, want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// TestUnnamedVersion: a model that is not there is named as it was asked for.
func TestUnnamedVersion(t *testing.T) {
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Find(t.Context(), s, "nope", ""); err == nil || !strings.Contains(err.Error(), "no model nope:") {
		t.Error(err)
	}
}

// TestRecordThatLies: a record that names the digest of one tree and lists the files of
// another is refused: whoever asked would be told of the one, and answered by the other.
func TestRecordThatLies(t *testing.T) {
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var releases [2]models.Release
	for i := range releases {
		a, err := s.Put(t.Context(), strings.NewReader(strings.Repeat("x", i)), "")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "taxonomy.yaml", Digest: a.Digest, Size: a.Size}})
		if err == nil {
			releases[i], err = models.In(s).Publish(t.Context(), "news", tree, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := Fetch(t.Context(), s, releases[0])
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	releases[0].Files = releases[1].Files
	_, err = Fetch(t.Context(), s, releases[0])
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeIntegrity || !strings.Contains(err.Error(), "news@1 is damaged: its record lists other files") {
		t.Errorf("got %v", err)
	}
}
