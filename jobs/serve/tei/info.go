package tei

import "strconv"

// Info is what GET /info says, by the names that the protocol has for it.
type Info struct {
	Model     string    `json:"model_id"`
	Digest    *string   `json:"model_sha"` // null of a folder
	DataType  string    `json:"model_dtype"`
	Served    string    `json:"served_model_name"` // with the version
	ModelType ModelType `json:"model_type"`

	Requests       int  `json:"max_concurrent_requests"`
	Tokens         int  `json:"max_input_length"` // of a text; 0 where keywords answer, which read all of it
	BatchTokens    int  `json:"max_batch_tokens"`
	BatchRequests  *int `json:"max_batch_requests"`
	ClientBatch    int  `json:"max_client_batch_size"`
	Truncates      bool `json:"auto_truncate"`
	TokenizeAtOnce int  `json:"tokenization_workers"`

	Version string  `json:"version"` // of the server
	Commit  *string `json:"sha"`     // always null, as is the next: the version says it
	Image   *string `json:"docker_label"`
}

// ModelType says what a model does: it classifies.
type ModelType struct {
	Classifier Labels `json:"classifier"`
}

// Labels are a classifier's, numbered as text and the other way around.
type Labels struct {
	Names   map[string]string `json:"id2label"`
	Numbers map[string]int    `json:"label2id"`
}

// Float32 is the type of numbers that models are computed in.
const Float32 = "float32"

// LabelsOf numbers categories in their order.
func LabelsOf(categories []string) Labels {
	l := Labels{map[string]string{}, map[string]int{}}
	for i, c := range categories {
		l.Names[strconv.Itoa(i)], l.Numbers[c] = c, i
	}
	return l
}
