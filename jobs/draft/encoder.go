package draft

import (
	"strings"
	"unicode"
)

// English is what the encoder of a draft reads. Rows are of another language where one in
// ten has letters that English does not, and fewer than one word in twenty is of those that
// English texts are full of. Names of products have neither, and are left alone.
const (
	foreignRows  = 10
	englishWords = 20
)

// notEnglish reports whether most rows seem to be of another language than English.
func (p *problem) notEnglish() bool {
	words, english, foreign := 0, 0, 0
	n := min(len(p.rows), fewScanned)
	for i := range n {
		text := strings.ToLower(p.rows[i].words())
		if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }) {
			foreign++
		}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
			if words++; stopWords[word] {
				english++
			}
		}
	}
	return n > 0 && foreign*foreignRows >= n && english*englishWords < words
}

// multilingual is an encoder that reads about a hundred languages.
const multilingual = "intfloat/multilingual-e5-small"

// encoderLines are the encoder, with what there is for rows that it does not read well.
func (p *problem) encoderLines(line func(string, ...any)) {
	if p.notEnglish() {
		line("      encoder: all-minilm-l6-v2 # it reads English; %s reads a hundred languages, and is fetched from the hub (470 MB)", multilingual)
		return
	}
	line("      encoder: all-minilm-l6-v2")
}
