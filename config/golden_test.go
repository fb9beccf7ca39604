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
			if p != nil {
				o, e := config.NewOptions(p, config.Overrides{})
				err = diagnostic.Join(err, e)
				for _, s := range p.Stages {
					_, e := o.Decode(s.Name, &configtest.Sample{})
					err = diagnostic.Join(err, e)
				}
			}
			var errs diagnostic.Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("want Errors, got %v", err)
			}
			for _, e := range errs {
				if e.Pos.File != "plan.yaml" || e.Pos.Line == 0 {
					t.Errorf("no place: %v", e)
				}
			}
			configtest.Golden(t, "plans/"+name+".txt", err.Error()+"\n")
		})
	}
}
