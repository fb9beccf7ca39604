package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
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
		if code != want || stdout != "" || !strings.Contains(stderr, "jsonl, csv, parquet or text") {
			t.Errorf("%v: code %d, want %d: %s%s", flags, code, want, stdout, stderr)
		}
	}
}

// TestClassifyKeepsItsInput: answers are not written over the rows, whatever the file is
// called; the rows stay.
func TestClassifyKeepsItsInput(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "rows.jsonl": classifyInput})
	if err := errors.Join(os.Link(filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "hard.jsonl")), os.Symlink("rows.jsonl", filepath.Join(dir, "soft.jsonl"))); err != nil {
		t.Skip(err)
	}
	stdin, err := os.Open(filepath.Join(dir, "rows.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	t.Chdir(dir)
	for _, input := range []string{"rows.jsonl", "soft.jsonl", "-", ""} {
		for _, output := range []string{"./rows.jsonl", "hard.jsonl", "soft.jsonl"} {
			var out, said bytes.Buffer
			env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
			code := run(t.Context(), []string{"classify", "--device", "go", "--model", "./", "--input", input, "--output", output}, env, stdin, &out, &said)
			data, err := os.ReadFile("rows.jsonl")
			if code != 2 || !strings.Contains(said.String(), "--output "+output+" is the file of the input") || err != nil || string(data) != classifyInput {
				t.Errorf("%q to %s: code %d, %v: %s", input, output, code, err, said.String())
			}
		}
	}
	if code, _, stderr := exec(t, dir, "classify", "--device", "go", "--model", "./", "--input", "/dev/null", "--output", "/dev/null"); code != 0 {
		t.Errorf("a device that is both: code %d, %s", code, stderr)
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
	var table []rows.Row
	categories, _, err := rows.Each(strings.NewReader(string(answersTo(t, "--output", "answers.parquet"))), rows.Layout{Format: rows.Parquet}, nil, func(r *rows.Row, _ []string) error {
		table = append(table, *r)
		table[len(table)-1].Labels = slices.Clone(r.Labels)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != 4 || !slices.Equal(categories, []string{"fire", "money"}) {
		t.Fatalf("%d rows of %v", len(table), categories)
	}
	if r := table[1]; r.ID != "2" || r.Title != "=Bank shares fall" || r.LabelSource != "keywords" || !r.Labels[0].Abstain || r.Labels[1].Score != 1 {
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
	for option, o := range origins("run", "--store", "s", "--cache", "c", "--offline", "--executor", "local", "--device", "go", "--output", "plain", "--jobs", "3", "--keep-going", "--deadline", "1h", "--max-cost", "5") {
		if option != "endpoints" && option != "executors" && !strings.HasPrefix(option, "store_key") && !strings.HasPrefix(option, "model_keys") && o.From != "flag" {
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

// tinyModel is the release folder of a small model, without its manifest.
func tinyModel(t *testing.T, bend func(*bert.Model)) string {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}}, Pooling: bert.CLS, HeadHidden: 4, MaxLength: 16, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	bend(m)
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"})
	return dir
}

// listFiles writes the manifest of a release folder.
func listFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]any{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256(data)), "size": len(data)}
	}
	text, err := json.Marshal(map[string]any{"format": 1, "files": files})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"manifest.json": string(text)})
}

// TestClassifyRefusesADamagedModel: weights that are no numbers end with code 9, and
// keywords do not answer in the model's place, asked to be strict or not.
func TestClassifyRefusesADamagedModel(t *testing.T) {
	dir := tinyModel(t, func(m *bert.Model) { m.Params[0].Data[0] = float32(math.NaN()) })
	listFiles(t, dir)
	for _, flags := range [][]string{nil, {"--strict"}} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./", "Blaze in the harbour"}, flags...)...)
		if code != 9 || stdout != "" || !strings.Contains(stderr, "NaN") {
			t.Errorf("%v: code %d, %q: %s", flags, code, stdout, stderr)
		}
	}
}

