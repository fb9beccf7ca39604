package serve

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// lettered is a model of two categories: the score of the first falls with the length of a
// title, and that of the second is 0.75 where there is a description.
type lettered struct{}

func (lettered) Tokens(t classify.Text) int { return min(len(t.Title), 16) }

func (lettered) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	out := make([]classify.Prediction, len(texts))
	for i, t := range texts {
		out[i] = classify.Prediction{Scores: []float32{1 / float32(len(t.Title)), -0.25}, Tags: []int32{1, 0}, Logistic: t.Language == "logistic"}
		if t.Description != "" {
			out[i].Scores[1] = 0.75
		}
	}
	return out, nil
}

// lettersClassifier is of the model lettered.
func lettersClassifier(t testing.TB) *classify.Classifier {
	t.Helper()
	tax, problems := taxonomy.Parse([]byte("categories:\n  - name: fire\n    tags: [big]\n    rules: [{words: [fire], tag: big}]\n  - name: money\n    rules: [{words: [bank]}]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := classify.New(tax)
	c.Thresholds, c.Model, c.Name = []float64{0.4, 0.5}, lettered{}, "news@3"
	return c
}

// TestPredict: the shapes of Text Embeddings Inference.
func TestPredict(t *testing.T) {
	_, s := serve(t, lettersClassifier(t), Options{})
	for body, want := range map[string]string{
		`{"inputs":"ab"}`:                                    `200 [{"score":0.5,"label":"fire"},{"score":0,"label":"money"}]`,
		`{"inputs":["ab"]}`:                                  `200 [{"score":0.5,"label":"fire"},{"score":0,"label":"money"}]`,
		`{"inputs":["ab","and more"]}`:                       `200 [{"score":0.75,"label":"money"},{"score":0.5,"label":"fire"}]`,
		`{"inputs":"ab","raw_scores":true,"truncate":true}`:  `200 [{"score":0.5,"label":"fire"},{"score":-0.25,"label":"money"}]`,
		`{"inputs":[["ab","x"],["abcd"]],"truncate":null}`:   `200 [[{"score":0.75,"label":"money"},{"score":0.5,"label":"fire"}],[{"score":0.25,"label":"fire"},{"score":0,"label":"money"}]]`,
		`{"inputs":[["ab"]],"truncation_direction":"Right"}`: `200 [[{"score":0.5,"label":"fire"},{"score":0,"label":"money"}]]`,
		`{"inputs":["a","b","c"]}`:                           `400 inputs is a string, a pair`,
		`{"inputs":[]}`:                                      `400 inputs is a string, a pair`,
		`{"inputs":[[]]}`:                                    `400 inputs is a string, a pair`,
		`{"inputs":[["a"],"b"]}`:                             `400 inputs is a string, a pair`,
		`{"inputs":["a",["b"]]}`:                             `400 inputs is a string, a pair`,
		`{"inputs":[["a","b","c"]]}`:                         `400 inputs is a string, a pair`,
		`{"inputs":{}}`:                                      `400 inputs is an object`,
		`{}`:                                                 `400 inputs is a string, a pair`,
		`{"inputs":""}`:                                      `422 text 1 is empty`,
		`{"inputs":"a","truncation_direction":"Left"}`:       `400 truncation_direction is Right`,
		`{"inputs":[["a"]` + strings.Repeat(`,["a"]`, 1024) + `]}`: `413 more than 1024`,
	} {
		status, answer, _ := ask(t, s, "POST", "/predict", body)
		got := fmt.Sprintf("%d %s", status, strings.TrimSpace(answer))
		if status == 200 && got != want || status != 200 && (!strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) || !strings.Contains(got, `"error_type":"Validation"`)) {
			t.Errorf("%.60s: %s, want %s", body, got, want)
		}
	}
}

// MaxTokens is the longest text of the model lettered.
func (lettered) MaxTokens() int { return 16 }

// TestInfo: who asks by the protocol of Text Embeddings Inference is told the model and the
// limits; of keywords, no length.
func TestInfo(t *testing.T) {
	_, s := serve(t, lettersClassifier(t), Options{Limits: Limits{Texts: 7, Tokens: 9}, Version: "v1"})
	want := fmt.Sprintf(`{"model_id":"news","model_sha":"d1","model_dtype":"float32","served_model_name":"news@3","model_type":{"classifier":{"id2label":{"0":"fire","1":"money"},"label2id":{"fire":0,"money":1}}},"max_concurrent_requests":4096,"max_input_length":16,"max_batch_tokens":512,"max_batch_requests":256,"max_client_batch_size":7,"auto_truncate":false,"tokenization_workers":%d,"version":"v1","sha":null,"docker_label":null}`, runtime.GOMAXPROCS(0))
	if status, answer, _ := ask(t, s, "GET", "/info", ""); status != 200 || strings.TrimSpace(answer) != want {
		t.Errorf("%d %s, want %s", status, answer, want)
	}
	_, s = serve(t, classifier(t), Options{})
	if status, answer, _ := ask(t, s, "GET", "/info", ""); status != 200 || !strings.Contains(answer, `"max_input_length":0,`) || !strings.Contains(answer, `"max_client_batch_size":1024,"auto_truncate":true`) {
		t.Errorf("of keywords: %d %s", status, answer)
	}
}

// packed is a tensor's binary data.
func packed(texts ...string) string {
	var b []byte
	for _, t := range texts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return string(b)
}

// TestInfer: the shapes of the Open Inference Protocol, as JSON and with binary tensors.
func TestInfer(t *testing.T) {
	_, s := serve(t, lettersClassifier(t), Options{})
	const at = "/v2/models/news/infer"
	tensor := func(name string, n int, texts ...string) string {
		data, _ := json.Marshal(texts)
		return fmt.Sprintf(`{"name":%q,"datatype":"BYTES","shape":[%d],"data":%s}`, name, n, data)
	}
	const both = `{"name":"label","datatype":"BYTES","shape":[2],"data":["fire",""]},{"name":"scores","datatype":"FP64","shape":[2,2],"data":[0.5,-0.25,0.25,-0.25]},{"name":"tags","datatype":"BYTES","shape":[2,2],"data":["big","","big",""]},{"name":"categories","datatype":"BYTES","shape":[2],"data":["fire","money"]}]`
	for body, want := range map[string]string{
		`{"id":"7","inputs":[` + tensor("text", 2, "ab", "abcd") + `]}`:                                                                                                                          `200 {"model_name":"news","model_version":"3","id":"7","outputs":[` + both,
		`{"inputs":[{"shape":[2,1],"data":[["ab"],["abcd"]],"name":"title","datatype":"BYTES"}]}`:                                                                                                `200 {"model_name":"news","model_version":"3","outputs":[` + both,
		`{"parameters":{"x":[1]},"outputs":[{"name":"label","parameters":{"binary_data":false}}],"inputs":[` + tensor("description", 2, "x", "") + `,` + tensor("title", 2, "ab", "abcd") + `]}`: `200 {"model_name":"news","model_version":"3","outputs":[{"name":"label","datatype":"BYTES","shape":[2],"data":["money",""]}]`,
		`{"id":null,"parameters":null,"outputs":null,"inputs":[{"parameters":null,"shape":[2],"data":["ab","abcd"],"name":"text","datatype":"BYTES"}]}`:                                          `200 {"model_name":"news","model_version":"3","outputs":[` + both,
		`{"outputs":[{"name":"label","parameters":null}],"inputs":[` + tensor("text", 1, "ab") + `]}`:                                                                                            `200 {"model_name":"news","model_version":"3","outputs":[{"name":"label","datatype":"BYTES","shape":[1],"data":["fire"]}]}`,
		`{"inputs":null}`: `400 a list is wanted`,
		`{"inputs":[` + tensor("text", 1, "ab", "abcd") + `]}`:                           `400 the tensor text has the shape [1] and 2 texts`,
		`{"inputs":[` + tensor("texts", 1, "ab") + `]}`:                                  `400 there is no tensor`,
		`{"inputs":[` + tensor("text", 1, "ab") + `,` + tensor("title", 1, "ab") + `]}`:  `400 send the tensor text, or title`,
		`{"inputs":[` + tensor("title", 1, "ab") + `,` + tensor("title", 1, "ab") + `]}`: `400 the tensor title stands there twice`,
		`{"inputs":[` + tensor("title", 1, "ab") + `,` + tensor("description", 0) + `]}`: `400 inputs.1.data is null`,
		`{"inputs":[` + tensor("description", 1, "ab") + `]}`:                            `400 send a tensor text, or title`,
		`{"inputs":[]}`: `400 send a tensor text`,
		`{"inputs":[{"name":"text","datatype":"FP32","shape":[1],"data":["a"]}]}`:                         `400 the tensor text is of`,
		`{"inputs":[{"name":"text","datatype":"BYTES","shape":[1,1,1],"data":["a"]}]}`:                    `400 shape has more than two dimensions`,
		`{"inputs":[{"name":"text","datatype":"BYTES","shape":[1,2],"data":[["a","b"]]}]}`:                `400 data has rows of more than one`,
		`{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":[1]}]}`:                          `400 inputs.0.data.0 is a number`,
		`{"inputs":[` + tensor("text", 1, "ab") + `],"outputs":[{"name":"embedding"}]}`:                   `400 there is no output`,
		`{"inputs":[` + tensor("text", 1, "") + `]}`:                                                      `422 text 1 is empty`,
		`{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}`: `400 the tensor \"text\" has data in two places, or none`,
	} {
		status, answer, _ := ask(t, s, "POST", at, body)
		got := fmt.Sprintf("%d %s", status, strings.TrimSpace(answer))
		if !strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) {
			t.Errorf("%.200s: %s, want %s", body, got, want)
		}
	}
	head := func(size int) string {
		return fmt.Sprintf(`{"inputs":[{"name":"text","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, size)
	}
	data := packed("ab", "abcd")
	behind := `{"name":"label","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":12}},{"name":"scores","datatype":"FP64","shape":[2,2],"parameters":{"binary_data_size":32}},{"name":"tags","datatype":"BYTES","shape":[2,2],"parameters":{"binary_data_size":22}},{"name":"categories","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":17}}]}` + packed("fire", "")
	for _, score := range []float64{0.5, -0.25, 0.25, -0.25} {
		behind += string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)))
	}
	behind += packed("big", "", "big", "") + packed("fire", "money")
	for name, c := range map[string]struct {
		json, data string
		length     int
		want       string
	}{
		"whole":       {head(len(data)), data, 0, `200 {"model_name":"news","model_version":"3","outputs":[` + behind},
		"some":        {`{"outputs":[{"name":"label"},{"name":"categories","parameters":{"binary_data":true}}],` + head(len(data))[1:len(head(len(data)))-len(`,"parameters":{"binary_data_output":true}}`)] + "}", data, 0, `200 {"model_name":"news","model_version":"3","outputs":[{"name":"label","datatype":"BYTES","shape":[2],"data":["fire",""]},{"name":"categories","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":17}}]}` + packed("fire", "money")},
		"all but one": {`{"outputs":[{"name":"label","parameters":{"binary_data":false}},{"name":"categories"}],` + head(len(data))[1:], data, 0, `200 {"model_name":"news","model_version":"3","outputs":[{"name":"label","datatype":"BYTES","shape":[2],"data":["fire",""]},{"name":"categories","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":17}}]}` + packed("fire", "money")},
		"classes":     {`{"outputs":[{"name":"label","parameters":{"classification":3}}],` + head(len(data))[1:], data, 0, "400 classification is not known here"},
		"cut":         {head(len(data)), data[:5], 0, "400 ends too early"},
		"too long":    {head(len(data)), packed("ab") + "\xff\xff\xff\x7fabcd", 0, "400 ends too early"},
		"no UTF-8":    {head(len(data)), packed("ab", "ab\xff\xfe"), 0, "400 is no UTF-8"},
		"head length": {head(len(data)), data, 9 << 20, "400 "},
		"bad length":  {head(len(data)), data, -1, "400 a number of bytes"},
	} {
		length := c.length
		if length == 0 {
			length = len(c.json)
		}
		status, answer, h := ask(t, s, "POST", at, c.json+c.data, "Inference-Header-Content-Length", fmt.Sprint(length), "Content-Type", "application/octet-stream")
		if n, err := strconv.Atoi(h.Get("Inference-Header-Content-Length")); status == 200 && (err != nil || !json.Valid([]byte(answer)[:n])) {
			t.Errorf("%s: %d bytes of %s are JSON, %v", name, n, answer, err)
		}
		if got := fmt.Sprintf("%d %s", status, answer); !strings.HasPrefix(got, c.want[:4]) || !strings.Contains(got, c.want[4:]) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"GET /v2/models/news":                    `200 {"name":"news","versions":["3"],"platform":"sprint_classifier"`,
		"GET /v2/models/news/versions/3":         `200 {"name":"news"`,
		"GET /v2/models/news/versions/4":         `404 {"error":"version \"4\" of news is not served; 3 is"}`,
		"GET /v2/models/olds":                    `404 {"error":"there is no model \"olds\"; news is served"}`,
		"GET /v2/models/news/ready":              `200 {"name":"news","ready":true}`,
		"GET /v2/models/news/versions/x/ready":   `404 `,
		"POST /v2/models/news/versions/2/infer":  `404 `,
		"GET /v2/health/live":                    `200 {"live":true}`,
		"GET /v2/health/ready":                   `200 {"ready":true}`,
		"GET /v2":                                `200 {"extensions":["binary_tensor_data"],"name":"sprint"`,
		"GET /v2/models/news/infer":              `405 {"error":"this path is asked by POST"}`,
		"POST /v2/models/news/versions/3/infer?": `400 `,
	} {
		method, at, _ := strings.Cut(path, " ")
		status, answer, _ := ask(t, s, method, at, "")
		if got := fmt.Sprintf("%d %s", status, answer); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
