package label

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

const taxonomyText = `categories:
  - name: fire
    tags: [big]
    rules:
      - {id: words, words: [fire, blaze], weight: 0.8}
      - {id: big, words: [blaze], tag: big}
      - {id: dead, words: [neverseen]}
  - name: money
    rules: [{id: shares, words: [shares]}]
  - name: empty
    rules: [{id: none, words: [nothing]}]
`

func parquet(t *testing.T, in []rows.Row, categories []string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, in, categories); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func label(t *testing.T, o *Options, in []byte) (*stagetest.Result, []rows.Row, Report) {
	t.Helper()
	if o.Conflict == "" {
		o.Conflict = "max"
	}
	res := stagetest.Run(t, stagetest.Case{Kind: Kind(), Options: o, Inputs: map[string]any{"articles": in}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyText)}})
	var report Report
	if res.Err != nil {
		return res, nil, report
	}
	out, _, err := rows.DecodeParquet(bytes.NewReader(res.File(t, "labelled")))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(res.File(t, "label_report"), &report); err != nil {
		t.Fatal(err)
	}
	return res, out, report
}

// attempt runs label with files around it.
func attempt(t *testing.T, o *Options, in []byte, change func(*stages.Env)) (*stagetest.Result, map[string]rows.Row, *Report, error) {
	t.Helper()
	if o.Conflict == "" {
		o.Conflict = "max"
	}
	if o.Combine == "" {
		o.Combine = "chain"
	}
	res, err := stagetest.Try(t, stagetest.Case{Kind: Kind(), Options: o, Inputs: map[string]any{"articles": in}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyText)}, Env: change})
	if err != nil {
		return nil, nil, nil, err
	}
	if res.Err != nil {
		return res, nil, nil, res.Err
	}
	list, _, err := rows.DecodeParquet(bytes.NewReader(res.File(t, "labelled")))
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]rows.Row{}
	for _, r := range list {
		byID[r.ID] = r
	}
	report := &Report{}
	if err := json.Unmarshal(res.File(t, "label_report"), report); err != nil {
		t.Fatal(err)
	}
	return res, byID, report, nil
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// three rows: fire and money, nothing, fire.
func articles(t *testing.T) []byte {
	return parquet(t, []rows.Row{
		{ID: "1", Title: "Blaze hits shares"},
		{ID: "2", URL: "http://a/2", Title: "Calm day"},
		{ID: "3", Title: "Fire!"},
	}, nil)
}
