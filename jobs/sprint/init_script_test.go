//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestInitScripts: from a table to answers of a model, as somebody types it.
//
// A random encoder on the pure Go device learns nothing, so there the checks demand
// nothing; end to end it is MiniLM, and the plan as init wrote it.
func TestInitScripts(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	program, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(program, filepath.Join(bin, "sprint"))
	}
	if err != nil {
		t.Fatal(err)
	}
	var real []string
	if jobstest.Tier == 0 {
		real = []string{"SPRINT_DEVICE=go", "SPRINT_CACHE=" + t.TempDir(), "SPRINT_SET_TRAIN__ENCODER=" + encodertest.Tiny(t), "SPRINT_SET_TRAIN__EPOCHS=1", "SPRINT_SET_TRAIN__MAX_LENGTH=32",
			"SPRINT_SET_VERIFY__CHECKS=[{id: micro_f1, min: 0}]"}
	} else {
		real = []string{"SPRINT_CACHE=" + encodertest.Cache()}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/init",
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "SPRINT_TEST_PROGRAM=1", "PATH="+bin+":"+os.Getenv("PATH"))
			e.Vars = append(e.Vars, real...)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// rows NAME SEED NUMBER FILE writes an authored table.
			"rows": func(ts *testscript.TestScript, _ bool, args []string) {
				seed, err := strconv.ParseUint(args[1], 10, 64)
				ts.Check(err)
				n, err := strconv.Atoi(args[2])
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[3]), authored(t, args[0], seed, n), 0o600))
			},
		},
		Condition: func(cond string) (bool, error) { return cond == "e2e" && jobstest.Tier > 0, nil },
	})
}
