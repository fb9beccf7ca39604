package integrity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Subset says how much of the bytes a check reads. The zero Subset reads none.
type Subset struct {
	share  float64 // in (0,1]; chosen at random
	nth    int     // of parts, from 1; every object is in one part, always the same
	parted int
}

// Everything is the Subset of all.
func Everything() Subset { return Subset{share: 1} }

// ParseSubset reads a Subset: 5% is a random share, 2/7 the second of seven parts.
func ParseSubset(text string) (Subset, error) {
	if number, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(number, 64)
		if err == nil && percent > 0 && percent <= 100 {
			return Subset{share: percent / 100}, nil
		}
	}
	if nth, of, ok := strings.Cut(text, "/"); ok {
		n, err1 := strconv.Atoi(nth)
		parts, err2 := strconv.Atoi(of)
		if err1 == nil && err2 == nil && n >= 1 && n <= parts && parts <= 256 {
			return Subset{nth: n, parted: parts}, nil
		}
	}
	return Subset{}, fmt.Errorf("%q is neither a share of more than 0%% and at most 100%% nor a part such as 2/7, of at most 256", text)
}

// sampler chooses objects one by one. It is not safe for concurrent use.
type sampler struct {
	Subset
	due float64 // objects that are due by the share, less those taken
}

// newSampler begins at a random place, so that each check reads others. Of as many
// objects as expected, if that is known, a share is at least one.
func newSampler(s Subset, expected int) *sampler {
	out := &sampler{Subset: s, due: rand.Float64()}
	if each := 1 / s.share; s.share > 0 && expected > 0 && each > float64(expected) {
		out.due = 1 - s.share*float64(1+rand.IntN(expected))
	}
	return out
}

// take reports whether the next object is read. What it is is told by the first byte
// of its digest.
func (s *sampler) take(first byte) bool {
	switch {
	case s.parted > 0:
		return int(first)%s.parted == s.nth-1
	case s.share == 0 || s.share == 1: // which sums would miss by a rounding
		return s.share == 1
	}
	if s.due += s.share; s.due < 1 {
		return false
	}
	s.due--
	return true
}
