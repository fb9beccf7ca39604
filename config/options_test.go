package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
)

func TestChainOfOptions(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := write("first.yaml", "work:\n  epochs: 20\n  seed: 20\n  ratios: {test: 0.2}\n")
	second := write("second.yaml", "work:\n  seed: 30\n  files: {paths: v.jsonl}\n")
	plan := configtest.PlanOf("epochs: 10\nseed: 10\nrate: 0.5\nstrict: false\nratios: {train: 0.6, test: 0.4}\nfiles: {paths: p.jsonl, format: csv}")
	var s configtest.Sample
	d, err := configtest.Options(t, plan, config.Overrides{
		Values: []string{first, second},
		Env:    []string{"PATH=/bin", "SPRINT_STORE=x", "SPRINT_SET_WORK__SEED=40", "SPRINT_SET_WORK__RATIOS__TRAIN=0.8", "SPRINT_SET_WORK__RATE=0.25"},
		Set:    []string{"work.seed=49", "work.seed=50", "work.labels={a: x}", "work.labels.b=y"},
	}).Decode("work", &s)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{"epochs": s.Epochs, "seed": s.Seed, "rate": s.Rate, "strict": s.Strict, "train": s.Ratios.Train, "test": s.Ratios.Test, "labels": s.Labels, "paths": s.Files.Paths, "format": s.Files.Format, "freeze": s.Freeze}
	want := map[string]any{"epochs": 20, "seed": int64(50), "rate": 0.25, "strict": false, "train": 0.8, "test": 0.2, "labels": map[string]string{"a": "x", "b": "y"}, "paths": []string{filepath.Join(dir, "v.jsonl")}, "format": "csv", "freeze": "auto"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	from := map[string]options.Origin{}
	for _, p := range []string{"epochs", "seed", "rate", "strict", "ratios.train", "ratios.test", "files.paths", "files.format", "freeze"} {
		from[p] = d.Origin[p]
	}
	origins := map[string]options.Origin{
		"epochs":       {From: "values", Pos: diagnostic.Position{File: first, Line: 2, Col: 11}},
		"seed":         {From: "set", Pos: diagnostic.Position{File: "--set work.seed=50"}},
		"rate":         {From: "env", Pos: diagnostic.Position{File: "environment variable SPRINT_SET_WORK__RATE"}},
		"strict":       {From: "plan", Pos: diagnostic.Position{File: "dir/plan.yaml", Line: 8, Col: 15}},
		"ratios.train": {From: "env", Pos: diagnostic.Position{File: "environment variable SPRINT_SET_WORK__RATIOS__TRAIN"}},
		"ratios.test":  {From: "values", Pos: diagnostic.Position{File: first, Line: 4, Col: 18}},
		"files.paths":  {From: "values", Pos: diagnostic.Position{File: second, Line: 3, Col: 18}},
		"files.format": {From: "plan", Pos: diagnostic.Position{File: "dir/plan.yaml", Line: 10, Col: 39}},
		"freeze":       {From: "default"},
	}
	if diff := cmp.Diff(origins, from); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// TestOverridesLeaveThePlanAlone: the plan's own options must not change when
// a stronger layer is merged over them, or a second use would see them.
func TestOverridesLeaveThePlanAlone(t *testing.T) {
	p, err := config.ParsePlan("plan.yaml", []byte(configtest.PlanOf("ratios: {train: 0.6}\nseed: 1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range [][]string{{"work.ratios.train=0.9", "work.seed=9"}, nil} {
		c, err := config.NewOptions(p, config.Overrides{Set: set})
		if err != nil {
			t.Fatal(err)
		}
		var s configtest.Sample
		if _, err := c.Decode("work", &s); err != nil {
			t.Fatal(err)
		}
		if set == nil && (s.Ratios.Train != 0.6 || s.Seed != 1) {
			t.Errorf("the plan now has %+v, seed %d", s.Ratios, s.Seed)
		}
	}
}

func TestSetMistakes(t *testing.T) {
	p, err := config.ParsePlan("plan.yaml", []byte("name: p\nstages:\n  - name: fetch\n  - name: near-dup\n"))
	if err != nil {
		t.Fatal(err)
	}
	long := "fetch.text=" + strings.Repeat("x", 5000) + ": : ["
	_, err = config.NewOptions(p, config.Overrides{Set: []string{"fetch", "fetch=1", "fetch.", ".a=1", "fetch..a=1", "fecth.a=1", "fetch.a=[1", "fetch.a=*x", "fetch.a=&x 1", "fetch.a=!t 1", "fetch.a={b: 1, b: 2}", "", long}})
	var errs diagnostic.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("want Errors, got %v", err)
	}
	configtest.Golden(t, "set.txt", errs.Error()+"\n")
}

func TestEnvironmentMistakes(t *testing.T) {
	p, err := config.ParsePlan("plan.yaml", []byte("name: p\nstages:\n  - name: near-dup\n  - name: near_dup\n  - name: hard-neg\n"))
	if err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{
		"SPRINT_SET_NEAR_DUP__A=1":       "near-dup and near_dup",
		"SPRINT_SET_OTHER__A=1":          `no stage "other"`,
		"SPRINT_SET_HARD_NEG=1":          "SPRINT_SET_STAGE__OPTION",
		"SPRINT_SET_HARD_NEG__=1":        "SPRINT_SET_STAGE__OPTION",
		"SPRINT_SET___A=1":               "SPRINT_SET_STAGE__OPTION",
		"SPRINT_SET_HARD_NEG__A____B=1":  "SPRINT_SET_STAGE__OPTION",
		"SPRINT_SET_HARD_NEG__A={":       "not valid YAML",
		"SPRINT_SET_HARD_NEG__A=*secret": "not valid YAML",
	} {
		_, err := config.NewOptions(p, config.Overrides{Env: []string{env}})
		var usage *diagnostic.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strings.SplitN(env, "=", 2)[0]) {
			t.Errorf("%s: got %v, want a usage error about %s", env, err, want)
		}
	}
	if _, err := config.NewOptions(p, config.Overrides{Env: []string{"SPRINT_SET_HARD_NEG__A=1", "SPRINT_SETTING=1"}}); err != nil {
		t.Errorf("a dash is an underscore in a variable: %v", err)
	}
}

func TestValuesMistakes(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, text := range map[string]string{
		"a.yaml": "work: {epochs: 0, epochz: 1}\nwrok: {a: 1}\n",
		"b.yaml": "work: 3\n",
		"c.yaml": "[work]",
		"d.yaml": "work: {a: 1, a: 2}",
		"e.yaml": "# nothing",
		"f.yaml": "work:\n",
	} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files = append(files, filepath.Join(dir, "missing.yaml"))
	p, err := config.ParsePlan("plan.yaml", []byte(configtest.PlanOf("rate: 2")))
	if err != nil {
		t.Fatal(err)
	}
	o, err := config.NewOptions(p, config.Overrides{Values: files})
	var s configtest.Sample
	_, derr := o.Decode("work", &s)
	got := mistakes(t, err, derr).Error()
	configtest.Golden(t, "values.txt", strings.ReplaceAll(got, dir+string(filepath.Separator), "")+"\n")
}

// TestMistakesOfOverriddenValues: a mistake is shown where the value that won
// was written, never in the value that it replaced.
func TestMistakesOfOverriddenValues(t *testing.T) {
	plan := configtest.PlanOf("checks:\n  - {id: f1}\n  - {id: gain, on: test}\nfiles: {paths: [a, b]}\nratios: {train: 0.5}\nlabels: {a: x}")
	for set, want := range map[string]diagnostic.Position{
		"work.checks=[{id: f1}, {id: gain, on: tset}]": {File: "--set work.checks=[{id: f1}, {id: gain, on: tset}]"},
		"work.files={paths: [1]}":                      {File: "--set work.files={paths: [1]}"},
		"work.ratios.train=7":                          {File: "--set work.ratios.train=7"},
		"work.ratios={trian: 0.5}":                     {File: "--set work.ratios={trian: 0.5}"},
		"work.labels.a=1":                              {File: "--set work.labels.a=1"},
		"work.epoch=1":                                 {File: "--set work.epoch=1"},
	} {
		var s configtest.Sample
		_, err := configtest.Options(t, plan, config.Overrides{Set: []string{set}}).Decode("work", &s)
		var errs diagnostic.Errors
		if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Pos != want {
			t.Errorf("--set %s: got %v", set, err)
		}
	}
	// What the flag did not touch is still shown in the plan.
	o := configtest.Options(t, plan, config.Overrides{Set: []string{"work.checks=[{id: f1}]", "work.ratios.test=0.5"}})
	for path, want := range map[string]diagnostic.Position{
		"checks.1.on":  {File: "--set work.checks=[{id: f1}]"},
		"ratios.train": {File: "dir/plan.yaml", Line: 9, Col: 23},
		"files.paths":  {File: "dir/plan.yaml", Line: 8, Col: 22},
		"nowhere":      {File: "dir/plan.yaml", Line: 5, Col: 7},
	} {
		if got := o.Position("work", path); got != want {
			t.Errorf("%s stands at %v, want %v", path, got, want)
		}
	}
}

func TestPathsStartWhereTheyWereWritten(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	abs := filepath.Join(wd, "abs.csv")
	with := "gold: gold.csv\nfiles: {paths: [a.jsonl, 's3://b/c', sub/*.jsonl, '" + abs + "']}\nencoder: ./enc\nchecks: [{id: f1, file: rows.csv}]"
	s, _ := configtest.Decode(t, with, config.Overrides{})
	got := []string{s.Gold, s.Files.Paths[0], s.Files.Paths[1], s.Files.Paths[2], s.Files.Paths[3], s.Encoder, s.Checks[0].File}
	want := []string{filepath.Join("dir", "gold.csv"), filepath.Join("dir", "a.jsonl"), "s3://b/c", filepath.Join("dir", "sub/*.jsonl"), abs, "." + string(filepath.Separator) + filepath.Join("dir", "enc"), filepath.Join("dir", "rows.csv")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths of a plan (-want +got):\n%s", diff)
	}
	s, _ = configtest.Decode(t, with, config.Overrides{Set: []string{"work.gold=gold.csv", "work.files.paths=a.jsonl", "work.encoder=org/name"}})
	if s.Gold != filepath.Join(wd, "gold.csv") || s.Files.Paths[0] != filepath.Join(wd, "a.jsonl") || s.Encoder != "org/name" {
		t.Errorf("paths of --set start in the working directory, got %q %q %q", s.Gold, s.Files.Paths, s.Encoder)
	}
}
