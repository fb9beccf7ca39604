package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
)

// inside runs the test in a folder that holds the files.
func inside(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return dir
}

func TestConfigDefaults(t *testing.T) {
	inside(t, nil)
	c, origin, err := config.LoadConfig(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Cache == "" || filepath.Base(c.Cache) != "sprint" {
		t.Errorf("cache is %q", c.Cache)
	}
	c.Cache = ""
	want := &config.Config{Store: ".sprint/store", Executor: "local", Device: "auto", Output: "auto", Parallel: 2}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, o := range origin {
		if o != (options.Origin{From: "default"}) {
			t.Errorf("%s comes from %+v", name, o)
		}
	}
	if len(origin) != 10 {
		t.Errorf("%d origins", len(origin))
	}
}

// TestEndpoints: a map may come from the file or, as YAML, from the environment.
func TestEndpoints(t *testing.T) {
	inside(t, map[string]string{"sprint.yaml": "endpoints: {chat: https://a/v1}\n"})
	for env, want := range map[string]string{"": "https://a/v1", "SPRINT_ENDPOINTS={chat: 'http://127.0.0.1:1/v1'}": "http://127.0.0.1:1/v1"} {
		c, _, err := config.LoadConfig(config.Source{Env: []string{env}})
		if err != nil || c.Endpoints["chat"] != want {
			t.Errorf("%q: %v, %v", env, c, err)
		}
	}
	if _, _, err := config.LoadConfig(config.Source{Env: []string{"SPRINT_ENDPOINTS=https://a/v1"}}); err == nil {
		t.Error("an address without a name is taken")
	}
}

func TestConfigChain(t *testing.T) {
	dir := inside(t, map[string]string{
		"plans/sprint.yaml": "store: near/store\noutput: plain\ndevice: go\nparallel: 3\nkeep_going: true\ndeadline: 1h\ncache:\nprofiles:\n  ci:\n    output: json\n    device: cpu\n    parallel: 4\n    store: s3://bucket\n  other: {output: tty}\n",
		"sprint.yaml":       "store: wrong\n",
		"named.yaml":        "store: /abs/store\n",
	})
	src := config.Source{
		PlanDir: "plans", Profile: "ci",
		Env:   []string{"HOME=/x", "SPRINT_DEVICE=cuda", "SPRINT_PARALLEL=5", "SPRINT_OFFLINE=", "SPRINT_SET_TRAIN__EPOCHS=1", "SPRINT_INPUTS=/in", "SPRINT_OUTPUTS=/out", "SPRINT_FILES=/f"},
		Flags: map[string]any{"parallel": int64(6)},
	}
	c, origin, err := config.LoadConfig(src)
	if err != nil {
		t.Fatal(err)
	}
	cache := c.Cache
	c.Cache = ""
	want := &config.Config{Store: "s3://bucket", Executor: "local", Device: "cuda", Output: "json", Parallel: 6, KeepGoing: true, Deadline: time.Hour}
	if diff := cmp.Diff(want, c); diff != "" || cache == "" {
		t.Errorf("cache %q (-want +got):\n%s", cache, diff)
	}
	file := filepath.Join("plans", "sprint.yaml")
	wantOrigin := map[string]options.Origin{
		"store":      {From: "profile ci", Pos: diagnostic.Position{File: file, Line: 13, Col: 12}},
		"executor":   {From: "default"},
		"device":     {From: "env", Pos: diagnostic.Position{File: "environment variable SPRINT_DEVICE"}},
		"output":     {From: "profile ci", Pos: diagnostic.Position{File: file, Line: 10, Col: 13}},
		"cache":      {From: "default"},
		"parallel":   {From: "flag", Pos: diagnostic.Position{File: "--parallel"}},
		"keep_going": {From: "file", Pos: diagnostic.Position{File: file, Line: 5, Col: 13}},
		"deadline":   {From: "file", Pos: diagnostic.Position{File: file, Line: 6, Col: 11}},
		"offline":    {From: "default"},
		"endpoints":  {From: "default"},
	}
	if diff := cmp.Diff(wantOrigin, origin); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	// Without the profile the store is beside the file that names it.
	c, _, err = config.LoadConfig(config.Source{PlanDir: "plans"})
	if err != nil || c.Store != filepath.Join("plans", "near", "store") || c.Parallel != 3 {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, _, err = config.LoadConfig(config.Source{PlanDir: "plans", File: "named.yaml"}); err != nil || c.Store != "/abs/store" || c.Device != "auto" {
		t.Errorf("--config replaces the file that is found: %+v, %v", c, err)
	}
	if c, _, err = config.LoadConfig(config.Source{PlanDir: "elsewhere"}); err != nil || c.Store != "wrong" {
		t.Errorf("the working directory comes next: %+v, %v", c, err)
	}
	// A text is taken as it is, whatever YAML would make of it.
	if c, _, err = config.LoadConfig(config.Source{Env: []string{"SPRINT_STORE=2024", "SPRINT_CACHE=~"}}); err != nil || c.Store != "2024" || c.Cache != filepath.Join(dir, "~") {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestCachePath: a relative cache is a folder beside the file that names it, or in
// the working directory, and its path comes out absolute.
func TestCachePath(t *testing.T) {
	dir := inside(t, map[string]string{"plans/sprint.yaml": "cache: ./cc\nprofiles: {ci: {cache: ../ci}, abs: {cache: /abs}}\n", "plans/plan.yaml": ""})
	for want, src := range map[string]config.Source{
		"plans/cc": {PlanDir: "plans"},
		"ci":       {PlanDir: "plans", Profile: "ci"},
		"env":      {PlanDir: "plans", Env: []string{"SPRINT_CACHE=./env"}},
		"flag":     {PlanDir: "plans", Env: []string{"SPRINT_CACHE=env"}, Flags: map[string]any{"cache": "flag"}},
	} {
		c, _, err := config.LoadConfig(src)
		if err != nil || c.Cache != filepath.Join(dir, filepath.FromSlash(want)) {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
	if c, _, err := config.LoadConfig(config.Source{PlanDir: "plans", Profile: "abs"}); err != nil || c.Cache != "/abs" && filepath.Separator == '/' {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestConfigMistakes(t *testing.T) {
	var b strings.Builder
	t.Run("messages", func(t *testing.T) { configMistakes(t, &b) }) // it changes the folder
	configtest.Golden(t, "config.txt", b.String())
}

func configMistakes(t *testing.T, b *strings.Builder) {
	inside(t, map[string]string{
		"keys.yaml":     "stor: x\nparallel: many\nprofiles:\n  ci: {devise: cpu}\n",
		"values.yaml":   "parallel: 0\noutput: jsn\ndeadline: 5\nkeep_going: 1\nstore: [a]\n",
		"profiles.yaml": "profiles: [ci]\n",
		"list.yaml":     "[a]",
		"empty.yaml":    "",
		"ci.yaml":       "profiles: {ci: 3, cj: {deadline: -1s}}",
		"syntax.yaml":   "store: {",
	})
	for _, c := range []struct {
		name string
		src  config.Source
	}{
		{"unknown keys, also in a profile that is used", config.Source{File: "keys.yaml", Profile: "ci"}},
		{"wrong values", config.Source{File: "values.yaml"}},
		{"profiles are no map", config.Source{File: "profiles.yaml"}},
		{"no map", config.Source{File: "list.yaml"}},
		{"profile without profiles", config.Source{File: "empty.yaml", Profile: "ci"}},
		{"profile without a file", config.Source{Profile: "ci"}},
		{"profile is no map", config.Source{File: "ci.yaml", Profile: "cj"}},
		{"profile misspelt", config.Source{File: "keys.yaml", Profile: "cl"}},
		{"syntax", config.Source{File: "syntax.yaml"}},
		{"missing", config.Source{File: "missing.yaml"}},
		{"variable", config.Source{Env: []string{"SPRINT_DEVCE=cpu"}}},
		{"value of a variable", config.Source{Env: []string{"SPRINT_PARALLEL=[1"}}},
		{"range of a variable", config.Source{Env: []string{"SPRINT_PARALLEL=1000"}}},
		{"flag", config.Source{Flags: map[string]any{"output": "yaml", "keep_going": "si"}}},
	} {
		_, _, err := config.LoadConfig(c.src)
		var usage *diagnostic.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%s: got %v, want a usage error", c.name, err)
			continue
		}
		b.WriteString("# " + c.name + "\n" + err.Error() + "\n")
	}
}
