package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// told fails the test unless the error is one that a user can act on: Errors,
// each with a place inside the text, and a message that can be printed.
func told(t *testing.T, err error, file, text string) {
	t.Helper()
	var errs diagnostic.Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("want Errors, got %T %v", err, err)
	}
	lines := strings.Count(text, "\n") + 1
	for _, e := range errs {
		if e.Pos.File == file && (e.Pos.Line < 0 || e.Pos.Line > lines || e.Pos.Col < 0) {
			t.Fatalf("a place outside of the text: %v of %d lines", e.Pos, lines)
		}
		if e.Message == "" {
			t.Fatal("an empty message")
		}
	}
	if s := err.Error(); utf8.ValidString(text) && !utf8.ValidString(s) || strings.ContainsAny(s, "\x1b\x00\r") {
		t.Fatalf("a message that cannot be printed: %q", s)
	}
}

// name is what the schema says of names.
var name = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func FuzzPlan(f *testing.F) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(configtest.PlanOf("epochs: 1\nchecks: [{id: f1, min: 0.5}]\nsource: web\nweb: {url: x}"))
	f.Add("name: p\nstages: [{name: a, kind: b, needs: [a], inputs: {x: a.b}, retry: 1, timeout: 5s, resources: {device: cpu}}]")
	f.Fuzz(func(t *testing.T, text string) {
		var p *config.Plan
		var err error
		configtest.Bounded(t, func() { p, err = config.ParsePlan("plan.yaml", []byte(text)) })
		if err != nil {
			told(t, err, "plan.yaml", text)
		}
		if p == nil {
			if err == nil {
				t.Fatal("neither a plan nor an error")
			}
			return
		}
		if len(p.Stages) == 0 {
			t.Fatal("a plan without stages")
		}
		o, err := config.NewOptions(p, config.Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Stages {
			if !name.MatchString(s.Name) || !name.MatchString(s.Kind) {
				t.Fatalf("a stage named %q of kind %q", s.Name, s.Kind)
			}
			configtest.Bounded(t, func() { _, err = o.Decode(s.Name, new(configtest.Sample)) })
			if err != nil {
				told(t, err, "plan.yaml", text)
			}
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"work.epochs=1", "work.files.paths=[a, b]", "work.ratios={train: 0.5}", "work.labels.a=x", "work.checks=[{id: f1}]", "work.=1", "work.files.paths.x.y=1", "work.token=env:A", "work=1", "x", "work.a=*b", "work.files={paths: {a: b}}", "work.epochs=---\n--- 2"} {
		f.Add(s, "work.files=3")
	}
	p, err := config.ParsePlan("plan.yaml", []byte(configtest.PlanOf("epochs: 2\nfiles: {paths: [a]}\nratios: {train: 0.5}")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		env, value, _ := strings.Cut(second, "=")
		o, err := config.NewOptions(p, config.Overrides{Set: []string{first, second}, Env: []string{"SPRINT_SET_WORK__" + env + "=" + value}})
		var usage *diagnostic.UsageError
		if errors.As(err, &usage) {
			return
		}
		if err != nil {
			told(t, err, "plan.yaml", "")
		}
		var v configtest.Sample
		if _, err := o.Decode("work", &v); err != nil {
			var errs diagnostic.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("want Errors, got %v", err)
			}
		}
		if p.Stages[0].With["epochs"] != int64(2) {
			t.Fatal("an override changed the plan")
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add("work: {epochs: 3}")
	f.Add("work: {files: {paths: a}}\nother: {}")
	f.Add("work:\n  checks:\n    - {id: f1}\n")
	f.Add("- a")
	p, err := config.ParsePlan("plan.yaml", []byte(configtest.PlanOf("epochs: 2")))
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "values.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := config.NewOptions(p, config.Overrides{Values: []string{path}})
		if err != nil {
			told(t, err, path, text)
		}
		var v configtest.Sample
		if _, err := o.Decode("work", &v); err != nil {
			told(t, err, path, text)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add("store: x\nprofiles: {ci: {device: cpu}}", "SPRINT_PARALLEL=3")
	f.Add("parallel: 0\ncache:\n", "SPRINT_DEADLINE=1h")
	path := filepath.Join(f.TempDir(), "sprint.yaml")
	f.Fuzz(func(t *testing.T, text, env string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, origin, err := config.LoadConfig(config.Source{File: path, Profile: "ci", Env: []string{env}})
		var usage *diagnostic.UsageError
		switch {
		case err == nil && (c.Cache == "" || c.Parallel < 1 || c.Deadline < 0 || len(origin) < 9):
			t.Fatalf("got %+v", c)
		case err != nil && !errors.As(err, &usage):
			t.Fatalf("want a usage error, got %T %v", err, err)
		}
	})
}
