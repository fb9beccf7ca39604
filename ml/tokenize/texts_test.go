package tokenize_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// mixture makes texts of the kinds that news, and hostile rows, hold. Its words
// follow Zipf's law, as those of every language do. Equal seeds make equal texts.
type mixture struct {
	rng   *rand.Rand
	zipf  *rand.Zipf
	words map[string][]string
}

// Syllables of which a language's words are made, common ones first.
var syllables = map[string][]string{
	"swedish":   strings.Fields("en de för stad brand polis väg skol års het ning land över kommun miljö regering väst öst åtal händ gata bostad skatt lön vård sjuk hus tåg flyg rån inbrott val ström vind skog sjö båt"),
	"english":   strings.Fields("the pol ice min ist er fire road crash mar ket share gov ern ment new bank strike school hos pit al storm rain vot ing elec tion court mur der trade ship port cup goal"),
	"ukrainian": strings.Fields("но ви ни ук ра їн а ки їв мі сто пре зи дент вій на по лі ція су д гро ші шко ла лі кар ня вог онь рі ка до ро га її є ґа нок й о"),
	"arabic":    strings.Fields("ال أخ بار مد ينة شر طة حر يق رئ يس حك ومة سو ق بن ك مد رسة مس تشفى نه ر طر يق ؤ إ ة ى َ ُ ّ"),
	"cjk":       strings.Fields("新 闻 北 京 市 场 政 府 学 校 医 院 警 察 火 灾 銀 行 選 挙 東 京 뉴 스 서 울 경 찰 ニ ュ ー ス で す 々 〇 㐀 𠀀"),
}

func newMixture(seed uint64) *mixture {
	m := &mixture{rng: rand.New(rand.NewPCG(seed, 1)), words: map[string][]string{}}
	m.zipf = rand.NewZipf(m.rng, 1.1, 4, 19_999)
	for _, name := range []string{"swedish", "english", "ukrainian", "arabic", "cjk"} {
		parts := syllables[name]
		for range 20_000 {
			var b strings.Builder
			for range 1 + m.rng.IntN(4) {
				b.WriteString(parts[m.rng.IntN(len(parts))])
			}
			m.words[name] = append(m.words[name], b.String())
		}
	}
	return m
}

func (m *mixture) word(language string) string {
	w := m.words[language][m.zipf.Uint64()]
	switch m.rng.IntN(12) {
	case 0:
		return strings.ToUpper(w)
	case 1, 2:
		first := []rune(w)
		return strings.ToUpper(string(first[0])) + string(first[1:])
	}
	return w
}

// headline is a short text of one language.
func (m *mixture) headline(language string) string {
	var b strings.Builder
	for i := range 5 + m.rng.IntN(9) {
		switch {
		case i == 0:
		case m.rng.IntN(12) == 0:
			b.WriteString([]string{", ", ": ", " – ", "-", "/", ". ", " (", ") ", " ”", "’", " & "}[m.rng.IntN(11)])
		default:
			b.WriteByte(' ')
		}
		if m.rng.IntN(14) == 0 {
			fmt.Fprintf(&b, "%d", m.rng.IntN(1<<(1+m.rng.IntN(20))))
			continue
		}
		b.WriteString(m.word(language))
	}
	return b.String()
}

// oddities are what breaks tokenizers.
var oddities = []string{
	"🎉", "👩‍👩‍👧‍👦", "🇸🇪", "👍🏽", "☃️", "e\u0301", "a\u0323\u0302", "o\u0308\u0304", "\u0301", "ﬁ", "İ", "ß", "ς", "Ǆ", "K", "Å", "가", "각",
	"\u200b", "\u200d", "\u00ad", "\ufeff", "\u202e", "\u0000", "\u0001", "\u0007", "\u007f", "\u0085", "\u2028", "\u3000", "\u00a0", "\t", "\n", "\r\n",
	"\ufffd", "\uffff", "\ue000", "\U000e0001", "\U0010ffff", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[mask]", "[MASK", "##ing", "[[SEP]]", "…", "¿", "«", "»",
	"‰", "№", "𝔘", "𐍈", "אב", "ไทย", "हिन्दी", "ñ", "n\u0303", "\u1e9b\u0323", "㎏", "①", "〆", "\u0345", "\u0f73", "\u0f71\u0f72",
}

// next is any of all kinds.
func (m *mixture) next() string {
	languages := []string{"swedish", "english", "ukrainian", "arabic", "cjk"}
	language := languages[m.rng.IntN(len(languages))]
	switch k := m.rng.IntN(40); {
	case k < 26:
		return m.headline(language)
	case k < 30: // a headline with something odd in it
		b := []string{m.headline(language)}
		for range 1 + m.rng.IntN(4) {
			b = append(b, oddities[m.rng.IntN(len(oddities))], m.word(languages[m.rng.IntN(len(languages))]))
		}
		return strings.Join(b, []string{"", " "}[m.rng.IntN(2)])
	case k < 33: // languages mixed, without blanks
		var b strings.Builder
		for range 2 + m.rng.IntN(6) {
			b.WriteString(m.word(languages[m.rng.IntN(len(languages))]))
		}
		return b.String()
	case k < 35: // a long text
		var b strings.Builder
		for range 5 + m.rng.IntN(30) {
			b.WriteString(m.headline(language) + ". ")
		}
		return b.String()
	case k < 36: // a word around the length at which it becomes unknown
		w := strings.Repeat(m.word(language), 60)
		return string([]rune(w)[:min(95+m.rng.IntN(12), len([]rune(w)))]) + " " + m.word(language)
	case k < 38: // runes of the planes
		var b strings.Builder
		for range 1 + m.rng.IntN(40) {
			r := rune(m.rng.IntN(1 << (7 + m.rng.IntN(15))))
			if r > 0x10ffff || r >= 0xd800 && r < 0xe000 {
				continue
			}
			b.WriteRune(r)
		}
		return b.String()
	default: // oddities alone
		var b strings.Builder
		for range m.rng.IntN(8) {
			b.WriteString(oddities[m.rng.IntN(len(oddities))])
		}
		return b.String()
	}
}
