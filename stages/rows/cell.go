package rows

import "strings"

// formulaStarts are the bytes that make a spreadsheet read a cell as a formula,
// or skip to what follows them, and the quote that keeps it from that.
const formulaStarts = "=+-@\t\r\n'"

// Cell keeps a spreadsheet from taking a foreign text for a formula; CellText
// undoes it.
func Cell(s string) string {
	if s != "" && strings.IndexByte(formulaStarts, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// CellText is the text of which Cell made a cell.
func CellText(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formulaStarts, s[1]) >= 0 {
		return s[1:]
	}
	return s
}
