package progress

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/storage/models"
)

// WriteOutputs appends what came of a run to a file of NAME=VALUE lines, as
// GITHUB_OUTPUT and GitLab's dotenv reports are; an empty path is none. The names are
// run_id, code, retryable, model, version and macro_f1; what there is none of is empty.
// No value has a line end: what a store or a plan says becomes no other output.
func WriteOutputs(path string, r *runs.Result) error {
	if path == "" {
		return nil
	}
	run, model, version, macro := "", "", "", ""
	if r.Run != nil && runs.ValidID(*r.Run) {
		run = *r.Run
	}
	if f := r.Figures; f != nil {
		name, number, _ := strings.Cut(f.Model, "@")
		if _, ok := models.ParseVersion(number); ok && models.ValidName(name) {
			model, version = name, number
		}
		if f.MacroF1 != nil {
			macro = strconv.FormatFloat(*f.MacroF1, 'f', 4, 64)
		}
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "run_id=%s\ncode=%d\nretryable=%t\nmodel=%s\nversion=%s\nmacro_f1=%s\n", run, r.Code, r.Retryable, model, version, macro)
	return errors.Join(err, f.Close())
}

// WriteResult writes the result of a run, the content of result.json, or of a refresh to a
// file; an empty path is none.
func WriteResult(path string, r any) error {
	if path == "" {
		return nil
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(append(body, '\n'))
	return errors.Join(err, f.Close())
}

// ClearResult makes sure, before the work, that a file of a result can be written and
// holds none; an empty path is none.
func ClearResult(path string) error {
	if path == "" {
		return nil
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	return f.Close()
}
