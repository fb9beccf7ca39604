package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/sprint-ml/sprint/storage"
)

// patience is how long the search for an order of one key may take.
const patience = time.Minute

// Check reports the keys whose history no order of its calls explains.
func (r *Recorder) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(r.calls)) {
		s := specification(anyNext)
		if isLease(key) {
			s = leaseNext
		}
		result, info := porcupine.CheckOperationsVerbose(s.model(), r.calls[key], patience)
		switch result {
		case porcupine.Illegal:
			errs = append(errs, fmt.Errorf("no order of %d calls explains the history of %s: %s", len(r.calls[key]), key, s.explain(r.calls[key], info)))
		case porcupine.Unknown:
			errs = append(errs, fmt.Errorf("no order of %d calls on %s was found within %s", len(r.calls[key]), key, patience))
		}
	}
	return errors.Join(errs...)
}

// Writes counts the writes of the history to leases and to aliases.
func (r *Recorder) Writes() (leases, aliases int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, calls := range r.calls {
		for _, o := range calls {
			switch {
			case !o.Input.(call).write:
			case isLease(key):
				leases++
			default:
				aliases++
			}
		}
	}
	return leases, aliases
}

// register is the state of a key: the bytes there, and when they were written at
// the earliest.
type register struct {
	bytes   string
	written time.Duration
}

// specification says why a write may not follow a state; empty if it may. That a
// write replaces the state that its client has seen goes without saying.
type specification func(now register, c call) string

// anyNext is the specification of an alias.
func anyNext(register, call) string { return "" }

// leaseNext is that of a lease.
func leaseNext(now register, c call) string {
	if now.bytes == "" {
		return firstLease(c.to)
	}
	return nextLease(now, c)
}

func (s specification) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return register{} },
		Step: func(state, input, _ any) (bool, any) {
			next, wrong := s.step(state.(register), input.(call))
			return wrong == "", next
		},
	}
}

// step does a call in a state; wrong says why it cannot have been done there.
func (s specification) step(now register, c call) (next register, wrong string) {
	switch {
	case !c.write && c.to != now.bytes:
		return now, "it reads what is not there"
	case !c.write:
		return now, ""
	case c.from != now.bytes:
		return now, "it replaces a state that its client has not seen"
	}
	return register{bytes: c.to, written: c.began}, s(now, c)
}

// lease is what the body of a lease's record says.
type lease struct {
	Holder   storage.Holder `json:"holder"`
	Epoch    int            `json:"epoch"`
	Beat     int            `json:"beat"`
	Released bool           `json:"released"`
}

func decodeLease(record string) (l lease, err error) {
	_, body, _ := strings.Cut(record, "\n")
	return l, json.Unmarshal([]byte(body), &l)
}

// firstLease says why a record cannot be the first of its lease.
func firstLease(record string) string {
	l, err := decodeLease(record)
	switch {
	case record == "":
		return "" // deleted twice
	case err != nil:
		return err.Error()
	case l.Epoch != 1 || l.Beat != 0 || l.Released:
		return "a lease begins with its first epoch and no beat"
	}
	return ""
}

// nextLease says why a write may not follow the state of a lease.
func nextLease(now register, c call) string {
	is, err := decodeLease(now.bytes)
	if err != nil {
		return err.Error()
	}
	if c.to == "" && is.Released {
		return "" // a gc deletes what nobody needs
	}
	next, err := decodeLease(c.to)
	if err != nil {
		return err.Error()
	}
	same := is.Holder == next.Holder
	// The longest that the state can have stood: no clock of another client is
	// less patient than that.
	stood := c.ended - now.written
	switch {
	case next.Epoch == is.Epoch && !same:
		return "it is taken within an epoch"
	case next.Epoch == is.Epoch && next.Released:
		// Its holder need not know of a renewal that landed while it gave up.
		return ""
	case next.Epoch == is.Epoch && is.Released:
		return "it is renewed after its release"
	case next.Epoch == is.Epoch && next.Beat < is.Beat:
		return "its beats go back"
	case next.Epoch == is.Epoch:
		return ""
	case next.Epoch != is.Epoch+1:
		return fmt.Sprintf("epoch %d follows epoch %d", next.Epoch, is.Epoch)
	case is.Released || next.Released && same: // the latter is how it is broken
		return ""
	case stood <= c.ttl:
		return fmt.Sprintf("it is taken from its holder after %s, within the ttl of %s", stood, c.ttl)
	}
	return ""
}

// explain names the first calls after the longest order that was found.
func (s specification) explain(calls []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []porcupine.Operation
	for _, order := range info.PartialLinearizationsOperations()[0] { // all calls are of one key
		if len(order) > len(longest) {
			longest = order
		}
	}
	var state register
	placed := map[int64]bool{}
	for _, o := range longest {
		state, _ = s.step(state, o.Input.(call))
		placed[o.Call] = true
	}
	rest := slices.DeleteFunc(slices.Clone(calls), func(o porcupine.Operation) bool { return placed[o.Call] })
	slices.SortFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	out := fmt.Sprintf("%d calls lead to %s, and then", len(longest), show(state.bytes))
	for _, o := range rest[:min(3, len(rest))] {
		c := o.Input.(call)
		out += "\n  " + c.String()
		if _, wrong := s.step(state, c); wrong != "" {
			out += ": " + wrong
		}
	}
	return out
}

func (c call) String() string {
	what := "reads "
	if c.write {
		what = "puts in place of " + show(c.from) + " "
	}
	return fmt.Sprintf("%s, from %s to %s, %s%s", c.client, c.began.Round(time.Millisecond), c.ended.Round(time.Millisecond), what, show(c.to))
}

// show names a state in a message.
func show(record string) string {
	_, body, _ := strings.Cut(record, "\n")
	l, err := decodeLease(record)
	switch {
	case record == "":
		return "nothing"
	case err != nil || l.Epoch == 0: // an alias
		return body
	}
	out := fmt.Sprintf("%s, epoch %d, beat %d", cmp.Or(l.Holder.Run, l.Holder.Host), l.Epoch, l.Beat)
	if l.Released {
		out += ", released"
	}
	return "(" + out + ")"
}
