// Package trial tries a place by a job that runs there: what it finds out about the
// machine, the store, the clock and the disk, beside what the caller's own checks find.
//
//	finding.go  Finding, a line of the answer, and how it travels
//	worker.go   the process that looks, there
//	machine.go  what it sees of its machine: disk, quota
//	folder.go   whether a folder can be written, or made
//
// A finding is printed to standard error as soon as it is made, so that it arrives through
// the place's log from where the store is not reached, and all are put into the store at the
// end. What a job left there is read as a stranger's text.
package trial

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"
	"unicode"
)

// State is what a finding means.
type State string

// The states of findings.
const (
	OK      State = "ok"
	Bad     State = "bad"     // no stage can do its work
	Missing State = "missing" // not needed, or had by the first stage that needs it
)

// Finding is one thing that was found out.
type Finding struct {
	What  string    `json:"what"`
	State State     `json:"state"`
	Text  string    `json:"text"`
	Fix   string    `json:"fix,omitempty"` // what to do about it
	At    time.Time `json:"at"`            // by the clock of the machine that found it
}

// End is the What of the last finding, without which a worker did not come to its end.
const End = "end"

// Key is where the findings of a trial stand in the store; Wanted is there for as long as
// somebody waits for them.
func Key(nonce string) string { return "probe/" + nonce + "/findings" }

// Wanted is the key of the word of who waits for a trial.
func Wanted(nonce string) string { return "probe/" + nonce + "/wanted" }

// Limits of what is read of a worker's word.
const (
	MaxBytes    = 256 << 10
	maxFindings = 100
	maxText     = 2 << 10
)

// mark begins the line of a finding among those of a log.
const mark = "sprint:trial "

// line is a finding as it is printed.
func (f Finding) line() []byte {
	text, _ := json.Marshal(f) // of strings and a time
	return append(append([]byte(mark), text...), '\n')
}

// Parse reads the findings among the lines of a log. A line that is none is passed over.
func Parse(r io.Reader) (out []Finding) {
	lines := bufio.NewScanner(io.LimitReader(r, MaxBytes))
	lines.Buffer(nil, 64<<10)
	for lines.Scan() && len(out) < maxFindings {
		// A place may write a time before each line.
		_, text, ok := bytes.Cut(lines.Bytes(), []byte(mark))
		var f Finding
		if !ok || json.Unmarshal(text, &f) != nil || f.State != OK && f.State != Bad && f.State != Missing {
			continue
		}
		f.What, f.Text, f.Fix = plain(f.What, 32), plain(f.Text, maxText), plain(f.Fix, maxText)
		out = append(out, f)
	}
	return out
}

// plain is a text without what would move a terminal's cursor.
func plain(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