// TestReleaseFolderIsChecked: weights that are other than published, though numbers, end with
// code 9 and the file's name, for classify and serve; a folder that is whole answers, and
// strict demands the manifest that shows it.
func TestReleaseFolderIsChecked(t *testing.T) {
	dir := tinyModel(t, func(*bert.Model) {})
	classify := []string{"classify", "--device", "go", "--model", "./", "Blaze in the harbour"}
	if code, _, stderr := exec(t, dir, classify...); code != 0 || !strings.Contains(stderr, "used unchecked") {
		t.Errorf("without a manifest: code %d: %s", code, stderr)
	}
	if code, stdout, stderr := exec(t, dir, append(classify, "--strict")...); code != 9 || stdout != "" || !strings.Contains(stderr, "no manifest.json") {
		t.Errorf("strict without a manifest: code %d: %s", code, stderr)
	}
	listFiles(t, dir)
	if code, stdout, stderr := exec(t, dir, append(classify, "--strict")...); code != 0 || !strings.Contains(stdout, `"source":"model"`) || stderr != "" {
		t.Errorf("a whole folder: code %d: %s%s", code, stdout, stderr)
	}
	path := filepath.Join(dir, "model.safetensors")
	weights, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(weights) - 4000; i < len(weights); i += 4 {
		weights[i+3] ^= 0x80 // the sign of a number
	}
	if err := os.WriteFile(path, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0") // serve must not come so far as to listen
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, words := range [][]string{classify, append(classify, "--strict"), {"serve", "--device", "go", "--model", "./", "--listen", taken.Addr().String()}} {
		if code, stdout, stderr := exec(t, dir, words...); code != 9 || stdout != "" || !strings.Contains(stderr, "model.safetensors") {
			t.Errorf("%v: code %d, %q: %s", words, code, stdout, stderr)
		}
	}
}

// TestHostileFolder: a sprint.yaml in the working directory that names a cache ends commands
// with code 2, its line and where to put it instead; one that names none is used, and named
// once. What the user says is taken.
func TestHostileFolder(t *testing.T) {
	dir := tinyModel(t, func(*bert.Model) {})
	listFiles(t, dir)
	classify := []string{"classify", "--device", "go", "--model", "./", "Blaze in the harbour"}
	write(t, dir, map[string]string{"sprint.yaml": "device: go\ncache: ./hostile\n"})
	for _, words := range [][]string{classify, {"doctor"}, {"status"}, {"config"}} {
		code, stdout, stderr := exec(t, dir, words...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, "sprint.yaml:2:1: cache: ") || !strings.Contains(stderr, filepath.Join(".config", "sprint", "config.yaml")) {
			t.Errorf("%v: code %d, %q: %s", words, code, stdout, stderr)
		}
	}
	code, stdout, stderr := exec(t, dir, "config", "--config", "sprint.yaml")
	if code != 0 || !strings.Contains(stdout, filepath.Join(dir, "hostile")) || stderr != "" {
		t.Errorf("named: code %d: %s%s", code, stdout, stderr)
	}
	write(t, dir, map[string]string{"sprint.yaml": "device: go\n", "plan.yaml": goodPlan})
	for want, words := range map[int][]string{1: {"config", "plan.yaml"}, 0: {"config", "plan.yaml", "--quiet"}} {
		if code, _, stderr := exec(t, dir, words...); code != 0 || strings.Count(stderr, "using the config sprint.yaml\n") != want {
			t.Errorf("%v: code %d: %s", words, code, stderr)
		}
	}
}

// TestUsersOwnConfig: it stands in the home folder, or where the system's variable says, and
// below every other file.
func TestUsersOwnConfig(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	for _, folder := range []string{filepath.Join(home, ".config"), filepath.Join(home, "xdg")} {
		if err := os.MkdirAll(filepath.Join(folder, "sprint"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "sprint"), map[string]string{"config.yaml": "parallel: 7\ncache: " + folder + "\n"})
	}
	write(t, dir, map[string]string{"sprint.yaml": "parallel: 3\n"})
	t.Chdir(dir)
	for want, env := range map[string][]string{
		filepath.Join(home, ".config"): {"HOME=" + home, "XDG_CONFIG_HOME=relative"},
		filepath.Join(home, "xdg"):     {"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "xdg")},
	} {
		var out, problems bytes.Buffer
		code := run(t.Context(), []string{"config", "--origin"}, env, strings.NewReader(""), &out, &problems)
		got := regexp.MustCompile(` +`).ReplaceAllString(out.String(), " ")
		if code != 0 || !strings.Contains(got, "cache "+want+" user file ") || !strings.Contains(got, "parallel 3 file ") {
			t.Errorf("%v: code %d: %s%s", env, code, got, problems.String())
		}
	}
}

// TestNamedDeviceMustBeThere: who names a device that this machine has not gets code 4 and
// no keywords in the model's place; with auto the keywords may answer, and it is said.
func TestNamedDeviceMustBeThere(t *testing.T) {
	dir := tinyModel(t, func(*bert.Model) {})
	listFiles(t, dir)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	for _, words := range [][]string{
		{"classify", "--device", "cpu", "--model", "./", "--offline", "--cache", "empty", "Blaze"}, {"classify", "--device", "cpu", "--model", "./", "--offline", "--cache", "empty", "--strict", "Blaze"},
		{"serve", "--device", "cpu", "--model", "./", "--offline", "--cache", "empty", "--listen", "127.0.0.1:0"},
	} {
		code, stdout, stderr := exec(t, dir, words...)
		if code != 4 || stdout != "" || strings.Contains(stderr, "keywords answer, ") || !strings.Contains(stderr, `device "cpu"`) {
			t.Errorf("%v: code %d, %q: %s", words, code, stdout, stderr)
		}
	}
}

// TestClassifyInAWorkflow: in the log of a workflow no text of a row is a command of it, and the
// answer means the same.
func TestClassifyInAWorkflow(t *testing.T) {
	const id = "##[add-mask]1"
	env := []string{"HOME=" + t.TempDir(), "GITHUB_ACTIONS=true"}
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "rows.jsonl": `{"id":"` + id + `","title":"Blaze in the harbour"}`})
	t.Chdir(dir)
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"classify", "--device", "go", "--model", "./", "--input", "rows.jsonl"}, env, strings.NewReader(""), &stdout, &stderr)
	var answer struct{ ID string }
	if err := json.Unmarshal([]byte(stdout.String()), &answer); code != 0 || err != nil || answer.ID != id || strings.Contains(stdout.String()+stderr.String(), "##[") {
		t.Errorf("code %d, %v: %s%s", code, err, stdout.String(), stderr.String())
	}
}
