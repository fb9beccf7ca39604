package titles

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// FuzzOrdinary: what is taken for an ordinary title is one.
func FuzzOrdinary(f *testing.F) {
	for _, s := range []string{"Fire in town", "Åre – é’s", "a - b", "s : x", "A ( b )", " a", "e\u0301", "x\u2013", "\u024f \u0180"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ordinary(s) && normalizeAny(s) != s {
			t.Errorf("%q becomes %q", s, normalizeAny(s))
		}
	})
}

// TestLongTitles: the spacing of a title is mended in time and memory that are in
// proportion to it, however its tokens join.
func TestLongTitles(t *testing.T) {
	for _, token := range []string{". ", ", ", " - b", "' ", `" `, "a : s ", "1 . 2 ", "( ", "\u0301", "« "} {
		title := "Aa " + strings.Repeat(token, 900_000/len(token))
		fuzztest.Bounded(t, func() { Normalize(title) })
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"USA : s president":                       "USA:s president",
		"Höjd a - kassa":                          "Höjd a-kassa",
		"Kristersson : Kallade till möte":         "Kristersson: Kallade till möte",
		"20 - årig man":                           "20-årig man",
		"Larm om brand - polisen på plats":        "Larm om brand - polisen på plats",
		"Saab - chefen avgår":                     "Saab-chefen avgår",
		`Han sa " nej " .`:                        `Han sa "nej".`,
		"It ' s over":                             "It's over",
		"Rea ( ny ) , nu !":                       "Rea (ny), nu!",
		"Klockan 10 . 30 och 2 , 5 grader":        "Klockan 10.30 och 2,5 grader",
		"  tabs\tand\nlines \x00":                 "tabs and lines",
		"bad \xff byte":                           "bad \uFFFD byte",
		"e\u0301":                                 "\u00e9",
		"Already fine: it's a-b (c), \"d\" - e.":  "Already fine: it's a-b (c), \"d\" - e.",
		"Gasutsläpp i Stockholm – explosionsrisk": "Gasutsläpp i Stockholm – explosionsrisk",
		"":                         "",
		"\u200b":                   "",
		": leading":                ": leading",
		"lone \" mark":             "lone \" mark",
		"Bank \" A \" and \" B \"": "Bank \"A\" and \"B\"",
	} {
		if got := Normalize(in); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"USA : s", "a - b - c", `" x " ' y '`, "1 . 2 , 3", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Normalize(s)
		if !utf8.ValidString(once) || strings.TrimSpace(once) != once {
			t.Errorf("%q -> %q", s, once)
		}
		if len(s) < 60 {
			if twice := Normalize(once); twice != once {
				t.Errorf("%q -> %q -> %q", s, once, twice)
			}
		}
	})
}
