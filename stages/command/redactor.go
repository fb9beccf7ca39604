package command

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// redactor hides secrets in what is logged.
type redactor struct {
	secrets []string // longest first
	replace *strings.Replacer
}

// minLine is the least length of a line of a secret that is hidden alone:
// shorter ones, such as brackets, are in any text.
const minLine = 6

// newRedactor hides values, and of those with several lines every line as well,
// since logs are kept by lines.
func newRedactor(values []string) *redactor {
	v := &redactor{}
	for _, value := range values {
		v.secrets = append(v.secrets, value)
		if lines := strings.Split(value, "\n"); len(lines) > 1 {
			for _, line := range lines {
				if line = strings.TrimSpace(line); len(line) >= minLine {
					v.secrets = append(v.secrets, line)
				}
			}
			// What ends a file is seldom part of what is printed.
			v.secrets = append(v.secrets, strings.TrimSpace(value))
		}
	}
	v.secrets = slices.DeleteFunc(v.secrets, func(s string) bool { return s == "" })
	// Of two that begin alike the longer one is the one to hide.
	slices.SortFunc(v.secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	v.secrets = slices.Compact(v.secrets)
	var pairs []string
	for _, s := range v.secrets {
		pairs = append(pairs, s, "***")
	}
	v.replace = strings.NewReplacer(pairs...)
	return v
}

// redact returns a text without the secrets.
func (v *redactor) redact(text string) string { return v.replace.Replace(text) }

// safeLength returns how much of a text that goes on may be logged now: no secret is
// parted there, nor a character.
func (v *redactor) safeLength(text string) int {
	longest := utf8.UTFMax
	if len(v.secrets) > 0 {
		longest = max(longest, len(v.secrets[0]))
	}
	at := max(len(text)-longest+1, 0)
	for range utf8.UTFMax {
		if at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
			at--
		}
	}
	for moved := true; moved; {
		moved = false
		for _, s := range v.secrets {
			from := max(at-len(s)+1, 0)
			if i := strings.Index(text[from:], s); i >= 0 && from+i < at && from+i+len(s) > at {
				at, moved = from+i+len(s), true
			}
		}
	}
	return at
}
