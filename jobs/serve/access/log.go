package access

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// idHeader is the header of a request's id, in requests and answers.
const idHeader = "X-Request-Id"

// maxID is the longest id that is taken from a client.
const maxID = 128

// id is that of a request: the client's if it is short and plain, since it stands in logs,
// else a new one.
func id(r *http.Request) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=@"
	given := r.Header.Get(idHeader)
	if given != "" && len(given) <= maxID && strings.Trim(given, plain) == "" {
		return given
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Entry is what a handler adds to the line of its request.
type Entry struct {
	Model, Source string
	Texts         int
	Waited        time.Duration // in the queue
	Error         string
	// Titles are the texts; they are shown only if the log shall have them.
	Titles []string
}

type entryKey struct{}

// EntryOf is the entry of a request, which its handler may change.
func EntryOf(ctx context.Context) *Entry {
	if e, ok := ctx.Value(entryKey{}).(*Entry); ok {
		return e
	}
	return &Entry{}
}

// Answer is what was sent.
type Answer struct {
	http.ResponseWriter
	Status int
	Bytes  int64
}

// WriteHeader keeps the status.
func (a *Answer) WriteHeader(status int) {
	if a.Status == 0 {
		a.Status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (a *Answer) Write(p []byte) (int, error) {
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.Bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *Answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Log gives each request an id and writes a line for it; without a logger none.
type Log struct {
	To    *slog.Logger // nil: no lines
	Texts bool         // with the texts
	// Quiet names paths that probes ask again and again: of them only failures are written.
	Quiet map[string]bool
	// Done, if not nil, is told of each request that was answered.
	Done func(r *http.Request, a *Answer, took time.Duration)
}

// MaxShown is how many texts of a request a line has.
const MaxShown = 16

// Around wraps a handler.
func (l *Log) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, entry, request := time.Now(), &Entry{}, id(r)
		w.Header().Set(idHeader, request)
		a := &Answer{ResponseWriter: w}
		asked := r.WithContext(context.WithValue(r.Context(), entryKey{}, entry))
		next.ServeHTTP(a, asked)
		took := time.Since(began)
		if a.Status == 0 {
			a.Status = http.StatusOK
		}
		if l.Done != nil {
			// The mux tells its pattern to the request that it was given.
			l.Done(asked, a, took)
		}
		if l.To == nil || l.Quiet[r.URL.Path] && a.Status < 400 {
			return
		}
		attrs := []slog.Attr{
			slog.String("request", request), slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", a.Status),
			slog.Float64("seconds", took.Seconds()), slog.String("client", r.RemoteAddr), slog.Int64("bytes", a.Bytes),
		}
		if entry.Texts > 0 {
			attrs = append(attrs, slog.Int("texts", entry.Texts), slog.String("model", entry.Model), slog.String("source", entry.Source), slog.Float64("queue_seconds", entry.Waited.Seconds()))
		}
		if entry.Error != "" {
			attrs = append(attrs, slog.String("error", entry.Error))
		}
		if l.Texts && len(entry.Titles) > 0 {
			attrs = append(attrs, slog.Any("titles", entry.Titles[:min(len(entry.Titles), MaxShown)]))
		}
		l.To.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
	})
}
