package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/rows"
)

// classifyInput has a row of each category, one that a spreadsheet would take for
// a formula, and one without a title.
const classifyInput = `{"id":"1","title":"Blaze in the harbour"}
{"id":"2","title":"=Bank shares fall"}
{"id":"\t3","title":"Calm sea"}
{"id":"4"}
`

// answersTo classifies classifyInput by the rules of a folder without a model and
// returns what was written: to standard output for "-" or no flag, else to the
// file. The row without a title ends the command with code 1.
func answersTo(t *testing.T, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "rows.jsonl": classifyInput})
	code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./", "--input", "rows.jsonl"}, flags...)...)
	if code != 1 || !strings.Contains(stderr, "1 of 4 rows could not be classified") {
		t.Fatalf("%v: code %d: %s", flags, code, stderr)
	}
	if len(flags) == 0 || flags[1] == "-" {
		return []byte(stdout)
	}
	if stdout != "" {
		t.Errorf("%v: standard output holds %q", flags, stdout)
	}
	data, err := os.ReadFile(filepath.Join(dir, flags[1]))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestClassifyJSONL(t *testing.T) {
	for _, flags := range [][]string{nil, {"--output", "-"}, {"--output", "answers.jsonl"}} {
		tops := ""
		for line := range strings.Lines(string(answersTo(t, flags...))) {
			var a struct{ ID, Top, Error string }
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("%v: %v in %q", flags, err, line)
			}
			tops += a.ID + " " + a.Top
			if a.Error != "" {
				tops += "bad"
			}
			tops += ";"
		}
		if want := "1 fire;2 money;\t3 ;4 bad;"; tops != want {
			t.Errorf("%v: %q, want %q", flags, tops, want)
		}
	}
}

// TestClassifyRefusesItsInput: a file that is not of its format ends with code 1, a
// format that there is not with code 2.
func TestClassifyRefusesItsInput(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "rows.jsonl": classifyInput, "torn.parquet": "PAR1"})
	for want, flags := range map[int][]string{
		1: {"--input", "torn.parquet"},
		2: {"--input", "rows.jsonl", "--format", "xml"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./"}, flags...)...)
		if code != want || stdout != "" || !strings.Contains(stderr, "jsonl, csv or parquet") {
			t.Errorf("%v: code %d, want %d: %s%s", flags, code, want, stdout, stderr)
		}
	}
}

// TestClassifyCSV: no cell of a row is a formula.
func TestClassifyCSV(t *testing.T) {
	table, err := csv.NewReader(strings.NewReader(string(answersTo(t, "--output", "answers.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"id", "url", "title", "top", "source", "error", "fire_score", "fire_tag", "money_score", "money_tag"},
		{"1", "", "Blaze in the harbour", "fire", "keywords", "", "1", "", "", ""},
		{"2", "", "'=Bank shares fall", "money", "keywords", "", "", "", "1", ""},
		{"'\t3", "", "Calm sea", "", "keywords", "", "", "", "", ""},
	}
	if len(table) != 5 || table[4][0] != "4" || table[4][5] == "" {
		t.Fatalf("%q", table)
	}
	for i, w := range want {
		if !slices.Equal(table[i], w) {
			t.Errorf("line %d: %q, want %q", i, table[i], w)
		}
	}
}

func TestClassifyParquet(t *testing.T) {
	table, err := rows.ReadKeepingBad(strings.NewReader(string(answersTo(t, "--output", "answers.parquet"))), rows.Parquet)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 4 || !slices.Equal(table.Categories, []string{"fire", "money"}) {
		t.Fatalf("%d rows of %v", len(table.Rows), table.Categories)
	}
	if r := table.Rows[1]; r.ID != "2" || r.Title != "=Bank shares fall" || r.LabelSource != "keywords" || !r.Labels[0].Abstain || r.Labels[1].Score != 1 {
		t.Errorf("%+v", r)
	}
}

// TestRunFlagsOverrideTheConfig: every flag that says where and how a plan runs
// reaches the config, and the --output of a command that prints a document does
// not.
func TestRunFlagsOverrideTheConfig(t *testing.T) {
	origins := func(words ...string) map[string]options.Origin {
		a := &app.App{}
		cmd, rest, err := newRoot(a).Find(words)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, origins, err := a.LoadConfig(cmd, "")
		if err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		return origins
	}
	for option, o := range origins("run", "--store", "s", "--cache", "c", "--offline", "--executor", "local", "--device", "go", "--output", "plain", "--jobs", "3", "--keep-going", "--deadline", "1h") {
		if option != "endpoints" && o.From != "flag" {
			t.Errorf("%s comes from %s", option, o.From)
		}
	}
	for _, words := range [][]string{{"report", "--output", "folder"}, {"review", "export", "--output", "review.csv"}, {"classify", "--output", "answers.csv"}, {"status", "-o", "text"}} {
		if o := origins(words...)["output"]; o.From != "default" {
			t.Errorf("%v: the style of progress comes from %s", words, o.From)
		}
	}
	if o := origins("classify", "--device", "go")["device"]; o.From != "flag" {
		t.Errorf("the device comes from %s", o.From)
	}
}

// TestClassifyRefusesADamagedModel: weights that are no numbers end with code 9, and
// keywords do not answer in the model's place, asked to be strict or not.
func TestClassifyRefusesADamagedModel(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{""}}}, Pooling: bert.CLS, HeadHidden: 4, MaxLength: 16, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	m.Params[0].Data[0] = float32(math.NaN())
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"})
	for _, flags := range [][]string{nil, {"--strict"}} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./", "Blaze in the harbour"}, flags...)...)
		if code != 9 || stdout != "" || !strings.Contains(stderr, "NaN") {
			t.Errorf("%v: code %d, %q: %s", flags, code, stdout, stderr)
		}
	}
}
