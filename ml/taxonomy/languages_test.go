package taxonomy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const byLanguage = `categories:
  - name: sports
    rules:
      sv: [{id: cup, words: [straff]}, {words: [mål]}]
      nb: [{id: cup, words: [straff]}]
      mul: [{id: names, words: [uefa]}]
  - name: weather
    rules: [{id: storm, words: [storm]}]
`

// TestRulesByLanguage: each rule knows its language, ids say it, the same words in two
// languages are no repetition, and a file without languages has the key that it always had.
func TestRulesByLanguage(t *testing.T) {
	got, problems := Parse([]byte(byLanguage))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var rules []string
	for _, r := range got.Rules {
		rules = append(rules, r.ID+" "+r.Language)
	}
	if want := []string{"sv.cup sv", "sv.rule-2 sv", "no.cup no", "mul.names ", "storm "}; !slices.Equal(rules, want) {
		t.Errorf("%q, want %q", rules, want)
	}
	if !slices.Equal(got.Languages(), []string{"sv", "no"}) || len(got.Warnings) > 0 {
		t.Errorf("%v %v", got.Languages(), got.Warnings)
	}
	key := got.RulesKey()
	if key["languages"] == nil || key["sports/sv.cup"].(map[string]any)["language"] != "sv" || key["weather/storm"].(map[string]any)["language"] != nil {
		t.Errorf("%v", key)
	}
	plain, _ := Parse([]byte("categories: [{name: weather, rules: [{id: storm, words: [storm]}]}]"))
	want := map[string]any{"weather/storm": map[string]any{"order": 0.0, "weight": 1.0, "tag": "", "words": []any{"storm"}}}
	if !reflect.DeepEqual(plain.RulesKey(), want) {
		t.Errorf("the key without languages is %v", plain.RulesKey())
	}
	if got.Silent("fi") || plain.Silent("") {
		t.Error("rules of any language are silent")
	}
	alone, _ := Parse([]byte("categories: [{name: a, rules: {sv: [{words: [xx]}]}}]"))
	if alone.Silent("sv") || !alone.Silent("fi") || !alone.Silent("") {
		t.Error("which languages have rules is wrong")
	}
}

// TestWrongLanguages: what is no language is told with the one that was perhaps meant.
func TestWrongLanguages(t *testing.T) {
	for rules, want := range map[string]string{
		`{svenska: [{words: [xx]}]}`:                 `"svenska" is no language: did you mean "sv"?`,
		`{Swedish: [{words: [xx]}]}`:                 `"Swedish" is no language: did you mean "sv"?`,
		`{sv-SE: [{words: [xx]}]}`:                   `"sv-SE" is no language: did you mean "sv"?`,
		`{SV: [{words: [xx]}]}`:                      `"SV" is no language: did you mean "sv"?`,
		`{norsk: [{words: [xx]}]}`:                   `"norsk" is no language: did you mean "no"?`,
		`{qq9: [{words: [xx]}]}`:                     `"qq9" is no language: the primary subtags`,
		`{}`:                                         `rules by language name no language`,
		`{sv: {words: [xx]}}`:                        `rules of sv must be a list`,
		`{sv: }`:                                     `rules of sv must be a list`,
		`{nb: [{words: [xx]}], no: [{words: [yy]}]}`: `rules of no stand twice, as nb and as no`,
		`{words: [xx]}`:                              `rules must be a list of rules, or a map of such lists by language`,
		`{sv: [{words: [xx], language: sv}]}`:        `unknown key "language" in a rule`,
		`{sv: [{id: a, words: [xx]}, {id: a, words: [yy]}]}`: `a second rule sv.a in a`,
		`{sv: [{words: [xx]}, {words: [xx]}]}`:               `"xx" stands in rule sv.rule-1 too`,
		`{sv: &a [{words: [xx]}]}`:                           `anchors and aliases are not allowed`,
		`{[a]: [{words: [xx]}]}`:                             `"" is no language`,
	} {
		_, problems := Parse([]byte("strict: true\ncategories: [{name: a, rules: " + rules + "}]"))
		var said []string
		for _, p := range problems {
			said = append(said, p.Message+": "+p.Hint)
		}
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s: %q, want %s", rules, said, want)
		}
	}
}

// TestLanguageWithoutDetector: rules of a language that nobody can find out need a column.
func TestLanguageWithoutDetector(t *testing.T) {
	got, problems := Parse([]byte("categories: [{name: a, rules: {se: [{words: [xx]}], id: [{words: [yy]}], sv: [{words: [zz]}]}}, {name: b, rules: {se: [{words: [xx]}]}}]"))
	if len(problems) > 0 || len(got.Warnings) != 2 || !strings.Contains(got.Warnings[0].Message, "the language se cannot be found out") || !strings.Contains(got.Warnings[1].Message, "language id") {
		t.Errorf("%v %v", problems, got)
	}
}

// TestTestsOfALanguage: a test may say in which language its text is.
func TestTestsOfALanguage(t *testing.T) {
	tax, _ := Parse([]byte(byLanguage))
	tests, problems := ParseTests([]byte("tests: [{text: Straff, language: nb, want: sports}, {text: Mål, want: none}]"), tax)
	if len(problems) > 0 || tests[0].Language != "no" || tests[1].Language != "" {
		t.Errorf("%v %v", tests, problems)
	}
	if _, problems = ParseTests([]byte("tests: [{text: Straff, language: norsk, want: sports}]"), tax); len(problems) != 1 || !strings.Contains(problems[0].Hint, `"no"`) {
		t.Errorf("%v", problems)
	}
}
