package runs

import "fmt"

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

var stateNames = [...]string{"pending", "waiting", "running", "succeeded", "failed", "lost", "cached", "skipped", "interrupted"}

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
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", b)
}
