package tokenize

import "strings"

// Parts says of every id whether its token goes on with the word before it
// (WordPiece's ##, or no blank before it where the vocabulary marks blanks), and
// whether it marks a text's parts instead of being one: [CLS], [SEP], [PAD],
// [MASK]. Both slices have Size entries.
func (t *Tokenizer) Parts() (inside, fixed []bool) {
	inside, fixed = make([]bool, t.size), make([]bool, t.size)
	blank := ""
	for _, mark := range []string{"##", "Ġ", "▁"} {
		for token := range t.ids {
			if strings.HasPrefix(token, mark) && token != mark && blank == "" {
				blank = mark
			}
		}
	}
	for token, id := range t.ids {
		if blank != "" {
			inside[id] = strings.HasPrefix(token, blank) == (blank == "##")
		}
	}
	marks := []int32{t.spec.cls, t.spec.sep}
	for _, name := range []string{"[PAD]", "[MASK]", "<pad>", "<mask>"} {
		if id, ok := t.ids[name]; ok {
			marks = append(marks, id)
		}
	}
	for _, id := range marks {
		if int(id) < len(fixed) {
			inside[id], fixed[id] = false, true
		}
	}
	return inside, fixed
}
