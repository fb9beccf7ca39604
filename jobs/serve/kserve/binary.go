package kserve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/serve/body"
)

// HeaderLength is the header that says how many bytes of a body are JSON; what is behind
// them is the tensors' binary data.
const HeaderLength = "Inference-Header-Content-Length"

// parameters are those of a tensor of an answer.
type parameters struct {
	Size int `json:"binary_data_size"`
}

// Encode makes a response's JSON, and what stands behind it: the data of the tensors that a
// request wants so, in the order of the outputs; nil if it wants none.
func Encode(r Response, q Request) (document, data []byte, err error) {
	for i := range r.Outputs {
		o := &r.Outputs[i]
		if !q.wantsBinary(o.Name) {
			continue
		}
		before := len(data)
		if data, err = appendBinary(data, o.Data); err != nil {
			return nil, nil, fmt.Errorf("the tensor %s: %w", o.Name, err)
		}
		o.Data, o.Parameters = nil, &parameters{len(data) - before}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // it is no page, and an id would become sixfold
	if err := e.Encode(r); err != nil {
		return nil, nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), data, nil
}

// wantsBinary reports whether a tensor is wanted behind the JSON.
func (q Request) wantsBinary(name string) bool {
	for _, w := range q.Outputs {
		if w.Name == name && w.Binary != nil {
			return *w.Binary
		}
	}
	return q.Binary
}

// appendBinary appends values, the lowest byte of each first; a text has its length in
// front, 4 bytes.
func appendBinary(to []byte, values any) ([]byte, error) {
	switch values := values.(type) {
	case []string:
		for _, s := range values {
			to = append(binary.LittleEndian.AppendUint32(to, uint32(len(s))), s...) //nolint:gosec // names of a taxonomy
		}
	case []float64:
		for _, x := range values {
			to = binary.LittleEndian.AppendUint64(to, math.Float64bits(x))
		}
	default:
		return nil, fmt.Errorf("%T has no binary form", values)
	}
	return to, nil
}

// readBinary reads the texts of a tensor behind the JSON: each has its length in front, 4
// bytes, the lowest first.
func (t *tensor) readBinary(b *body.Reader, room func(i int) error, in io.Reader) error {
	if in == nil || t.listed {
		return fmt.Errorf("the tensor %q has data in two places, or none behind the JSON", t.name)
	}
	part := &io.LimitedReader{R: in, N: int64(t.binary)}
	for i := 0; part.N > 0; i++ {
		if err := room(i); err != nil {
			return err
		}
		var size [4]byte
		if _, err := io.ReadFull(part, size[:]); err != nil {
			return short(t.name, err)
		}
		n := binary.LittleEndian.Uint32(size[:])
		if int64(n) > part.N {
			return short(t.name, io.ErrUnexpectedEOF)
		}
		var text bytes.Buffer
		switch _, err := io.CopyN(&text, held{part, b}, int64(n)); {
		case errors.Is(err, io.EOF):
			return short(t.name, io.ErrUnexpectedEOF)
		case err != nil:
			return err
		case !utf8.Valid(text.Bytes()):
			return fmt.Errorf("text %d of the tensor %q is no UTF-8", i+1, t.name)
		}
		t.data = append(t.data, text.String())
	}
	return nil
}

// held reads what takes memory of the budget when it is there: a length that a client only
// says takes none from others.
type held struct {
	from io.Reader
	by   *body.Reader
}

func (h held) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	if full := h.by.Hold(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

func short(name string, err error) error {
	return fmt.Errorf("the binary data of the tensor %.40q ends too early: %w", name, err)
}
