package executor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// Message is a line of a worker's standard output. Its type says which fields it
// has: progress its own, a note Name and Value, a log Level and Text, and the end
// the others; the end of a preflight has that word as its Name.
type Message struct {
	Type     string           `json:"type"` // progress, note, log, end
	Progress *stages.Progress `json:"progress,omitempty"`
	Name     string           `json:"name,omitempty"`
	Value    any              `json:"value,omitempty"`
	Level    slog.Level       `json:"level,omitempty"`
	Text     string           `json:"text,omitempty"`
	Hint     string           `json:"hint,omitempty"`
	Code     stages.Code      `json:"code,omitempty"`
	State    runs.State       `json:"state,omitempty"`
	Cause    Cause            `json:"cause,omitempty"`
	Saved    bool             `json:"saved,omitempty"`
}

// Relay passes a worker's messages on and returns its last word.
func Relay(r io.Reader, sink Sink) *Message {
	var final *Message
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var m Message
			if json.Unmarshal(line, &m) != nil {
				sink.Log(slog.LevelInfo, strings.TrimSpace(string(line)))
			} else {
				switch m.Type {
				case "progress":
					if m.Progress != nil {
						sink.Progress(*m.Progress)
					}
				case "note":
					sink.Note(m.Name, m.Value)
				case "log":
					sink.Log(m.Level, m.Text)
				case "end":
					final = &m
				}
			}
		}
		if err != nil {
			return final
		}
	}
}

// reporter is the sink of a worker: the runner reads the other end.
type reporter struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (r *reporter) send(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(m) // a runner that is gone ends this process by other means
}

func (r *reporter) Progress(p stages.Progress) { r.send(Message{Type: "progress", Progress: &p}) }

func (r *reporter) Note(name string, value any) {
	r.send(Message{Type: "note", Name: name, Value: value})
}

func (r *reporter) Log(level slog.Level, text string) {
	r.send(Message{Type: "log", Level: level, Text: text})
}

// end reports the outcome and returns the exit code.
func (r *reporter) end(o Outcome, name string) stages.Code {
	m := Message{Type: "end", Name: name, State: o.State, Cause: o.Cause, Saved: o.Checkpointed}
	if o.Err != nil {
		m.Text, m.Hint, m.Code = o.Err.Error(), Hint(o.Err), Code(o.Err)
	}
	if o.State == runs.Interrupted || errors.Is(o.Err, stages.ErrInterrupted) {
		m.Code = stages.CodeInterrupted
	}
	r.send(m)
	return m.Code
}
