package faults

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Env is the variable from which test programs take the text of Open.
const Env = "SPRINT_FAULTS"

// Status is an HTTP status as the clients of S3 and GCS report it.
type Status int

func (s Status) Error() string {
	return fmt.Sprintf("http status %d: %s", int(s), http.StatusText(int(s)))
}

// HTTPStatusCode is how the store finds the status of any client's error.
func (s Status) HTTPStatusCode() int { return int(s) }

// Causes are the errors that Open knows by name.
func Causes() map[string]error {
	return map[string]error{
		"503":     Status(http.StatusServiceUnavailable),
		"409":     Status(http.StatusConflict),
		"403":     Status(http.StatusForbidden),
		"timeout": os.ErrDeadlineExceeded,
		"enospc":  &os.PathError{Op: "write", Path: "object", Err: syscall.ENOSPC},
		"short":   io.ErrShortWrite,
	}
}

// Open reads one or more plans, separated by commas: MODE@N, MODE@P/SEED,
// MODE:CAUSE@N, or delay:DURATION@N, as in "lost-reply@0.3/42,kill-after@200",
// "error-before:403@17" and "delay:2s@5". The first plan that says something
// about an operation decides. All causes of a text must be the same. An empty
// text breaks nothing.
func Open(text string) (*Injector, error) {
	var plans []Plan
	i := New(nil)
	i.text = text
	named := ""
	if text == "" {
		return i, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, where, _ := strings.Cut(part, "@")
		mode, detail, has := strings.Cut(name, ":")
		plan, err := Parse(mode + "@" + where)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
		switch {
		case !has:
		case mode == string(Delay):
			if i.Wait, err = time.ParseDuration(detail); err != nil {
				return nil, fmt.Errorf("fault plan %q: %w", part, err)
			}
		default:
			cause, ok := Causes()[detail]
			if !ok {
				return nil, fmt.Errorf("fault plan %q: want one of the causes %v", part, slices.Sorted(maps.Keys(Causes())))
			}
			if named != "" && named != detail {
				return nil, fmt.Errorf("fault plan %q: one text has one cause", text)
			}
			named, i.Err = detail, cause
		}
	}
	i.plan = func(n int) Mode {
		for _, p := range plans {
			if m := p(n); m != None {
				return m
			}
		}
		return None
	}
	return i, nil
}
