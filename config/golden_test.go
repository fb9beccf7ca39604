package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// TestPlanMessages holds what a user reads for each wrong plan in testdata:
// every *.yaml has the messages beside it in *.txt.
func TestPlanMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d plans, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := config.ParsePlan("plan.yaml", data)
			found := []error{err}
			if p != nil {
				o, e := config.NewOptions(p, config.Overrides{})
				found = append(found, e)
				for _, s := range p.Stages {
					_, e := o.Decode(s.Name, &configtest.Sample{})
					found = append(found, e)
				}
			}
			errs := mistakes(t, found...)
			if len(errs) == 0 {
				t.Fatal("no mistake was found")
			}
			for _, e := range errs {
				if e.Pos.File != "plan.yaml" || e.Pos.Line == 0 {
					t.Errorf("no place: %v", e)
				}
			}
			configtest.Golden(t, "plans/"+name+".txt", errs.Error()+"\n")
		})
	}
}

// mistakes gathers those of several errors, in the order of their places.
func mistakes(t *testing.T, errs ...error) diagnostic.Errors {
	t.Helper()
	var all diagnostic.Errors
	for _, err := range errs {
		some, ok := errors.AsType[diagnostic.Errors](err)
		if err != nil && !ok {
			t.Fatalf("want Errors, got %v", err)
		}
		all = append(all, some...)
	}
	all.Sort()
	return all
}
