package publish

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

const everyForm = `
negation: {words: [no, ingen, inte, utan att], not: [inte bara, no doubt], within: 2}
categories:
  - name: crime
    tags: [robbery, theft]
    rules:
      - {id: robbery, tag: robbery, words: [rån, rånad, armed robbery], weight: 0.9}
      - {id: theft, tag: theft, prefixes: [stöld, grov stöld], suffixes: [tjuv, ung tjuv], not: [hjärtetjuv]}
      - {id: gang, compounds: [gäng], except: {prefixes: [gängtapp], words: [gäng i]}}
      - {id: joke, weight: -0.5, words: [skämt, rån skämt], prefixes: [ß]}
      - {id: certain, weight: -1, words: [film], parts: [bio]}
  - name: fire
    tags: [big]
    rules:
      - {id: part, parts: [brand, eld], not: {suffixes: [branda], parts: [brandvägg]}}
      - {id: big, tag: big, words: [brand, i brand], weight: 0.3, negatable: false}
  - name: other
    rules:
      sv: [{id: sun, words: [sol], weight: 0.7}]
      mul: [{id: long, words: [ſun, ΣΟΦΌΣ, İstanbul, groß, "x-ray"]}, {id: short, prefixes: [e4, ab], suffixes: [ån], compounds: [ös], parts: [ål]}]
`

const askRules = `
import json, sys
from rules import Rules
rules = Rules("rules.json")
print(json.dumps([rules.match([x for x in texts if x], language) for *texts, language in json.load(sys.stdin)]))
`

// askPython runs a script beside some files: it reads what is asked as JSON, and writes its
// answers so.
func askPython(t *testing.T, script string, files map[string][]byte, asked, answers any) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "-c", "import sys; sys.path.insert(0, '')\n"+script)
	cmd.Dir = t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	if err := json.Unmarshal(out, answers); err != nil {
		t.Fatalf("%v: %.200s", err, out)
	}
}

// TestRulesInPython: rules.py finds the weights, tags and shares that package keywords finds,
// on texts of what the rules are about and of what breaks folding.
func TestRulesInPython(t *testing.T) {
	parsed, problems := taxonomy.Parse([]byte(everyForm))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rules, err := foldRules([]byte(everyForm))
	if err != nil {
		t.Fatal(err)
	}
	pieces := []string{
		"rån", "RÅN", "ra\u030an", "från", "rånad", "armed", "robbery", "stöld", "grov", "tjuv", "ung", "hjärtetjuv", "gäng", "gängtapp", "skämt", "film", "bio", "brand", "branda", "vägg", "eld", "sol",
		"sun", "ſun", "σοφός", "İstanbul", "i\u0307stanbul", "groß", "GROSS", "gro\u00adß", "ẞ", "x", "ray", "e4", "E45", "ab", "ös", "ål", "ån", "no", "ingen", "inte", "utan", "att", "bara", "doubt", "i",
		" ", " ", " ", " ", "-", " - ", "!", ", ", "…", "\u00a0", "\u200d", "\u0301", "Č", "ŉ", "3", "東京", "\n",
	}
	rng := rand.New(rand.NewPCG(4, 5))
	texts := make([][3]string, 4000)
	for i := range texts {
		for f := range 2 {
			for range rng.IntN(4 + 9*(1-f)) {
				texts[i][f] += pieces[rng.IntN(len(pieces))]
				if rng.IntN(3) == 0 {
					texts[i][f] += " "
				}
			}
		}
		texts[i][2] = []string{"sv", "en", "sv-SE", "nb", " SV_fi"}[i%5]
	}
	var answers [][3][]float64
	if askPython(t, askRules, map[string][]byte{"rules.py": rulesPy, "rules.json": rules}, texts, &answers); len(answers) != len(texts) {
		t.Fatalf("%d answers", len(answers))
	}
	matcher, fired := keywords.New(parsed), 0
	var res keywords.Result
	for i, x := range texts {
		matcher.MatchIn(&res, x[2], x[0], x[1])
		shares := matcher.Shares(&res, nil)
		for c := range shares {
			got := [3]float64{answers[i][0][c], answers[i][1][c], answers[i][2][c]}
			if want := [3]float64{res.Scores[c], float64(res.Tags[c]), shares[c]}; got[1] != want[1] || math.Abs(got[0]-want[0]) > 1e-9 || math.Abs(got[2]-want[2]) > 1e-9 {
				t.Fatalf("%q: category %d has weight, tag and share %v, want %v", x, c, got, want)
			}
		}
		if res.Any() {
			fired++
		}
	}
	if fired < len(texts)/4 {
		t.Errorf("rules fired on %d of %d texts", fired, len(texts))
	}
}
