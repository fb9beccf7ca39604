package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	want := &config.Config{Store: ".sprint/store", Executor: "auto", Device: "auto", Output: "auto", Parallel: 2}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, o := range origin {
		if o != (options.Origin{From: "default"}) {
			t.Errorf("%s comes from %+v", name, o)
		}
	}
	if len(origin) != 16 {
		t.Errorf("%d origins", len(origin))
	}
}

// TestEndpoints: a map may come from a file that is the user's own or named, or, as YAML,
// from the environment.
func TestEndpoints(t *testing.T) {
	inside(t, map[string]string{"user.yaml": "endpoints: {chat: https://a/v1}\n", "sprint.yaml": "endpoints: {chat: https://b/v1}\n"})
	for want, src := range map[string]config.Source{
		"https://b/v1":          {User: "user.yaml", File: "sprint.yaml"},
		"http://127.0.0.1:1/v1": {User: "user.yaml", File: "sprint.yaml", Env: []string{"SPRINT_ENDPOINTS={chat: 'http://127.0.0.1:1/v1'}"}},
	} {
		if c, _, err := config.LoadConfig(src); err != nil || c.Endpoints["chat"] != want {
			t.Errorf("%q: %v, %v", want, c, err)
		}
	}
	if _, _, err := config.LoadConfig(config.Source{File: "user.yaml", Env: []string{"SPRINT_ENDPOINTS=https://a/v1"}}); err == nil {
		t.Error("an address without a name is taken")
	}
}

