package runs

import "github.com/sprint-ml/sprint/stages"

// Result is the end of a run: the content of result.json and the last line of
// `-o json`. Outside programs rely on its field names.
type Result struct {
	Run       *string     `json:"run"` // null if no run began
	Code      stages.Code `json:"code"`
	Class     string      `json:"class,omitempty"` // the exit table's word for Code
	Retryable bool        `json:"retryable"`
	Error     string      `json:"error,omitempty"`
	Hint      string      `json:"hint,omitempty"`
	// Continue is the command that does what is left; empty if nothing is.
	Continue string `json:"continue,omitempty"`
	// Report is where the run's report is; empty if it has none. It is written
	// after result.json, which does not hold it.
	Report string `json:"report,omitempty"`
	// Stages come last: who lists many runs reads no further than to here.
	Stages []StageResult `json:"stages"`
}

// StageResult is how one stage ended.
type StageResult struct {
	Name    string                  `json:"name"`
	Kind    string                  `json:"kind"`
	State   State                   `json:"state"`
	Key     string                  `json:"key,omitempty"`
	Reason  string                  `json:"reason,omitempty"`
	Error   string                  `json:"error,omitempty"`
	Seconds float64                 `json:"seconds"`
	Device  string                  `json:"device,omitempty"`
	Attempt int                     `json:"attempt,omitempty"`
	Outputs map[string]OutputResult `json:"outputs,omitempty"`
}

// OutputResult names the bytes of one output.
type OutputResult struct {
	Digest   string `json:"digest"`
	Size     int64  `json:"size"`
	Volatile bool   `json:"volatile,omitempty"`
}
