package kserve_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/kserve"
)

// stalled is a client that says how long a text is and then sends little of it; it notes
// what is held of the budget meanwhile.
type stalled struct {
	budget *body.Budget
	begin  []byte
	held   int64 // at most
}

func (s *stalled) Read(p []byte) (int, error) {
	s.held = max(s.held, s.budget.Held())
	n := copy(p, s.begin)
	if s.begin = s.begin[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestClaimedLengths: a length in front of a text holds nothing of the memory that requests
// share; what was sent does.
func TestClaimedLengths(t *testing.T) {
	const claimed = 60 << 20
	for what, c := range map[string]struct {
		max  int64
		sent int
		says string
		busy bool
	}{
		"little":                  {64 << 20, 9, "ends too early", false},
		"nothing":                 {64 << 20, 0, "ends too early", false},
		"more than there is room": {1 << 10, 2 << 10, "", true},
	} {
		budget := &body.Budget{Max: c.max}
		in := &stalled{budget: budget, begin: append(binary.LittleEndian.AppendUint32(nil, claimed), strings.Repeat("a", c.sent)...)}
		b := body.New(strings.NewReader(`{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":62914564}}]}`), budget, 1<<20)
		_, err := kserve.Read(b, func(int) error { return nil }, in)
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, body.ErrBusy) != c.busy {
			t.Errorf("%s: %v", what, err)
		}
		if in.held > 4<<10 {
			t.Errorf("%s: %d bytes are held while %d were sent", what, in.held, c.sent)
		}
		if b.Release(); budget.Held() != 0 {
			t.Errorf("%s: %d bytes stay held", what, budget.Held())
		}
	}
}
