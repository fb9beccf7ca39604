package executor

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// secrets resolves the references of one attempt, and hides what it resolved in all
// that the attempt reports. Kinds hide what comes from outside where they read it,
// before it is cut into lines; this is for what slips through.
type secrets struct {
	resolve func(ref string) (string, error)

	mu     sync.Mutex
	values []string
	hide   *redact.Redactor // values
}

// secret is stages.Env's.
func (s *secrets) secret(ref string) (string, error) {
	value, err := s.resolve(ref)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values := append(s.values, value)
	hide, err := redact.New(values...)
	if err != nil {
		return "", err
	}
	s.values, s.hide = values, hide
	return value, nil
}

func (s *secrets) redactor() *redact.Redactor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hide
}

func (s *secrets) text(text string) string { return s.redactor().String(text) }

// value hides secrets in what a note holds.
func (s *secrets) value(value any) any {
	hide := s.redactor()
	if hide == nil {
		return value
	}
	switch v := value.(type) {
	case string:
		return hide.String(v)
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i] = hide.String(v[i])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.value(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[hide.String(k)] = s.value(v[k])
		}
		return out
	}
	return value
}

// error hides secrets in an error, and what a URL in it holds, say that of a proxy. Its
// class stays what it is.
func (s *secrets) error(err error) error {
	if err == nil {
		return nil
	}
	text, hint := redact.URLs(s.text(err.Error())), s.text(Hint(err))
	if text == err.Error() && hint == Hint(err) {
		return err
	}
	var verdict *stages.Verdict
	var failure *stages.Failure
	switch {
	case errors.As(err, &verdict):
		return &stages.Verdict{Code: verdict.Code, Message: text, Hint: hint}
	case errors.As(err, &failure):
		return &stages.Failure{Code: failure.Code, Lost: failure.Lost, Hint: hint, Err: &hiddenError{text, err}}
	}
	return &hiddenError{text, err}
}

// hiddenError is an error that is told in other words.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// sink is one to which no secret goes.
func (s *secrets) sink(to Sink) Sink { return &hidingSink{s, to} }

type hidingSink struct {
	secrets *secrets
	to      Sink
}

func (h *hidingSink) Progress(p stages.Progress) {
	p.Text = h.secrets.text(p.Text)
	h.to.Progress(p)
}

func (h *hidingSink) Note(name string, value any) {
	h.to.Note(h.secrets.text(name), h.secrets.value(value))
}

func (h *hidingSink) Log(level slog.Level, text string) { h.to.Log(level, h.secrets.text(text)) }
