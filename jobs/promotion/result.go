package promotion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage/models"
)

// maxResult is what the file of a result may have, in bytes.
const maxResult = 64 << 20

// Published reads from the file of a run's result which version the run published,
// NAME@VERSION. A result that says anything but that all is done is a Failure of
// CodePublish; a file that is no result, a *diagnostic.UsageError.
func Published(path string) (string, error) {
	data, err := plainfile.Read(path, maxResult)
	if err != nil {
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("cannot read --result: %v", err), Hint: "`sprint run --result FILE` writes it"}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return "", stages.Fail(stages.CodePublish, "run the plan again: the store has what it did", "nothing is promoted: %s is empty, so its run never ended", path)
	}
	var r struct {
		Run     *string
		Code    *stages.Code
		Class   string
		Figures *runs.Figures
		// Decision is what a refresh decided; a run has none.
		Decision string
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Code == nil {
		return "", &diagnostic.UsageError{Message: path + " is no result of a run", Hint: "`sprint run --result FILE` writes it"}
	}
	if r.Decision != "" {
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("%s is the result of a refresh, which decides by itself: %.40s", path, r.Decision), Hint: "`sprint models history NAME` says what it moved"}
	}
	if *r.Code != stages.CodeDone || r.Run == nil {
		return "", stages.Fail(stages.CodePublish, "mend what ended the run, then run it again", "nothing is promoted: the run ended with code %d (%.40q)", *r.Code, r.Class)
	}
	if r.Figures == nil || r.Figures.Model == "" {
		return "", stages.Fail(stages.CodePublish, "a plan with a publish stage makes one", "nothing is promoted: run %.40q published no model", *r.Run)
	}
	name, version, _ := strings.Cut(r.Figures.Model, "@")
	if _, ok := models.ParseVersion(version); !ok || !models.ValidName(name) {
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("%s names the model %.80q, which none can be", path, r.Figures.Model)}
	}
	return r.Figures.Model, nil
}
