package runs

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// State is where a stage stands in a run. The order matters: states up to
// Running may still change, those after it are final for the attempt.
type State int

// The states in their order.
const (
	Pending State = iota // not looked at yet
	Waiting              // needs something that is not done
	Running
	Succeeded
	Failed      // the work is wrong
	Lost        // the machine is wrong; may be tried again
	Cached      // a manifest of this key exists
	Skipped     // not selected, or something it needs failed
	Interrupted // stopped on request
)

var stateNames = []string{"pending", "waiting", "running", "succeeded", "failed", "lost", "cached", "skipped", "interrupted"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("state(%d)", int(s))
	}
	return stateNames[s]
}

// Done reports whether the stage's outputs are there.
func (s State) Done() bool { return s == Succeeded || s == Cached }

// Final reports whether the state will not change any more in this run.
func (s State) Final() bool { return s > Running }

// MarshalText writes the state's word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the state's word.
func (s *State) UnmarshalText(b []byte) error {
	i := slices.Index(stateNames, string(b))
	if i < 0 {
		return fmt.Errorf("unknown state %q", b)
	}
	*s = State(i)
	return nil
}

// Event types.
const (
	EventRun      = "run"      // a run began; Stages lists its stages in plan order
	EventState    = "state"    // a stage changed its state
	EventProgress = "progress" // a running stage reports how far it is
	EventLog      = "log"      // a line of a stage's log
	EventNote     = "note"     // a fact about the run or a stage: device opened, package fetched
	EventStop     = "stop"     // the run was asked to end; Message says by what
	EventResult   = "result"   // the run ended
)

// Event is one thing that happened in a run. With `-o json` each event is a
// line of stdout, the last line is the Result itself.
type Event struct {
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Run     string    `json:"run,omitempty"`
	Stage   string    `json:"stage,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	State   *State    `json:"state,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
	Wait    float64   `json:"wait,omitempty"` // seconds until a lost stage is tried again
	// Cause is whose budget that try costs: network, store, machine, failure or interruption.
	Cause    string           `json:"cause,omitempty"`
	Stages   []string         `json:"stages,omitempty"`
	Level    string           `json:"level,omitempty"`
	Message  string           `json:"message,omitempty"`
	Notable  bool             `json:"-"` // of EventLog: shown to everybody who watches
	Note     string           `json:"-"` // of EventNote: the name of the fact
	Progress *stages.Progress `json:"progress,omitempty"`
	// Estimates are the seconds that stages will take, by what earlier work in the store
	// took: of all when a run begins, of the one that begins to run. Those that do not run
	// have 0, those of which nothing is known are left out.
	Estimates map[string]float64 `json:"estimates,omitempty"`
	// Cost of EventState is what the stage has cost so far; null if nothing of it had a price.
	Cost   *StageCost `json:"cost,omitempty"`
	Result *Result    `json:"-"` // set on EventResult
}

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
	// Figures are null if no stage of the run measured or published anything.
	Figures *Figures `json:"figures,omitempty"`
	// Cost is null if nothing of the run had a price.
	Cost *Cost `json:"cost,omitempty"`
	// Mirrors are what came of showing the models that the run published at registries of
	// other makers; none if no plan lists one. They are asked after result.json was written,
	// which does not hold them.
	Mirrors []MirrorResult `json:"mirrors,omitempty"`
	// Stages come last: who lists many runs reads no further than to here.
	Stages []StageResult `json:"stages"`
}

// Figures are what a list of runs tells of a run, so that it need not read what the
// run's stages made. They are what the last stages of the plan that noted them said,
// in this run or in the one whose work was taken.
type Figures struct {
	Model  string `json:"model,omitempty"`  // what was published, "news@3"
	Device string `json:"device,omitempty"` // of the stage that measured
	On     string `json:"on,omitempty"`     // gold or test
	// MacroF1 is null where no category has enough positives.
	MacroF1 *float64 `json:"macro_f1,omitempty"`
	Gain    *float64 `json:"gain,omitempty"` // of macro-F1 over the keywords, on the same rows
	// Heads is the macro-F1 of the heads that the model was tuned from, null if it was not.
	Heads *float64 `json:"heads,omitempty"`
	// Languages are the figures by language, the largest first; none where the rows are in
	// one, or nobody knows.
	Languages []stages.LanguageFigures `json:"languages,omitempty"`
}

// MirrorResult is what came of showing a model at a registry of another maker.
type MirrorResult struct {
	Model  string      `json:"model"`
	Target string      `json:"target"` // its address, as the plan has it
	State  MirrorState `json:"state"`
	// Aliases are the versions that they name there, as far as the store knows.
	Aliases map[string]int `json:"aliases"`
	// Error is why it is behind, Tries how many failed since the last that did not. It holds
	// no secret.
	Error string `json:"error,omitempty"`
	Tries int    `json:"tries,omitempty"`
	// Remarks are what was found there and set right, or left alone.
	Remarks []string `json:"remarks,omitempty"`
}

// MirrorState says whether a mirror shows what the store has.
type MirrorState string

// The states of a mirror after a run.
const (
	MirrorCurrent MirrorState = "current"
	MirrorBehind  MirrorState = "behind"  // Error says why
	MirrorSkipped MirrorState = "skipped" // it was not asked: the run is offline, or was ended
)

// StageResult is how one stage ended.
type StageResult struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	State   State   `json:"state"`
	Key     string  `json:"key,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
	Device  string  `json:"device,omitempty"`
	Attempt int     `json:"attempt,omitempty"`
	// Interruptions are how often the machine was taken away, which is no failure.
	Interruptions int `json:"interruptions,omitempty"`
	// EndedBy is the limit that ended the last attempt: queue, start, run, grace, or place
	// if it was one of the place's own.
	EndedBy string                  `json:"ended_by,omitempty"`
	Outputs map[string]OutputResult `json:"outputs,omitempty"`
	Cost    *StageCost              `json:"cost,omitempty"` // null if nothing of it had a price
}

// OutputResult names the bytes of one output.
type OutputResult struct {
	Digest   string `json:"digest"`
	Size     int64  `json:"size"`
	Volatile bool   `json:"volatile,omitempty"`
}

// UnmarshalJSON refuses a size that is none: a reader takes it for one that it need not
// check.
func (o *OutputResult) UnmarshalJSON(b []byte) error {
	type plain OutputResult
	err := json.Unmarshal(b, (*plain)(o))
	if err == nil && o.Size < 0 {
		err = fmt.Errorf("an output of %d bytes", o.Size)
	}
	return err
}