// TestAFolderChoosesNoCode: a file that lies beside the plan or in the working directory
// sets neither cache, endpoints nor the store's keys, in no section; the same file that is named does. It is
// told of when it is used.
func TestAFolderChoosesNoCode(t *testing.T) {
	inside(t, map[string]string{
		"user.yaml":         "cache: /user/cache\ndevice: go\nprofiles: {far: {cache: /user/far}}\n",
		"plans/sprint.yaml": "device: cpu\nprofiles: {ci: {cache: /evil}, far: {parallel: 7}}\n",
		"sprint.yaml":       "parallel: 3\ncache: /evil\nendpoints: {chat: https://evil/v1}\nstore_key: file:evil\nstore_keys_accepted: [file:evil]\nmodel_keys: [evil.pub]\nmodel_keys_revoked: []\n",
	})
	var found []string
	load := func(src config.Source) (*config.Config, map[string]options.Origin, error) {
		found = nil
		src.User, src.Found = "user.yaml", func(path string) { found = append(found, path) }
		return config.LoadConfig(src)
	}
	for where, src := range map[string]config.Source{
		"sprint.yaml:2:1: cache":                      {},
		"sprint.yaml:3:1: endpoints":                  {PlanDir: "elsewhere"},
		"sprint.yaml:4:1: store_key":                  {},
		"sprint.yaml:5:1: store_keys_accepted":        {},
		"sprint.yaml:6:1: model_keys":                 {},
		"sprint.yaml:7:1: model_keys_revoked":         {},
		"plans/sprint.yaml:2:17: profiles.ci.cache: ": {PlanDir: "plans", Profile: "ci"},
	} {
		_, _, err := load(src)
		var usage *diagnostic.UsageError
		if !errors.As(err, &usage) || !strings.Contains(filepath.ToSlash(err.Error()), where) || !strings.Contains(err.Error(), "put it into user.yaml") || len(found) != 1 {
			t.Errorf("%s: %v; found %q", where, err, found)
		}
	}
	// The file of the plan stands before that of the working directory, and over the user's.
	c, origin, err := load(config.Source{PlanDir: "plans"})
	if err != nil || c.Device != "cpu" || c.Cache != filepath.FromSlash("/user/cache") || origin["cache"].From != "user file" || len(found) != 1 || filepath.ToSlash(found[0]) != "plans/sprint.yaml" {
		t.Errorf("%+v, %+v, %v; found %q", c, origin["cache"], err, found)
	}
	// A profile may stand in either, or in both.
	if c, origin, err = load(config.Source{PlanDir: "plans", Profile: "far"}); err != nil || c.Parallel != 7 || c.Cache != filepath.FromSlash("/user/far") || origin["cache"].From != "profile far" {
		t.Errorf("%+v, %+v, %v", c, origin["cache"], err)
	}
	if c, _, err = load(config.Source{File: "sprint.yaml"}); err != nil || c.Cache != filepath.FromSlash("/evil") || c.Endpoints["chat"] == "" || len(found) != 0 {
		t.Errorf("a file that is named: %+v, %v; found %q", c, err, found)
	}
	if c, _, err = config.LoadConfig(config.Source{PlanDir: "plans", User: "missing.yaml"}); err != nil || c.Device != "cpu" {
		t.Errorf("without a file of the user: %+v, %v", c, err)
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
	want := &config.Config{Store: "s3://bucket", Executor: "auto", Device: "cuda", Output: "json", Parallel: 6, KeepGoing: true, Deadline: time.Hour}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(config.Config{})); diff != "" || cache == "" {
		t.Errorf("cache %q (-want +got):\n%s", cache, diff)
	}
	file := filepath.Join("plans", "sprint.yaml")
	wantOrigin := map[string]options.Origin{
		"store":     {From: "profile ci", Pos: diagnostic.Position{File: file, Line: 13, Col: 12}},
		"store_key": {From: "default"}, "store_keys_accepted": {From: "default"}, "model_keys": {From: "default"}, "model_keys_revoked": {From: "default"},
		"executor":   {From: "default"},
		"device":     {From: "env", Pos: diagnostic.Position{File: "environment variable SPRINT_DEVICE"}},
		"output":     {From: "profile ci", Pos: diagnostic.Position{File: file, Line: 10, Col: 13}},
		"cache":      {From: "default"},
		"parallel":   {From: "flag", Pos: diagnostic.Position{File: "--parallel"}},
		"keep_going": {From: "file", Pos: diagnostic.Position{File: file, Line: 5, Col: 13}},
		"deadline":   {From: "file", Pos: diagnostic.Position{File: file, Line: 6, Col: 11}},
		"max_cost":   {From: "default"},
		"offline":    {From: "default"},
		"endpoints":  {From: "default"},
		"executors":  {From: "default"},
	}
	if diff := cmp.Diff(wantOrigin, origin); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	// Without the profile the store is beside the file that names it.
	c, _, err = config.LoadConfig(config.Source{PlanDir: "plans"})
	if err != nil || c.Store != filepath.Join("plans", "near", "store") || c.Parallel != 3 {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, _, err = config.LoadConfig(config.Source{PlanDir: "plans", File: "named.yaml"}); err != nil || c.Store != "/abs/store" && filepath.Separator == '/' || c.Device != "auto" {
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
	dir := inside(t, map[string]string{"plans/named.yaml": "cache: ./cc\nprofiles: {ci: {cache: ../ci}, abs: {cache: /abs}}\n"})
	named := filepath.Join("plans", "named.yaml")
	for want, src := range map[string]config.Source{
		"plans/cc": {File: named},
		"ci":       {User: named, Profile: "ci"},
		"env":      {File: named, Env: []string{"SPRINT_CACHE=./env"}},
		"flag":     {File: named, Env: []string{"SPRINT_CACHE=env"}, Flags: map[string]any{"cache": "flag"}},
	} {
		c, _, err := config.LoadConfig(src)
		if err != nil || c.Cache != filepath.Join(dir, filepath.FromSlash(want)) {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
	if c, _, err := config.LoadConfig(config.Source{File: named, Profile: "abs"}); err != nil || c.Cache != "/abs" && filepath.Separator == '/' {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestStoreKeys: the keys of a store are references, and a file is one beside the
// config that names it.
func TestStoreKeys(t *testing.T) {
	inside(t, map[string]string{"own/config.yaml": "store_key: file:new.key\nstore_keys_accepted: [file:/abs/old.key, 'env:OLD']\nprofiles: {one: {store_keys_accepted: 'file:old.key'}}\n"})
	own := config.Source{User: "own/config.yaml"}
	c, _, err := config.LoadConfig(own)
	if err != nil || c.StoreKey != "file:"+filepath.Join("own", "new.key") || !slices.Equal(c.StoreKeysAccepted, []string{"file:/abs/old.key", "env:OLD"}) && filepath.Separator == '/' {
		t.Errorf("%+v, %v", c, err)
	}
	own.Profile, own.Env = "one", []string{"SPRINT_STORE_KEY=file:new.key"}
	c, _, err = config.LoadConfig(own)
	if err != nil || c.StoreKey != "file:new.key" || !slices.Equal(c.StoreKeysAccepted, []string{"file:" + filepath.Join("own", "old.key")}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, env := range []string{"SPRINT_STORE_KEY=hunter2hunter2", "SPRINT_STORE_KEYS_ACCEPTED=[hunter2hunter2]"} {
		if _, _, err := config.LoadConfig(config.Source{Env: []string{env}}); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "env:NAME") {
			t.Errorf("%s: %v", env, err)
		}
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

		"hostile/sprint.yaml": "cache: ./c\nendpoints: {chat: https://a/v1}\n",
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
		{"cache of a folder", config.Source{PlanDir: "hostile", User: "home.yaml"}},
		{"user's own file", config.Source{User: "keys.yaml"}},
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
