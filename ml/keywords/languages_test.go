package keywords

import (
	"slices"
	"testing"
)

const polyglot = `
negation: {words: [inte, ikke]}
categories:
  - name: sports
    rules:
      sv: [{id: penalty, words: [straff, straffen]}, {id: goal, words: [mål], not: [räddade]}]
      no: [{id: penalty, words: [straffe]}]
      mul: [{id: names, words: [uefa]}]
  - name: crime
    rules:
      no: [{id: sentence, words: [straff, straffen]}]
  - name: weather
    rules: [{id: storm, words: [storm]}]
`

// TestRulesOfLanguages: a rule fires on texts of its language alone, given or found out,
// and those of all languages on every one.
func TestRulesOfLanguages(t *testing.T) {
	m := New(parse(t, polyglot))
	var r Result
	for _, c := range []struct {
		given, text string
		language    string
		fired       []string
	}{
		{"", "Målvakten räddade straffen i sista minuten", "sv", []string{"sports:sv.penalty"}},
		{"", "Han fikk lavere straff i lagmannsretten", "no", []string{"crime:no.sentence"}},
		{"Norwegian", "Straff", "no", []string{"crime:no.sentence"}},
		{"sv-SE", "Straff, storm, UEFA", "sv", []string{"sports:sv.penalty", "weather:storm", "sports:mul.names"}},
		{"fi", "Straff, storm, UEFA", "fi", []string{"weather:storm", "sports:mul.names"}},
		{"", "UEFA", "", []string{"sports:mul.names"}},
		{"", "Straff", "sv", []string{"sports:sv.penalty"}},
		{"sv", "Inte straff", "sv", nil},
		{"sv", "Räddade mål", "sv", nil},
		{"", "Die Regierung legt einen neuen Haushalt vor: straff", "de", nil},
	} {
		m.MatchIn(&r, c.given, c.text, "")
		var fired []string
		for _, h := range r.Fired {
			rule := m.tax.Rules[h.Rule]
			fired = append(fired, m.tax.Categories[rule.Category].Name+":"+rule.ID)
		}
		if r.Language != c.language || !slices.Equal(fired, c.fired) || r.Any() != (c.fired != nil) {
			t.Errorf("%q %q: %q in %q, want %q in %q", c.given, c.text, fired, r.Language, c.fired, c.language)
		}
	}
	plain := New(parse(t, rules))
	if plain.MatchIn(&r, "sv", "Rån", ""); r.Language != "" || !r.Any() {
		t.Errorf("rules of no language ask for one: %q", r.Language)
	}
}
