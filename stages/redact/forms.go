package redact

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
)

// minLine is the least length of a line of a value that is hidden alone: shorter
// ones, such as brackets, are in any text.
const minLine = 6

// forms returns what is looked for to hide a value. Percent-encoding and JSON are not
// among it: a scan decodes them.
func forms(value string) []string {
	if TooShort(value) {
		return nil
	}
	out := encodings(value)
	if lines := strings.Split(value, "\n"); len(lines) > 1 {
		// What ends a file is seldom part of what is printed.
		for _, part := range append(lines, strings.TrimSpace(value)) {
			if part = strings.TrimSpace(part); len(part) >= minLine {
				out = append(out, encodings(part)...)
			}
		}
	}
	return out
}

func encodings(value string) []string {
	all := []string{
		value, strings.ToUpper(value), strings.ToLower(value),
		strings.ReplaceAll(value, "'", `'\''`), // as `sh -x` prints it
		strings.ReplaceAll(value, " ", "+"),    // in the query of a URL
	}
	digits := hex.EncodeToString([]byte(value))
	all = append(all, digits, strings.ToUpper(digits))
	// A page that tells of an error escapes what it repeats: Go, Python and most others in
	// their way, some leave quotes as they are.
	page := html.EscapeString(value)
	all = append(all, page, strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;").Replace(page),
		strings.ReplaceAll(page, "&#34;", "&quot;"), strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(page))
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			all = append(all, base64Core(alphabet, value, before))
		}
	}
	var out []string
	for _, form := range all {
		// A scan passes over line breaks, within a form too.
		if form = strings.NewReplacer("\n", "", "\r", "").Replace(form); len(form) >= minValue {
			out = append(out, form)
		}
	}
	return out
}

// base64Core is what the base64 of any text has in it in which the value stands after
// so many bytes, counted modulo 3: the digits that hold no bit of anything else.
func base64Core(alphabet *base64.Encoding, value string, before int) string {
	all := alphabet.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
	first := (8*before + 5) / 6
	last := 8 * (before + len(value)) / 6
	return all[first:last]
}
