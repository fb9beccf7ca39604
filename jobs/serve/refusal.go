package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/serve/access"
	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/classify"
)

// Limits bound a request. Zero values are the defaults.
type Limits struct {
	Body  int64 // bytes, 8 MiB
	Texts int   // of a request, 1024
	// Chars is the longest text, title and description together, 1,000,000 characters. The
	// model reads as many tokens of it as it takes.
	Chars int
	// Tokens, if not 0, refuses a longer text instead of cutting it.
	Tokens int
}

// fill sets the defaults.
func (l *Limits) fill() {
	if l.Body == 0 {
		l.Body = 8 << 20
	}
	if l.Texts == 0 {
		l.Texts = 1024
	}
	if l.Chars == 0 {
		l.Chars = 1_000_000
	}
}

// value is the longest single value of a request, in bytes as they are sent: a character
// may be escaped in six.
func (l Limits) value() int64 { return 6*int64(l.Chars) + 2 }

const (
	// maxHeld bounds the bytes that open requests hold together.
	maxHeld = 64 << 20
	// textRoom is what a text holds beside its bytes, for its answer.
	textRoom = 1 << 10
)

// refusal is an answer that is none.
type refusal struct {
	status  int
	message string
	retry   time.Duration // when it may be tried again; 0 if that does not help
}

func (e *refusal) Error() string { return e.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// room refuses a text too many, the i-th from 0, and holds the room of its answer.
func (l Limits) room(b *body.Reader, i int) error {
	if i == l.Texts {
		return refuse(http.StatusRequestEntityTooLarge, "more than %d instances; at most %d go into one request", l.Texts, l.Texts)
	}
	return b.Hold(textRoom)
}

// check refuses texts that are too long.
func (l Limits) check(m *reload.Model, texts []classify.Text) error {
	for i, t := range texts {
		if n := len(t.Title) + len(t.Description); n > l.Chars {
			if n := utf8.RuneCountInString(t.Title) + utf8.RuneCountInString(t.Description); n > l.Chars {
				return refuse(http.StatusRequestEntityTooLarge, "text %d has %d characters, more than %d", i+1, n, l.Chars)
			}
		}
		if l.Tokens > 0 {
			if n := m.Tokens(t); n > l.Tokens {
				return refuse(http.StatusUnprocessableEntity, "text %d has %d tokens, more than %d", i+1, n, l.Tokens)
			}
		}
	}
	return nil
}

// statusGone is what the log has of a client that left before its answer.
const statusGone = 499

// told is what a failed request is told.
func told(err error) *refusal {
	var large *http.MaxBytesError
	var full *batch.FullError
	var own *refusal
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &large):
		return &refusal{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the request is over %d bytes", large.Limit)}
	case errors.Is(err, body.ErrLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, message: err.Error()}
	case errors.Is(err, body.ErrBusy):
		return &refusal{http.StatusTooManyRequests, err.Error(), time.Second}
	case errors.As(err, &full):
		return &refusal{http.StatusTooManyRequests, err.Error(), full.Retry}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, message: "the request was not sent in time"}
	}
	return &refusal{status: http.StatusBadRequest, message: "the request is not what is wanted: " + err.Error()}
}

// unanswered is what a request is told whose texts have no answers.
func unanswered(r *http.Request, err error, patience time.Duration) error {
	switch {
	case errors.As(err, new(*batch.FullError)):
		return err
	case r.Context().Err() != nil:
		return refuse(statusGone, "the client left before its answer")
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusGatewayTimeout, fmt.Sprintf("no answer within %v; send fewer texts, or try again", patience), time.Second}
	case errors.Is(err, batch.ErrClosed):
		return &refusal{http.StatusServiceUnavailable, err.Error(), time.Second}
	}
	return refuse(http.StatusInternalServerError, "the model failed: %v", err)
}

// fail sends a refusal.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := told(err)
	s.failWith(w, r, e, map[string]string{"error": e.message})
}

