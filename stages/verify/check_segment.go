package verify

import (
	"context"
	"fmt"
)

func checkWeakDomain(_ context.Context, in checkInput) (observation, error) {
	return in.weakestSegment(in.details.Segments[byDomain]), nil
}

func checkWeakLength(_ context.Context, in checkInput) (observation, error) {
	return in.weakestSegment(in.details.Segments[byLength]), nil
}

// weakestSegment compares a set with its segment of the least F1 among those of
// enough rows.
func (in checkInput) weakestSegment(segments []Segment) observation {
	x, ok := weakest(segments, in.check.Rows)
	if !ok {
		return observation{where: fmt.Sprintf("none has %d rows", in.check.Rows)}
	}
	return observation{
		value: in.report.MicroF1 - x.MicroF1, where: fmt.Sprintf("%s, %d rows", x.Name, x.Rows),
		samples: func() []Sample { return in.m.wrong(in.set, x.at, -1, anyError) },
	}
}

// weakest is the segment with the least F1 among those of enough rows.
func weakest(in []Segment, rows int) (Segment, bool) {
	var out Segment
	found := false
	for _, x := range in {
		if x.Rows >= rows && x.Decided > 0 && (!found || x.MicroF1 < out.MicroF1) {
			out, found = x, true
		}
	}
	return out, found
}
