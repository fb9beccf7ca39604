package models

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// TestFacts: what a store says of the run that published is a run's name, or nothing.
func TestFacts(t *testing.T) {
	for run, want := range map[string]string{
		"20261130-212231-16efa817": "20261130-212231-16efa817", "": "",
		"x; rm -rf ~": "", "../../x": "", "a/b": "", "\x1b]0;x": "", "x\ny": "",
	} {
		meta, err := json.Marshal(map[string]string{"run": run, "stage": "publish"})
		if err != nil {
			t.Fatal(err)
		}
		r := Release{Meta: meta}
		if f := r.Facts(); f.Run != want || f.Stage != "publish" {
			t.Errorf("%q: %+v", run, f)
		}
	}
}

// TestAliasOfNothing: an alias whose release is gone is damaged, and no other answers for it:
// neither latest for the champion, nor what takes over where there never was a release.
func TestAliasOfNothing(t *testing.T) {
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := In(s)
	for _, text := range []string{"one", "two"} {
		a, err := s.Put(t.Context(), strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "file", Digest: a.Digest, Size: a.Size}})
		if err == nil {
			_, err = r.Publish(t.Context(), "news", tree, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	names := func(what string, version int, class error) {
		t.Helper()
		if there, err := r.Release(t.Context(), "news", what); there.Version != version || !errors.Is(err, class) {
			t.Errorf("%q is version %d, %v; want %d, %v", what, there.Version, err, version, class)
		}
	}
	set := func(alias string, version int) {
		t.Helper()
		if err := r.SetAlias(t.Context(), "news", alias, version); err != nil {
			t.Fatal(err)
		}
	}
	names("", 0, storage.ErrNotFound)
	set(Latest, 2)
	names("", 2, nil)
	set(Champion, 1)
	names("", 1, nil)
	if err := s.Sweep(t.Context(), "models/news/1/release.json"); err != nil {
		t.Fatal(err)
	}
	names("", 0, storage.ErrCorrupt)
	names(Champion, 0, storage.ErrCorrupt)
	names("1", 0, storage.ErrNotFound)
	names(Latest, 2, nil)
}
