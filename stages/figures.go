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
	// Languages are the figures by language, the largest first; none where the rows are in
	// one, or nobody knows.
	Languages []LanguageFigures `json:"languages,omitempty"`
}

// LanguageFigures are those of the rows in one language.
type LanguageFigures struct {
	Language string  `json:"language"`
	Rows     int     `json:"rows"`
	MicroF1  float64 `json:"micro_f1"`
	// MacroF1 is nil where no category has enough positives.
	MacroF1 *float64 `json:"macro_f1,omitempty"`
}

// String is what a log shows.
func (f Figures) String() string {
	text := "no macro-F1 on " + f.On
	if f.MacroF1 != nil {
		text = fmt.Sprintf("macro-F1 %.3f on %s", *f.MacroF1, f.On)
	}
	if f.Heads != nil {
		text += fmt.Sprintf(" (%.3f before the encoder was tuned)", *f.Heads)
	}
	if f.Gain != nil {
		text += fmt.Sprintf(", %+.3f over the keywords", *f.Gain)
	}
	for i, l := range f.Languages {
		before := ", "
		if i == 0 {
			before = "; micro-F1 "
		}
		text += fmt.Sprintf("%s%s %.3f", before, l.Language, l.MicroF1)
	}
	return text
}
