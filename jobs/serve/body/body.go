// Package body reads the JSON of a request strictly and within bounds of memory: what is
// refused was never held.
//
// The caller walks the document by the shape that it wants: Object, List, String. What it
// did not ask for, a name twice, bytes that are no UTF-8 and a value that is too long are
// refused where they stand, before what follows is read.
package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config/diagnostic"
)

// Budget bounds the bytes that open requests hold together. Slow clients hold what they
// have sent, not what they may send: one that sends nothing holds nothing that others
// need. What a connection itself takes, some 20 KiB, is bounded by the files that the
// process may open and by the server's time limits. It is safe for concurrent use.
type Budget struct {
	Max  int64
	held atomic.Int64
}

// Held is how many bytes are held now.
func (b *Budget) Held() int64 { return b.held.Load() }

// Errors of a request that is too much; all others are of one that is wrong.
var (
	// ErrBusy is of a request for which other requests leave no memory.
	ErrBusy = errors.New("other requests hold the memory that there is for them; try again")
	// ErrLarge is of a value that is too long.
	ErrLarge = errors.New("too long")
)

// maxDepth is how deep values may be nested that are read past.
const maxDepth = 64

// Reader reads one document. It counts what it takes before it takes it.
type Reader struct {
	in       io.Reader
	json     *json.Decoder
	budget   *Budget
	maxValue int64
	size     int64 // bytes that were read
	until    int64 // the value that is being read may reach to this byte
	held     int64
	tail     []byte // of what was read, the beginning of a character
	err      error  // of a read; what was read with it is lost
	path     []string
}

// New reads a document whose single values have at most maxValue bytes. The caller
// releases it.
func New(in io.Reader, b *Budget, maxValue int64) *Reader {
	r := &Reader{in: in, budget: b, maxValue: maxValue}
	r.json = json.NewDecoder(r)
	r.json.UseNumber()
	return r
}

// Size is how many bytes were read.
func (r *Reader) Size() int64 { return r.size }

// Hold takes bytes of the budget for what is made of the document.
func (r *Reader) Hold(n int64) error {
	r.held += n
	if r.budget.held.Add(n) > r.budget.Max {
		return ErrBusy
	}
	return nil
}

// Release gives back what the document took of the budget.
func (r *Reader) Release() {
	r.budget.held.Add(-r.held)
	r.held = 0
}

// Read feeds the decoder, which asks for more only within a value.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.size >= r.until {
		r.err = fmt.Errorf("a value is %w: over %d bytes", ErrLarge, r.maxValue)
		return 0, r.err
	}
	n, err := r.in.Read(p)
	at := r.size
	r.size += int64(n)
	if r.err = r.Hold(int64(n)); r.err != nil {
		return 0, r.err
	}
	if r.err = r.text(p[:n], at, err == io.EOF); r.err != nil {
		return 0, r.err
	}
	r.err = err
	return n, err
}

// text refuses bytes that are no UTF-8; a character may end in the next ones.
func (r *Reader) text(p []byte, at int64, last bool) error {
	if len(r.tail) == 0 && utf8.Valid(p) {
		return nil
	}
	p, at = slices.Concat(r.tail, p), at-int64(len(r.tail))
	r.tail = nil
	for i := 0; i < len(p); {
		if !last && !utf8.FullRune(p[i:]) {
			r.tail = bytes.Clone(p[i:])
			return nil
		}
		c, n := utf8.DecodeRune(p[i:])
		if c == utf8.RuneError && n == 1 {
			return fmt.Errorf("byte %d is no UTF-8; send text as UTF-8", at+int64(i)+1)
		}
		i += n
	}
	return nil
}

// token reads what comes next: a string, a number, a brace.
func (r *Reader) token() (json.Token, error) {
	r.until = r.json.InputOffset() + r.maxValue
	t, err := r.json.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case err != nil && r.size == 0 && errors.Is(r.err, io.EOF):
		err = errors.New("it is empty, which is no JSON")
	case err != nil && (r.err == nil || errors.Is(r.err, io.EOF)):
		err = fmt.Errorf("it is no JSON: %w", err)
	}
	return t, err
}

// more reports whether the list or object that is being read has more in it.
func (r *Reader) more() bool {
	r.until = r.json.InputOffset() + r.maxValue
	return r.json.More()
}

// Object reads an object. field reads the value of each name; it says false for one that
// it does not know, whose value it has not read. known are the names that there are.
func (r *Reader) Object(known []string, field func(name string) (bool, error)) error {
	t, err := r.token()
	return r.object(t, err, known, field)
}

// ObjectOrNull is Object of a value that some clients send as null instead of leaving it out.
func (r *Reader) ObjectOrNull(known []string, field func(name string) (bool, error)) error {
	t, err := r.token()
	if t == nil && err == nil {
		return nil
	}
	return r.object(t, err, known, field)
}

// object is Object behind its first token.
func (r *Reader) object(t json.Token, err error, known []string, field func(name string) (bool, error)) error {
	switch {
	case err != nil:
		return err
	case t != json.Delim('{'):
		return r.unlike("an object", t)
	}
	return r.fields(known, field)
}

