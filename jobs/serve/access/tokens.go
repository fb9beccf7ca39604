package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxTokens is how many tokens a server has at most: each request is compared with all.
const maxTokens = 64

// minToken is the least length of a token in bytes: 16 random ones cannot be guessed, nor can
// as many letters and digits, however often somebody asks.
const minToken = 16

// ShortTokenError says that a token can be guessed. It tells neither the token nor its length.
type ShortTokenError struct{ Nth, Of int }

func (e *ShortTokenError) Error() string {
	return fmt.Sprintf("token %d of %d has fewer than %d characters, and could be guessed", e.Nth, e.Of, minToken)
}

// tokenAge is how long what was read of tokens counts: a token that was taken away ends
// within it.
const tokenAge = 2 * time.Second

// Tokens are those that clients may send. It is safe for concurrent use.
type Tokens struct {
	read func() ([]string, error)
	log  *slog.Logger

	mu      sync.Mutex
	checked time.Time
	known   [][sha256.Size]byte
	failed  string // what was logged last
}

// NewTokens are the tokens that read gives now; it is asked again while the server lives,
// so that tokens can be added and taken away. If it fails then, nobody is let in.
func NewTokens(read func() ([]string, error), log *slog.Logger) (*Tokens, error) {
	t := &Tokens{read: read, log: log}
	known, err := t.load()
	t.known, t.checked = known, time.Now()
	return t, err
}

// load reads the tokens; only their digests are kept.
func (t *Tokens) load() ([][sha256.Size]byte, error) {
	tokens, err := t.read()
	if err != nil {
		return nil, err
	}
	var known [][sha256.Size]byte
	var short ShortTokenError
	for _, token := range tokens {
		if token = strings.TrimSpace(token); token != "" {
			known = append(known, sha256.Sum256([]byte(token)))
			if len(token) < minToken && short.Nth == 0 {
				short.Nth = len(known)
			}
		}
	}
	switch {
	case len(known) == 0:
		return nil, errors.New("it is empty")
	case len(known) > maxTokens:
		return nil, fmt.Errorf("%d tokens; at most %d are compared", len(known), maxTokens)
	case short.Nth > 0:
		short.Of = len(known)
		return nil, &short
	}
	return known, nil
}

// now are the digests of the tokens that count.
func (t *Tokens) now() [][sha256.Size]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.checked) < tokenAge {
		return t.known
	}
	known, err := t.load()
	message := ""
	if err != nil {
		message = err.Error()
	}
	if message != t.failed && message != "" {
		t.log.Error("the tokens cannot be used, nobody is let in", "error", message)
	}
	t.known, t.checked, t.failed = known, time.Now(), message
	return known
}

// Admits reports whether a request has one of the tokens. Digests are compared, all of
// them, so that the time tells neither a token nor its length nor which one it was.
func (t *Tokens) Admits(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(given)))
	same := 0
	for _, want := range t.now() {
		same |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return same == 1 && strings.EqualFold(scheme, "Bearer")
}
