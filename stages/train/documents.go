package train

// The documents that train writes: the lines of history.json, and the note of each
// round of selection. calibration.json is in package release, since verify reads it.

// Epoch is one line of history.json.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	ValLoss   float64 `json:"val_loss"`
	// ValMacroF1 is over the weak labels of val at 0.5, all categories that have
	// a positive there.
	ValMacroF1 float64 `json:"val_macro_f1"`
	Steps      int     `json:"steps"` // done so far
	Best       bool    `json:"best"`
	Heads      []Head  `json:"heads"`
}

// Head is how one category stands on val at 0.5, against its weak labels.
type Head struct {
	Category    string  `json:"category"`
	ScoreLoss   float64 `json:"score_loss"` // mean squared error
	TagLoss     float64 `json:"tag_loss"`   // mean cross entropy
	Precision   float64 `json:"precision"`
	Recall      float64 `json:"recall"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	TagAccuracy float64 `json:"tag_accuracy"` // over positives that carry a tag
	TagSupport  int     `json:"tag_support"`
}

// Selected counts what a round did to one category.
type Selected struct {
	Agreed    int `json:"agreed"`    // labels kept
	Doubted   int `json:"doubted"`   // left out
	Overruled int `json:"overruled"` // replaced
	Imputed   int `json:"decided"`   // of undecided rows
	// Unjudged says that there are too few rows of one label.
	Unjudged bool `json:"unjudged,omitempty"`
}
