package mirror

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sprint-ml/sprint/stages/redact"
)

// Hiding is a registry whose errors hold no secret, and no address with a query, which may
// let in whoever has it.
func Hiding(r Registry, secrets ...string) (Registry, error) {
	hide, err := redact.New(secrets...)
	if err != nil {
		return nil, err
	}
	return &hiding{r, hide}, nil
}

type hiding struct {
	Registry
	hide *redact.Redactor
}

func (h *hiding) Push(ctx context.Context, r Release) error {
	return h.clean(h.Registry.Push(ctx, r))
}

func (h *hiding) Point(ctx context.Context, alias string, r Release) (string, error) {
	was, err := h.Registry.Point(ctx, alias, r)
	return h.hide.String(was), h.clean(err)
}

// Remarks are those of the registry, if it has any.
func (h *hiding) Remarks() []string {
	var out []string
	if r, ok := h.Registry.(Remarker); ok {
		for _, text := range r.Remarks() {
			out = append(out, h.hide.String(text))
		}
	}
	return out
}

// Listens reports whether the registry is a Listener.
func (h *hiding) Listens() bool { return listens(h.Registry) }

func (h *hiding) clean(err error) error {
	if err == nil {
		return nil
	}
	return &hidden{redact.URLs(h.hide.String(withoutAddresses(err))) + protocol(err), err}
}

// withoutAddresses is the text of an error without the addresses that a client asked, each of
// which may have been signed. What was being done stays, if it can be told from them.
func withoutAddresses(err error) string {
	u, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err.Error()
	}
	cause := withoutAddresses(u.Err)
	before, after, found := strings.Cut(err.Error(), u.Error())
	if !found || strings.Contains(before+after, "://") {
		return cause
	}
	return before + cause + after
}

// protocol says what may be wrong where a server and its client do not understand each other.
func protocol(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, http.ErrSchemeMismatch) {
		return ": the connection ended without an answer, as where one speaks https and the other http (plain: true)"
	}
	return ""
}

// hidden is an error in other words.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }
