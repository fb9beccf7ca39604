package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxSamples caps the samples of a check, maxTitle the characters of a title.
const (
	maxSamples = 5
	maxTitle   = 120
)

// shorten shortens a title.
func shorten(title string) string {
	if r := []rune(title); len(r) > maxTitle {
		return string(r[:maxTitle-1]) + "…"
	}
	return title
}

func (s *evaluationSet) sample(row int, expected, answered string) Sample {
	r := &s.rows[row]
	return Sample{ID: cmp.Or(r.ID, r.URL), Title: shorten(r.Title), Expected: expected, Answered: answered}
}

// mistake reports whether an answer is wrong in the way that a check counts.
type mistake func(truth, answer bool) bool

func anyError(truth, answer bool) bool   { return truth != answer }
func falseAlarm(truth, answer bool) bool { return !truth && answer }
func missed(truth, answer bool) bool     { return truth && !answer }

func allRows(s *evaluationSet) []int {
	out := make([]int, len(s.rows))
	for i := range out {
		out[i] = i
	}
	return out
}

func rowsWithoutRules(s *evaluationSet) []int {
	return slices.DeleteFunc(allRows(s), func(i int) bool { return len(s.fired[i]) > 0 })
}

// wrong samples the mistakes of the model among rows at, those farthest from
// their threshold first; category -1 is any.
func (m *measurer) wrong(s *evaluationSet, at []int, category int, is mistake) []Sample {
	type found struct {
		row int
		by  float64
	}
	var list []found
	for _, i := range at {
		x := found{i, -1}
		for k := range m.t.Categories {
			if category >= 0 && k != category || !s.truth[i].Known[k] || !is(s.truth[i].Positive[k], s.answers[byModel][i].Positive[k]) {
				continue
			}
			x.by = math.Max(x.by, math.Abs(s.scores[i][k]-m.thresholds[k]))
		}
		if x.by >= 0 {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.by, a.by) })
	var out []Sample
	for _, x := range list[:min(maxSamples, len(list))] {
		answered := m.inWords(s.answers[byModel][x.row].Positive, category)
		if category >= 0 {
			answered += fmt.Sprintf(" (%.2f)", s.scores[x.row][category])
		}
		out = append(out, s.sample(x.row, m.inWords(s.truth[x.row].Positive, category), answered))
	}
	return out
}

// worse samples rows on which a classifier makes more mistakes than another.
func (m *measurer) worse(s *evaluationSet, classifier, than int) []Sample {
	count := func(row, c int) (n int) {
		for k := range m.t.Categories {
			if s.truth[row].Known[k] && s.truth[row].Positive[k] != s.answers[c][row].Positive[k] {
				n++
			}
		}
		return n
	}
	var out []Sample
	for i := range s.rows {
		if len(out) < maxSamples && count(i, classifier) > count(i, than) {
			answered := m.positiveNames(s.answers[classifier][i].Positive)
			if classifier == byMasked {
				answered += " with the rules' words hidden"
			}
			out = append(out, s.sample(i, m.positiveNames(s.truth[i].Positive), answered))
		}
	}
	return out
}

func (m *measurer) wrongTags(s *evaluationSet, category int) []Sample {
	var out []Sample
	for i, t := range s.truth {
		for k, c := range m.t.Categories {
			want, got := t.Tags[k], s.answers[byModel][i].Tags[k]
			if len(out) < maxSamples && (category < 0 || k == category) && t.Known[k] && t.Positive[k] && want != "" && want != got {
				out = append(out, s.sample(i, c.Name+": "+want, c.Name+": "+cmp.Or(got, "no tag")))
			}
		}
	}
	return out
}

// inWords names the categories that are positive, or says of one whether it is.
func (m *measurer) inWords(positive []bool, category int) string {
	switch {
	case category < 0:
		return m.positiveNames(positive)
	case positive[category]:
		return m.t.Categories[category].Name
	}
	return "not " + m.t.Categories[category].Name
}

func (m *measurer) positiveNames(positive []bool) string {
	var out []string
	for k, p := range positive {
		if p {
			out = append(out, m.t.Categories[k].Name)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "nothing")
}
