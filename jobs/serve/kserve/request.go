// Package kserve has the shapes of the Open Inference Protocol, version 2, that KServe,
// Triton and their clients speak over HTTP:
//
//   - request.go: what is asked; response.go: what is answered
//   - binary.go: tensors behind the JSON of either, the protocol's extension
//
// A model takes the tensor text, or title and perhaps description, of BYTES in the shape
// [N] or [N,1]. It gives label [N], the strongest category or an empty text; scores and
// tags [N,K], by category; and categories [K], their names.
package kserve

import (
	"errors"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/ml/classify"
)

// Request is what is asked.
type Request struct {
	ID      string
	Texts   []classify.Text
	Outputs []Wanted // empty: all
	Binary  bool     // tensors that do not say otherwise are wanted behind the JSON
}

// Wanted is a tensor that is asked for.
type Wanted struct {
	Name   string
	Binary *bool // nil: as the request says of all
}

// tensor is an input.
type tensor struct {
	name, datatype string
	shape          []int
	data           []string
	listed         bool // data stands in the JSON
	binary         int  // bytes behind the JSON; 0 if it has none there
}

var (
	requestFields = []string{"id", "parameters", "inputs", "outputs"}
	inputFields   = []string{"name", "shape", "datatype", "parameters", "data"}
	outputFields  = []string{"name", "parameters"}

	// Others are passed over.
	requestParameters = []string{"binary_data_output"}
	outputParameters  = []string{"binary_data", "classification"}
)

const (
	maxInputs  = 2 // title and description
	maxOutputs = 8
)

// Read reads a request; room is asked before each text of a tensor, counted from 0. binary
// is what stands behind the JSON, nil if nothing does; hold takes memory for it.
func Read(b *body.Reader, room func(i int) error, binary io.Reader) (q Request, err error) {
	var inputs []tensor
	err = b.Object(requestFields, func(name string) (_ bool, err error) {
		switch name {
		case "id":
			q.ID, err = b.String()
		case "parameters":
			err = b.ObjectOrNull(requestParameters, func(name string) (_ bool, err error) {
				if name != "binary_data_output" {
					return true, b.Skip() // the protocol's way to say more
				}
				q.Binary, err = b.Bool()
				return true, err
			})
		case "inputs":
			err = b.List(func(i int) error {
				if i == maxInputs {
					return errors.New("inputs has more than two tensors; send text, or title and description")
				}
				t, err := readTensor(b, room)
				inputs = append(inputs, t)
				return err
			})
		case "outputs":
			err = b.ListOrNull(func(i int) error {
				if i == maxOutputs {
					return fmt.Errorf("outputs has more than %d tensors", maxOutputs)
				}
				w, err := readWanted(b)
				q.Outputs = append(q.Outputs, w)
				return err
			})
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil {
		err = b.End()
	}
	for i := range inputs {
		if err == nil && inputs[i].binary > 0 {
			err = inputs[i].readBinary(b, room, binary)
		}
	}
	if err == nil {
		q.Texts, err = texts(inputs)
	}
	return q, err
}

// readWanted reads an output that is asked for. A tensor that is none of the model's, such as
// the strongest classes of another one, is refused instead of left out.
func readWanted(b *body.Reader) (w Wanted, err error) {
	err = b.Object(outputFields, func(name string) (_ bool, err error) {
		switch name {
		case "name":
			w.Name, err = b.String()
			return true, err
		case "parameters":
			return true, b.ObjectOrNull(outputParameters, func(name string) (_ bool, err error) {
				switch name {
				case "binary_data":
					var is bool
					is, err = b.Bool()
					w.Binary = &is
				case "classification":
					err = errors.New("outputs are given whole; classification is not known here")
				default:
					err = b.Skip()
				}
				return true, err
			})
		}
		return false, nil
	})
	return w, err
}

// readTensor reads an input.
func readTensor(b *body.Reader, room func(i int) error) (t tensor, err error) {
	err = b.Object(inputFields, func(name string) (_ bool, err error) {
		switch name {
		case "name":
			t.name, err = b.String()
		case "datatype":
			t.datatype, err = b.String()
		case "shape":
			err = b.List(func(i int) error {
				if i == 2 {
					return errors.New("shape has more than two dimensions; [N] or [N,1] is wanted")
				}
				n, err := b.Number(0, 1<<20)
				t.shape = append(t.shape, int(n))
				return err
			})
		case "parameters":
			err = b.ObjectOrNull([]string{"binary_data_size"}, func(name string) (bool, error) {
				if name != "binary_data_size" {
					return true, b.Skip() // parameters are the protocol's way to say more
				}
				n, err := b.Number(0, 1<<30)
				t.binary = int(n)
				return true, err
			})
		case "data":
			t.listed = true
			err = t.readData(b, room)
		default:
			return false, nil
		}
		return true, err
	})
	return t, err
}

// readData reads the texts of a tensor: a list, or one of lists of one.
func (t *tensor) readData(b *body.Reader, room func(i int) error) error {
	return b.List(func(i int) error {
		if err := room(i); err != nil {
			return err
		}
		one, nested, err := b.StringOrList(func(i int) error {
			if i > 0 {
				return errors.New("data has rows of more than one text; the shape is [N] or [N,1]")
			}
			s, err := b.String()
			t.data = append(t.data, s)
			return err
		})
		switch {
		case err != nil:
			return err
		case !nested:
			t.data = append(t.data, one)
		case len(t.data) != i+1:
			return errors.New("data has a row without a text")
		}
		return nil
	})
}

// texts makes texts of tensors.
func texts(inputs []tensor) ([]classify.Text, error) {
	by := map[string][]string{}
	for _, t := range inputs {
		n := 1
		for _, d := range t.shape {
			n *= d
		}
		switch _, twice := by[t.name]; {
		case t.name != "text" && t.name != "title" && t.name != "description":
			return nil, fmt.Errorf("there is no tensor %.40q; send text, or title and description", t.name)
		case twice:
			return nil, fmt.Errorf("the tensor %s stands there twice", t.name)
		case t.datatype != "BYTES":
			return nil, fmt.Errorf("the tensor %s is of %.20q; BYTES is wanted", t.name, t.datatype)
		case len(t.shape) == 0 || len(t.shape) == 2 && t.shape[1] != 1:
			return nil, fmt.Errorf("the tensor %s has the shape %v; [N] or [N,1] is wanted", t.name, t.shape)
		case n != len(t.data):
			return nil, fmt.Errorf("the tensor %s has the shape %v and %d texts", t.name, t.shape, len(t.data))
		}
		by[t.name] = t.data
	}
	titles, descriptions := by["title"], by["description"]
	if text, ok := by["text"]; ok {
		if len(by) > 1 {
			return nil, errors.New("send the tensor text, or title and description, not both")
		}
		titles = text
	}
	if len(titles) == 0 {
		return nil, errors.New("send a tensor text, or title, of at least one text")
	}
	if descriptions != nil && len(descriptions) != len(titles) {
		return nil, fmt.Errorf("the tensor title has %d texts, description %d", len(titles), len(descriptions))
	}
	out := make([]classify.Text, len(titles))
	for i := range out {
		out[i].Title = titles[i]
		if descriptions != nil {
			out[i].Description = descriptions[i]
		}
	}
	return out, nil
}
