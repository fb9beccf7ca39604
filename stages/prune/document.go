package prune

import (
	"fmt"
	"os"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
)

// Vocabulary is the document vocabulary.json: what a model lost with a part of its vocabulary.
type Vocabulary struct {
	Before Size `json:"before"`
	After  Size `json:"after"`
	// HeldOut is of the rows of test; nil without them.
	HeldOut *HeldOut `json:"held_out,omitempty"`
}

// Size is that of a model.
type Size struct {
	IDs        int   `json:"ids"`        // of the tokenizer
	Embeddings int64 `json:"embeddings"` // bytes of their table in memory, at four a number
	Bytes      int64 `json:"bytes"`      // of all files of the model
}

// HeldOut counts what became of the texts of rows that had no part in what stays.
type HeldOut struct {
	Rows int `json:"rows"`
	// RowsChanged have other pieces than before.
	RowsChanged int `json:"rows_changed"`
	// Tokens are those before, special ones and the prompt's among them.
	Tokens int `json:"tokens"`
	// TokensGone of them are no pieces any more, TokensAfter is how many there are now.
	TokensGone  int `json:"tokens_gone"`
	TokensAfter int `json:"tokens_after"`
}

// measure takes the size of a model that is in a folder. A file that goes away counts nothing.
func (s *Size) measure(m *bert.Model, dir string) {
	s.IDs, s.Bytes = m.Tokenizer.Size(), 0
	for _, p := range m.Params {
		if p.Name == bert.WordEmbeddings {
			s.Embeddings = 4 * int64(p.Size())
		}
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			s.Bytes += info.Size()
		}
	}
}

// compare counts how texts are cut before and after.
// old has, by id after, the one before.
func compare(old []int32, before, after []bert.Text) *HeldOut {
	h := &HeldOut{Rows: len(before)}
	for i := range before {
		changed := len(before[i].IDs) != len(after[i].IDs)
		for j, id := range before[i].IDs {
			now, stays := slices.BinarySearch(old, id)
			if !stays {
				h.TokensGone++
			}
			changed = changed || int(after[i].IDs[j]) != now
		}
		if h.Tokens, h.TokensAfter = h.Tokens+len(before[i].IDs), h.TokensAfter+len(after[i].IDs); changed {
			h.RowsChanged++
		}
	}
	return h
}

// String says it for people.
func (v *Vocabulary) String() string {
	const mega = 1e6
	out := fmt.Sprintf("%d of %d pieces, %.1f of %.1f MB", v.After.IDs, v.Before.IDs, float64(v.After.Bytes)/mega, float64(v.Before.Bytes)/mega)
	if h := v.HeldOut; h != nil {
		out += fmt.Sprintf("; of the test rows, which had no part in it, %s of the tokens are gone and %s of the texts are cut otherwise", percent(h.TokensGone, h.Tokens), percent(h.RowsChanged, h.Rows))
	}
	return out
}

func percent(part, all int) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(max(all, 1)))
}
