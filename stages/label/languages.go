package label

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/sprint-ml/sprint/ml/language"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// unknownLanguage stands for the language of rows of which nobody can say it.
const unknownLanguage = "unknown"

// ReadLanguages says the language of rows where rules are by language.
func (o *Options) ReadLanguages(src stages.Source) stages.LanguageOf {
	t, err := dataset.Taxonomy(src)
	if err != nil || !o.uses(sourceRules) || len(t.Languages()) == 0 {
		return nil
	}
	expected, silent := t.Languages(), map[string]bool{}
	return func(given, title, description string) (string, bool) {
		code := language.Of(given, title, description, expected)
		if _, known := silent[code]; !known {
			silent[code] = t.Silent(code)
		}
		return code, silent[code]
	}
}

// findLanguages gives rows the language that they are in, where rules ask for it or the
// plan does: what their column says, else what their letters do. It stays with them, so
// that nobody finds it out again.
func (s *stage) findLanguages(t *taxonomy.Taxonomy, articles []rows.Row) bool {
	expected := t.Languages()
	if len(expected) == 0 && !s.o.DetectLanguages {
		return false
	}
	for i := range articles {
		r := &articles[i]
		r.Language = language.Of(r.Language, r.Title, r.Description, expected)
	}
	return true
}

// addLanguages counts the rows of each language, and says which have no rules.
func (s *stage) addLanguages(t *taxonomy.Taxonomy, b *assembly) {
	b.report.Languages = map[string]*LanguageReport{}
	for i := range b.rows {
		r := &b.rows[i]
		name := r.Language
		if name == "" {
			name = unknownLanguage
		}
		l := b.report.Languages[name]
		if l == nil {
			l = &LanguageReport{NoRules: s.o.uses(sourceRules) && t.Silent(r.Language)}
			b.report.Languages[name] = l
		}
		l.Rows++
		if slices.ContainsFunc(r.Labels, func(l rows.Label) bool { return l.Score > 0 }) {
			l.Covered++
		}
	}
	counts := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(b.report.Languages)) {
		l := b.report.Languages[name]
		counts[name] = l.Rows
		if l.NoRules {
			s.env.Log.Warn("rows of this language get no label from rules: none is of it", slog.String("language", name), slog.Int("rows", l.Rows))
		}
	}
	s.env.Note("languages", counts)
}
