package report

import (
	"strings"
	"testing"
)

func TestLink(t *testing.T) {
	for raw, want := range map[string]string{
		"https://news.example/a?b=c":      "https://news.example/a?b=c",
		"http://news.example/å":           "http://news.example/%C3%A5",
		"javascript:alert(1)":             "",
		"JaVaScRiPt:alert(1)":             "",
		" javascript:alert(1)":            "",
		"data:text/html,x":                "",
		"//evil.example":                  "",
		"https:evil":                      "",
		"https://user:pass@news.example/": "",
		"file:///etc/passwd":              "",
		"g17":                             "",
		"https://a.example/" + strings.Repeat("x", 3000): "",
	} {
		if got := link(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{f2(-0.001): "0.00", f2(-0.01): "-0.01", f3(2e9): "?", count(-1234567): "-1\u202f234\u202f567", count(999): "999", signed(-0.5, 3): "−0.500", percent(1, 0): "", percent(2, 3): "67 %"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
