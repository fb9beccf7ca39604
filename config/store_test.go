//go:build unix

package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sprint-ml/sprint/config"
)

// TestFindStore: the nearest store counts, one of another user never does, and
// looking makes nothing.
func TestFindStore(t *testing.T) {
	root := os.Geteuid() == 0
	for name, c := range map[string]struct {
		folders []string // that are there
		others  []string // of these, those that another user owns
		links   map[string]string
		want    config.FoundStore
	}{
		"none":           {nil, nil, nil, config.FoundStore{Path: ".sprint/store"}},
		"here":           {[]string{"a/b/.sprint/store", "a/.sprint/store"}, nil, nil, config.FoundStore{Path: ".sprint/store", There: true}},
		"above":          {[]string{"a/.sprint/store", ".sprint/store"}, nil, nil, config.FoundStore{Path: "../.sprint/store", There: true}},
		"far above":      {[]string{".sprint/store"}, nil, nil, config.FoundStore{Path: "../../.sprint/store", There: true}},
		"no store in it": {[]string{"a/b/.sprint", "a/.sprint/store"}, nil, nil, config.FoundStore{Path: "../.sprint/store", There: true}},
		"not mine":       {[]string{"a/.sprint/store", ".sprint/store"}, []string{"a/.sprint/store"}, nil, config.FoundStore{Path: "../../.sprint/store", There: true, Foreign: []string{"../.sprint/store"}}},
		"not my folder":  {[]string{"a/.sprint/store"}, []string{"a/.sprint"}, nil, config.FoundStore{Path: ".sprint/store", Foreign: []string{"../.sprint/store"}}},
		"not mine, here": {[]string{"a/b/.sprint/store"}, []string{"a/b/.sprint/store"}, nil, config.FoundStore{Path: ".sprint/store", Foreign: []string{".sprint/store"}}},
		"another's link": {[]string{"mine/store"}, []string{"a/.sprint"}, map[string]string{"a/.sprint": "../mine"}, config.FoundStore{Path: ".sprint/store", Foreign: []string{"../.sprint/store"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.others) > 0 && !root {
				t.Skip("only root gives files away")
			}
			top := inside(t, map[string]string{"a/b/plan.yaml": ""})
			for _, f := range c.folders {
				if err := os.MkdirAll(f, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for link, to := range c.links {
				if err := os.Symlink(to, link); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range c.others {
				if err := os.Lchown(f, 12345, -1); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(filepath.Join(top, "a", "b"))
			got := config.FindStore("")
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(config.FoundStore{}, "From")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want := len(got.Foreign) > 0 && got.Foreign[0] == ".sprint/store"; got.Refused() != want {
				t.Errorf("refused: %v", got.Refused())
			}
			if _, err := os.Stat(".sprint"); err == nil && !got.There && len(got.Foreign) == 0 {
				t.Error("looking made a folder")
			}
		})
	}
}
