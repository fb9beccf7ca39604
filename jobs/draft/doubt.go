package draft

import (
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/stages"
)

// mostBad is one over the share of a table's records that may be left out or mended.
// Beyond it the table is more likely written otherwise than it was read.
const mostBad = 10

// doubt is an error where a table seems to be written otherwise than it was read.
func (t *surveyed) doubt() error {
	records := len(t.rows) + t.bad
	other, parted := t.otherDelimiter()
	refuse := func(message string) error {
		hint := "check the quotes; --delimiter says what separates the fields"
		if parted {
			hint = fmt.Sprintf("the fields look separated by %s: --delimiter %s says so", other.shown, other.flag)
		}
		return stages.Fail(stages.CodePlan, hint, "%s: %s", t.path, message)
	}
	switch {
	case t.bad*mostBad > records:
		return refuse(fmt.Sprintf("%d of the %s cannot be read; the first: %s", t.bad, count(records, "record"), t.problem))
	case parted && len(t.names) == 1:
		return refuse("the only column is " + shownWord(t.names[0]))
	case t.written.Mended*mostBad > len(t.rows):
		hint := "name its encoding by --encoding: UTF-8, UTF-16 and Windows-1252 alone are found out, not shift_jis, gbk, big5, euc-kr, windows-1251 and the like"
		if t.layout.Encoding != "" {
			hint = "name its encoding by --encoding, or leave --encoding out: UTF-8, UTF-16 and Windows-1252 are found out"
		}
		return stages.Fail(stages.CodePlan, hint,
			"%s: %d of the %s are not in %s", t.path, t.written.Mended, count(len(t.rows), "row"), t.written.Encoding)
	}
	return nil
}

// delimiter is a way to part fields: how people read it, and how a flag has it.
type delimiter struct {
	char        byte
	shown, flag string
}

// otherDelimiter is what the names of the columns hold most of, besides the delimiter that
// the table was read with; ok is false if they hold none.
func (t *surveyed) otherDelimiter() (best delimiter, ok bool) {
	if t.written.Delimiter == 0 {
		return best, false
	}
	head, most := strings.Join(t.names, ""), 0
	for _, d := range []delimiter{{';', ";", "';'"}, {'\t', "tabs", "tab"}, {'|', "|", "'|'"}, {',', "commas", ","}} {
		if n := strings.Count(head, string(d.char)); d.char != t.written.Delimiter && n > most {
			best, most = d, n
		}
	}
	return best, most > 0
}
