package models

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/storage"
)

// Move is one move of an alias to a version.
type Move struct {
	// Number counts the moves of an alias from 1. It is 0 in an alias that was written
	// without one.
	Number int `json:"number,omitempty"`
	// Before is the number of the move before, where that is not Number-1: those between
	// could not be read any more.
	Before int `json:"before,omitempty"`
	// From is the version that the alias named before; 0 if it was new, or could not be read.
	From    int       `json:"from,omitempty"`
	Version int       `json:"version"` // that the alias names since
	Moved   time.Time `json:"moved"`   // by the clock of the mover
	Reason
}

// Reason says who moves an alias, and why. All of it may be empty.
type Reason struct {
	Who string `json:"who,omitempty"` // USER@HOST, or the account of a CI service
	Why string `json:"why,omitempty"` // one line of text
	Run string `json:"run,omitempty"` // that published the version
	// Rollback is a move back to a version that the alias had named before.
	Rollback bool `json:"rollback,omitempty"`
}

// What a Reason may have of each, in bytes.
const (
	maxWho = 200
	maxWhy = 1000
	maxRun = 200
)

// Check refuses a reason that would not be one line, or longer than one reads.
func (r Reason) Check() error {
	for _, f := range []struct {
		name, text string
		most       int
	}{{"who", r.Who, maxWho}, {"why", r.Why, maxWhy}, {"run", r.Run, maxRun}} {
		switch {
		case len(f.text) > f.most:
			return fmt.Errorf("%s has %d bytes, and %d at most are kept", f.name, len(f.text), f.most)
		case !utf8.ValidString(f.text):
			return fmt.Errorf("%s is not UTF-8", f.name)
		case strings.ContainsFunc(f.text, breaksLine):
			return fmt.Errorf("%s has a control character or is more than a line", f.name)
		}
	}
	return nil
}

// breaksLine reports whether a character is none of a line of text that a terminal shows
// as it is written.
func breaksLine(c rune) bool {
	return c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u2029' || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069'
}

// Previous is the number of the move before; 0 if there is none.
func (m Move) Previous() int {
	if m.Before > 0 || m.Number < 1 {
		return m.Before
	}
	return m.Number - 1
}

// same reports whether two records are of one move.
func (m Move) same(other Move) bool {
	return m.Version == other.Version && m.From == other.From && m.Moved.Equal(other.Moved) && m.Reason == other.Reason
}

// String is what the move did, in words.
func (m Move) String() string {
	if m.Version == 0 {
		return "there is none that can be read"
	}
	text := fmt.Sprintf("it names version %d", m.Version)
	if !m.Moved.IsZero() {
		text += " since " + m.Moved.UTC().Format(time.RFC3339)
	}
	if m.Who != "" {
		text += " by " + m.Who
	}
	if m.Why != "" {
		text += ": " + m.Why
	}
	return text
}

// decodeMove decodes a move and refuses what no mover writes.
func decodeMove(body []byte, m *Move) error {
	if err := json.Unmarshal(body, m); err != nil {
		return err
	}
	switch {
	case m.Version < 1 || m.Version > storage.MaxNumber:
		return fmt.Errorf("it names version %d, which none can be", m.Version)
	case m.From < 0 || m.From > storage.MaxNumber:
		return fmt.Errorf("it comes from version %d, which none can be", m.From)
	case m.Number < 0 || m.Number > storage.MaxNumber || m.Before < 0 || m.Before > 0 && m.Before >= m.Number:
		return fmt.Errorf("it is move %d after %d, which none can be", m.Number, m.Before)
	}
	return m.Reason.Check()
}
