package kserve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
)

// Output is a tensor of an answer; Data is its values in the order of rows.
type Output struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
	Data     any    `json:"data,omitempty"` // []string or []float64; nil: it stands behind the JSON

	Parameters *parameters `json:"parameters,omitempty"`
}

// Response is an answer.
type Response struct {
	Model   string   `json:"model_name"`
	Version string   `json:"model_version,omitempty"`
	ID      string   `json:"id,omitempty"`
	Outputs []Output `json:"outputs"`
}

// names of the tensors of an answer.
var names = []string{"label", "scores", "tags", "categories"}

// CheckOutputs refuses tensors that are wanted and that no answer has.
func CheckOutputs(wanted []Wanted) error {
	for _, w := range wanted {
		if !slices.Contains(names, w.Name) {
			return fmt.Errorf("there is no output %.40q; there are %s", w.Name, strings.Join(names, ", "))
		}
	}
	return nil
}

// Outputs are the tensors of answers that have all categories; wanted are those that are
// given, all if it is empty.
func Outputs(answers []classify.Answer, categories []string, wanted []Wanted) []Output {
	n, k := len(answers), len(categories)
	labels, tags, scores := make([]string, n), make([]string, 0, n*k), make([]float64, 0, n*k)
	for i, a := range answers {
		if a.Top != nil {
			labels[i] = *a.Top
		}
		for _, c := range categories {
			scores, tags = append(scores, a.Categories[c].Score), append(tags, a.Categories[c].Tag)
		}
	}
	var out []Output
	for _, o := range []Output{
		{Name: "label", Datatype: "BYTES", Shape: []int{n}, Data: labels},
		{Name: "scores", Datatype: "FP64", Shape: []int{n, k}, Data: scores},
		{Name: "tags", Datatype: "BYTES", Shape: []int{n, k}, Data: tags},
		{Name: "categories", Datatype: "BYTES", Shape: []int{k}, Data: categories},
	} {
		if len(wanted) == 0 || slices.ContainsFunc(wanted, func(w Wanted) bool { return w.Name == o.Name }) {
			out = append(out, o)
		}
	}
	return out
}

// Shape is what a model takes or gives.
type Shape struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

// Metadata is what is known of a model.
type Metadata struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"`
	Platform string   `json:"platform"`
	Inputs   []Shape  `json:"inputs"`
	Outputs  []Shape  `json:"outputs"`
}

// Platform is what models are of.
const Platform = "sprint_classifier"

// MetadataOf describes a model of so many categories.
func MetadataOf(name, version string, categories int) Metadata {
	return Metadata{
		Name: name, Versions: []string{version}, Platform: Platform,
		Inputs: []Shape{{"title", "BYTES", []int{-1}}, {"description", "BYTES", []int{-1}}},
		Outputs: []Shape{
			{"label", "BYTES", []int{-1}}, {"scores", "FP64", []int{-1, categories}},
			{"tags", "BYTES", []int{-1, categories}}, {"categories", "BYTES", []int{categories}},
		},
	}
}
