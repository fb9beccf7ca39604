package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Caps of a request, and of all requests together.
const (
	maxBody      = 8 << 20
	maxInstances = 1024
	// maxValue is the longest instance, and the longest value of a request that
	// is one itself: the longest line that rows are read from.
	maxValue = 1 << 20
	maxDepth = 64 // of values that are read past
	// maxInFlight bounds the requests that are answered at once. One that is
	// still being read is none of them: slow clients would lock out the others.
	maxInFlight = 64
	// maxHeld bounds the bytes that open requests hold together. Slow clients
	// hold what they have sent, not what they may send: one that sends nothing holds
	// nothing that others need. What a connection itself takes, some 20 KiB, is bounded
	// by the files that the process may open and by the time limits of Serve.
	maxHeld = 64 << 20
	// instanceRoom is what an instance holds beside its bytes, for its answer.
	instanceRoom = 1 << 10
)

// Refusals of a request that is being read.
var (
	errBusy      = errors.New("other requests hold the memory that there is for them; try again")
	errValue     = fmt.Errorf("an instance or a value is over %d bytes", maxValue)
	errInstances = fmt.Errorf("more than %d instances; at most %d go into one request", maxInstances, maxInstances)
)

// instance is one text of a request; further fields are ignored.
type instance struct {
	ID          string `json:"id"`
	URL         string `json:"url"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Language    string `json:"language"` // for rules by language; empty: what the letters say
}

// request is a request that is being read. It counts what it takes before it
// takes it: its values are decoded one by one, so that what is refused was never
// in memory.
type request struct {
	body  io.Reader
	json  *json.Decoder
	read  int64 // bytes
	until int64 // the value that is being read may reach to this byte
	held  int64 // of the budget that all requests share
	all   *atomic.Int64
	err   error // of a read; what was read with it is lost

	list   []instance
	single bool // the request is the instance itself
}

func newRequest(body io.Reader, all *atomic.Int64) *request {
	r := &request{body: body, all: all}
	r.json = json.NewDecoder(r)
	return r
}

// hold takes bytes of the budget.
func (r *request) hold(n int64) error {
	r.held += n
	if r.all.Add(n) > maxHeld {
		return errBusy
	}
	return nil
}

// release gives back what the request took of the budget.
func (r *request) release() {
	r.all.Add(-r.held)
	r.held = 0
}

// Read feeds the decoder, which asks for more only within a value.
func (r *request) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.read >= r.until {
		r.err = errValue
		return 0, r.err
	}
	n, err := r.body.Read(p)
	r.read += int64(n)
	if r.err = r.hold(int64(n)); r.err != nil {
		return 0, r.err
	}
	r.err = err
	return n, err
}

// token reads what comes next: a string, a number, a brace.
func (r *request) token() (json.Token, error) {
	r.until = r.json.InputOffset() + maxValue
	return r.json.Token()
}

// value reads a whole value.
func (r *request) value(into any) error {
	r.until = r.json.InputOffset() + maxValue
	return r.json.Decode(into)
}

// more reports whether the list or object that is being read has more in it.
func (r *request) more() bool {
	r.until = r.json.InputOffset() + maxValue
	return r.json.More()
}

// decode reads the instances of a request, or the one that the request itself is.
func (r *request) decode() error {
	begin, err := r.token()
	if err != nil {
		return err
	}
	if begin != json.Delim('{') {
		return errors.New("it is no object")
	}
	one := instance{}
	r.single = true
	fields := map[string]*string{"id": &one.ID, "url": &one.URL, "title": &one.Title, "description": &one.Description, "language": &one.Language}
	for r.more() {
		key, err := r.token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // else it is no JSON, which the next token says
		name = strings.ToLower(name)
		switch field := fields[name]; {
		case field != nil:
			err = r.value(field)
		case name == "instances":
			err = r.instances()
		default:
			err = r.skip()
		}
		if err != nil {
			return err
		}
	}
	if _, err = r.token(); err == nil && r.single { // the end of the object
		r.list = []instance{one}
	}
	return err
}

// instances reads a list of instances; null is none.
func (r *request) instances() error {
	begin, err := r.token()
	if err != nil || begin == nil {
		return err
	}
	if begin != json.Delim('[') {
		return errors.New("instances is no list")
	}
	r.single = false
	for r.more() {
		if len(r.list) == maxInstances {
			return errInstances
		}
		if err := r.hold(instanceRoom); err != nil {
			return err
		}
		var in instance
		if err := r.value(&in); err != nil {
			return err
		}
		r.list = append(r.list, in)
	}
	_, err = r.token() // the end of the list
	return err
}

// skip reads past a value, whatever its size.
func (r *request) skip() error {
	for depth := 0; ; {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		switch {
		case depth == 0:
			return nil
		case depth > maxDepth:
			return fmt.Errorf("it is nested more than %d deep", maxDepth)
		}
	}
}

// refusal is the status of a request that could not be read, and what it is told.
func refusal(err error) (status int, message string) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is over %d bytes", maxBody)
	case errors.Is(err, errInstances), errors.Is(err, errValue):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, err.Error()
	}
	return http.StatusBadRequest, "the request is not the JSON that is wanted: " + err.Error()
}
