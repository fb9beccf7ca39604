package document

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Decode decodes an output of a stage. The text says why there is none; it is
// empty if there is.
func Decode[T any](st Stage, name string) (out T, missing string) {
	data, missing := raw(st, name)
	if missing != "" {
		return out, missing
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return *new(T), fmt.Sprintf("%s.%s is not what a report reads: %s", st.Name, name, mistake(err))
	}
	return out, ""
}

// mistake says what is wrong with a document without the names of Go's types,
// which mean nothing to its reader.
func mistake(err error) string {
	var other *json.UnmarshalTypeError
	if !errors.As(err, &other) {
		return err.Error()
	}
	return fmt.Sprintf("%s is a JSON %s", cmp.Or(other.Field, "it"), other.Value)
}

func raw(st Stage, name string) (data []byte, missing string) {
	d, ok := st.Documents[name]
	switch {
	case ok && d.Missing != "":
		return nil, d.Missing
	case ok:
		return d.Data, ""
	case st.State == runs.Failed && len(st.Outputs) == 0:
		return nil, fmt.Sprintf("stage %s failed: %s", st.Name, st.Error)
	case !st.State.Done() && st.State != runs.Failed:
		text := fmt.Sprintf("stage %s is %s", st.Name, st.State)
		if st.State == runs.Running {
			return nil, fmt.Sprintf("stage %s has not ended", st.Name)
		}
		if st.Reason != "" {
			text += ": " + st.Reason
		}
		return nil, text
	}
	return nil, fmt.Sprintf("stage %s recorded no %s in this run", st.Name, name)
}

// maxLines is how many lines of a document are read.
const maxLines = 100_000

// lines decodes JSON lines, at most maxLines; those that are none are counted.
func lines[T any](data []byte) (out []T, bad int) {
	r := bufio.NewScanner(bytes.NewReader(data))
	r.Buffer(nil, 4<<20)
	for r.Scan() && len(out) < maxLines {
		if len(bytes.TrimSpace(r.Bytes())) == 0 {
			continue
		}
		var v T
		if json.Unmarshal(r.Bytes(), &v) != nil {
			bad++
			continue
		}
		out = append(out, v)
	}
	return out, bad
}

// Note decodes what the work of a stage noted under a name.
func Note[T any](st Stage, name string) (out T, ok bool) {
	if st.Manifest == nil || st.Manifest.Notes[name] == nil {
		return out, false
	}
	b, err := json.Marshal(st.Manifest.Notes[name])
	if err != nil || json.Unmarshal(b, &out) != nil {
		return *new(T), false
	}
	return out, true
}

// Preimage is what the key of a stage was made of; zero if it is not known.
func (st Stage) Preimage() key.Preimage {
	var p key.Preimage
	if st.Manifest == nil || json.Unmarshal(st.Manifest.Preimage, &p) != nil {
		return key.Preimage{}
	}
	return p
}