// failWith sends a refusal in a protocol's own words.
func (s *Server) failWith(w http.ResponseWriter, r *http.Request, e *refusal, words any) {
	access.EntryOf(r.Context()).Error = e.message
	if e.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((e.retry+time.Second-1)/time.Second)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	send(w, words)
}

// reply sends an answer.
func (s *Server) reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	send(w, answer)
}

// send writes JSON as it is: escaped for a page, which it is not and no browser takes it for,
// an id of a request could be sixfold in its answer, which is held until the client has read it.
func send(w io.Writer, answer any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // a client that left
}

// isPlain reports whether a body is not compressed.
func isPlain(h http.Header) bool {
	encoding := h.Get("Content-Encoding")
	return encoding == "" || encoding == "identity"
}

// sendJSON is the refusal of a request that does not say that it is plain JSON, which a page
// of another site cannot say without asking first; nil if it does. A document that says to be
// in another encoding is not read as UTF-8.
func sendJSON(h http.Header) error {
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	switch {
	case err != nil || kind != "application/json":
		return refuse(http.StatusUnsupportedMediaType, "send JSON, with the header Content-Type: application/json")
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		return refuse(http.StatusUnsupportedMediaType, "the charset is %.20q; send JSON as UTF-8", charset)
	case !isPlain(h):
		return errPacked
	}
	return nil
}

// errPacked is the refusal of a body that is compressed: how large it is would be known only
// when it is unpacked.
var errPacked = refuse(http.StatusUnsupportedMediaType, "send the body as it is, without Content-Encoding")

// failure sends a refusal in the words of a protocol.
type failure func(w http.ResponseWriter, r *http.Request, err error)

// read reads a request's body by a function of its protocol, and answers one that cannot be
// read; ok is false then. What was read holds memory until release is called.
func (s *Server) read(w http.ResponseWriter, r *http.Request, fail failure, by func(*body.Reader) error) (release func(), ok bool) {
	return s.readParts(w, r, fail, 0, func(b *body.Reader, _ io.Reader) error { return by(b) })
}

// readParts is read of a body of which the first bytes are JSON, all if length is 0; what is
// behind them is rest, else nil.
func (s *Server) readParts(w http.ResponseWriter, r *http.Request, fail failure, length int64, by func(b *body.Reader, rest io.Reader) error) (release func(), ok bool) {
	in := http.MaxBytesReader(w, r.Body, s.o.Limits.Body)
	var document io.Reader = in
	var rest io.Reader
	if length > 0 {
		document, rest = io.LimitReader(in, length), in
	}
	b := body.New(document, &s.budget, s.o.Limits.value())
	err := by(b, rest)
	s.m.read.Add(float64(b.Size()))
	if err == nil {
		return b.Release, true
	}
	b.Release()
	// A client that is still sending would not see the answer.
	_, _ = io.Copy(io.Discard, in)
	fail(w, r, err)
	return nil, false
}

// ask asks a model within the patience that a request has.
func (s *Server) ask(r *http.Request, m *reload.Model, texts []classify.Text, v classify.View) ([]classify.Answer, error) {
	entry := access.EntryOf(r.Context())
	entry.Texts, entry.Model, entry.Source = len(texts), m.String(), m.Source()
	if s.o.LogTexts {
		for _, t := range texts[:min(len(texts), access.MaxShown)] {
			entry.Titles = append(entry.Titles, t.Title)
		}
	}
	if err := s.o.Limits.check(m, texts); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.o.Timeout)
	defer cancel()
	found, waited, err := m.Answer(ctx, texts, v)
	if err != nil {
		return nil, unanswered(r, err, s.o.Timeout)
	}
	entry.Waited = waited
	s.m.texts.Add(float64(len(texts)), m.Source(), m.String())
	s.m.waited.Observe(waited.Seconds(), 1, m.Source(), m.String())
	return found, nil
}
