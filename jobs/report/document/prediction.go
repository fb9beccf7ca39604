package document

import "fmt"

// Prediction is a line of predictions.jsonl.
type Prediction struct {
	On         string                    `json:"on"`
	ID         string                    `json:"id"`
	URL        string                    `json:"url"`
	Title      string                    `json:"title"`
	Categories map[string]CategoryAnswer `json:"categories"`
	Rules      []string                  `json:"rules"` // that fired, as category:rule
}

// CategoryAnswer is what is true of a category of a row, and what was answered.
type CategoryAnswer struct {
	Truth    bool    `json:"truth"`
	Unknown  bool    `json:"unknown"`
	Score    float64 `json:"score"`
	Answer   bool    `json:"answer"`
	Keywords bool    `json:"keywords"`
}

// Predictions are the predictions of the measured set.
func Predictions(st Stage) (out []Prediction, missing string) {
	data, missing := raw(st, "predictions")
	if missing != "" {
		return nil, missing
	}
	out, bad := lines[Prediction](data)
	if len(out) == 0 {
		return nil, fmt.Sprintf("%s.predictions has no line that a report reads (%d that it does not)", st.Name, bad)
	}
	return out, ""
}
