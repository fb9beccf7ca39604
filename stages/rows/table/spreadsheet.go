package table

import "strings"

// formulaStarts are the bytes that make a spreadsheet read a cell as a formula,
// or skip to what follows them, and the quote that keeps it from that.
const formulaStarts = "=+-@\t\r\n'"

// Quote keeps a spreadsheet from taking a foreign text for a formula; Unquote
// undoes it.
func Quote(s string) string {
	if s != "" && strings.IndexByte(formulaStarts, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// Unquote is the text of which Quote made a cell.
func Unquote(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formulaStarts, s[1]) >= 0 {
		return s[1:]
	}
	return s
}
