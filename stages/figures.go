package stages

import "fmt"

// Notes that lists of runs and of models are made from.
const (
	NoteRelease = "release" // of a stage that published: NAME@VERSION
	NoteExample = "example" // of a stage that published: a text to try the model on
	NoteFigures = "figures" // of a stage that measured: Figures
	// NoteSpent is what an attempt has paid for answers of models so far, a float64 in units
	// of the currency of the run.
	NoteSpent = "spent"
	// NoteEndedEarly says why a stage ended with less than all of its work: its money was up.
	NoteEndedEarly = "ended_early"
)

// Figures are the few numbers by which runs are told apart.
type Figures struct {
	On string `json:"on"` // the set of rows: gold or test
	// MacroF1 is nil where no category has enough positives.
	MacroF1 *float64 `json:"macro_f1,omitempty"`
	// Gain is the macro-F1 over that of the keywords, on the same rows.
	Gain *float64 `json:"gain,omitempty"`
	// Heads is the macro-F1 of the heads that the model was tuned from; nil if it was not.
	Heads *float64 `json:"heads,omitempty"`
}

// String is what a log shows.
func (f Figures) String() string {
	if f.MacroF1 == nil {
		return "no macro-F1 on " + f.On
	}
	text := fmt.Sprintf("macro-F1 %.3f on %s", *f.MacroF1, f.On)
	if f.Heads != nil {
		text += fmt.Sprintf(" (%.3f before the encoder was tuned)", *f.Heads)
	}
	if f.Gain != nil {
		text += fmt.Sprintf(", %+.3f over the keywords", *f.Gain)
	}
	return text
}