// fields is Object behind its brace.
func (r *Reader) fields(known []string, field func(name string) (bool, error)) error {
	seen := map[string]bool{}
	for r.more() {
		t, err := r.token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // else it is no JSON, which the next token says
		if seen[name] {
			return fmt.Errorf("%s stands there twice", r.quoted(name))
		}
		seen[name] = true
		r.path = append(r.path, name)
		switch ok, err := field(name); {
		case err != nil:
			return err
		case !ok:
			r.path = r.path[:len(r.path)-1]
			return fmt.Errorf("there is no field %s; %s", r.quoted(name), meant(name, known))
		}
		r.path = r.path[:len(r.path)-1]
	}
	_, err := r.token() // the end of the object
	return err
}

// meant says which names there are.
func meant(name string, known []string) string {
	if near, ok := diagnostic.Nearest(strings.ToLower(name), known); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "there are " + strings.Join(known, ", ")
}

// List reads a list; item reads each of its values.
func (r *Reader) List(item func(i int) error) error {
	if t, err := r.token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return r.unlike("a list", t)
	}
	return r.items(item)
}

// ListOrNull is List of a value that some clients send as null instead of leaving it out.
func (r *Reader) ListOrNull(item func(i int) error) error {
	switch t, err := r.token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('['):
		return r.unlike("a list", t)
	}
	return r.items(item)
}

// items is List behind its bracket.
func (r *Reader) items(item func(i int) error) error {
	r.path = append(r.path, "")
	for i := 0; r.more(); i++ {
		r.path[len(r.path)-1] = fmt.Sprint(i)
		if err := item(i); err != nil {
			return err
		}
	}
	r.path = r.path[:len(r.path)-1]
	_, err := r.token() // the end of the list
	return err
}

// String reads a string; null is an empty one.
func (r *Reader) String() (string, error) {
	t, err := r.token()
	if err != nil || t == nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", r.unlike("a string", t)
	}
	return s, nil
}

// StringOrList reads a string, or a list like List.
func (r *Reader) StringOrList(item func(i int) error) (s string, list bool, err error) {
	switch t, err := r.token(); t := t.(type) {
	case string:
		return t, false, err
	case json.Delim:
		if err == nil && t == '[' {
			return "", true, r.items(item)
		}
		return "", false, r.unlike("a string or a list", t)
	default:
		if err == nil {
			err = r.unlike("a string or a list", t)
		}
		return "", false, err
	}
}

// Bool reads true or false; null is false.
func (r *Reader) Bool() (bool, error) {
	t, err := r.token()
	if err != nil || t == nil {
		return false, err
	}
	b, ok := t.(bool)
	if !ok {
		return false, r.unlike("true or false", t)
	}
	return b, nil
}

// Number reads a number from least to most.
func (r *Reader) Number(least, most float64) (float64, error) {
	t, err := r.token()
	if err != nil {
		return 0, err
	}
	n, ok := t.(json.Number)
	if !ok {
		return 0, r.unlike("a number", t)
	}
	x, err := n.Float64()
	if err != nil || x < least || x > most {
		return 0, fmt.Errorf("%s is %.20s; a number from %g to %g is wanted", r.where(), n, least, most)
	}
	return x, nil
}

// Skip reads past a value, whatever its size.
func (r *Reader) Skip() error {
	for depth := 0; ; {
		t, err := r.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		switch {
		case depth == 0:
			return nil
		case depth > maxDepth:
			return fmt.Errorf("%s is nested more than %d deep", r.where(), maxDepth)
		}
	}
}

// End refuses what stands behind the document, blanks aside.
func (r *Reader) End() error {
	r.until = r.json.InputOffset() + r.maxValue
	switch _, err := r.json.Token(); {
	case err == io.EOF:
		return nil
	case err != nil && r.err != nil && !errors.Is(r.err, io.EOF):
		return err
	}
	return errors.New("something stands behind the document; send one in a request")
}

// unlike is the error of a value that is not of the wanted kind.
func (r *Reader) unlike(wanted string, t json.Token) error {
	var is string
	switch t := t.(type) {
	case nil:
		is = "null"
	case json.Delim:
		if is = "an object"; t == '[' {
			is = "a list"
		}
	case string:
		is = "a string"
	case json.Number:
		is = "a number"
	case bool:
		is = fmt.Sprint(t)
	}
	return fmt.Errorf("%s is %s; %s is wanted", r.where(), is, wanted)
}

// where is the place of the value that is being read.
func (r *Reader) where() string {
	if len(r.path) == 0 {
		return "the request"
	}
	var names []string
	for _, p := range r.path {
		names = append(names, short(p))
	}
	return strings.Join(names, ".")
}

// quoted is a name of the object that is being read, behind its place.
func (r *Reader) quoted(name string) string {
	if len(r.path) == 0 {
		return fmt.Sprintf("%q", short(name))
	}
	return fmt.Sprintf("%q in %s", short(name), r.where())
}

// short is the beginning of a name: it is a client's, and stands in messages.
func short(name string) string {
	const most = 40
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}
