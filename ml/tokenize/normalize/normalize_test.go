package normalize

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestGraphemes has the rules of UAX #29 one by one.
func TestGraphemes(t *testing.T) {
	for _, clusters := range [][]string{
		{"a", "b"}, {"\r\n", "\n", "\r"}, {"e\u0301\u0302", "e"}, {"\u0600a", "a"}, {"\u0915\u094d\u0915", "a"}, {"\u0915\u0915"[:3], "\u0915"}, {"\u0915\u094d\u200d\u0915"},
		{"🇸🇪", "🇳🇴", "🇫"}, {"👩\u200d👩", "👩"}, {"👩\u200d\u200d", "👩"}, {"👩\u200d\u0301\u200d", "👩"}, {"a\u200d", "👩"}, {"각", "가"}, {"\u1100\u1161\u11a8", "\u1100"}, {"\u0001", "\u0301"}, {"ก\u0e33", "ก"},
	} {
		text := strings.Join(clusters, "")
		for _, want := range clusters {
			if got := text[:grapheme([]byte(text))]; got != want {
				t.Fatalf("%+q: %+q, want %+q", clusters, got, want)
			}
			text = text[len(want):]
		}
	}
}

// TestManyMarks: no joiner stands between the marks, however many there are.
func TestManyMarks(t *testing.T) {
	for _, m := range []string{"\u0301", "\u0316\u0301", "\u0344"} {
		for _, form := range []string{"NFC", "NFD", "NFKC", "NFKD"} {
			steps, err := Parse(json.RawMessage(`{"type":"` + form + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			few, many := steps[0].Apply(nil, []byte("ﬁa"+strings.Repeat(m, 4)+"b")), steps[0].Apply(nil, []byte("ﬁa"+strings.Repeat(m, 40)+"b"))
			if strings.Contains(string(many), "\u034f") {
				t.Errorf("%s of many %+q has a joiner", form, m)
			}
			if head := few[:6]; string(many[:6]) != string(head) || many[len(many)-1] != 'b' {
				t.Errorf("%s of %+q: %+q, few: %+q", form, m, many, few)
			}
		}
	}
}
