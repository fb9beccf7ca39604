package runs

import (
	"time"

	"github.com/sprint-ml/sprint/stages"
)

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
	Type     string           `json:"type"`
	Time     time.Time        `json:"time"`
	Run      string           `json:"run,omitempty"`
	Stage    string           `json:"stage,omitempty"`
	Attempt  int              `json:"attempt,omitempty"`
	State    *State           `json:"state,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Seconds  float64          `json:"seconds,omitempty"`
	Wait     float64          `json:"wait,omitempty"` // seconds until a lost stage is tried again
	Stages   []string         `json:"stages,omitempty"`
	Level    string           `json:"level,omitempty"`
	Message  string           `json:"message,omitempty"`
	Notable  bool             `json:"-"` // of EventLog: shown to everybody who watches
	Note     string           `json:"-"` // of EventNote: the name of the fact
	Progress *stages.Progress `json:"progress,omitempty"`
	Result   *Result          `json:"-"` // set on EventResult
}
