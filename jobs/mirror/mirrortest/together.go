package mirrortest

import (
	"slices"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
)

// twoAtOnce: of two that bring a mirror up to date at the same time one waits for the other,
// both find it as it shall be, and nothing is there twice.
func (s Subject) twoAtOnce(t *testing.T) {
	calm := s.world(t)
	calm.mustPush(t, nil)
	want := calm.server.Things(t)
	w := s.world(t)
	var states [2]mirror.State
	var errs [2]error
	var pushing sync.WaitGroup
	for i := range states {
		pushing.Go(func() { states[i], errs[i] = w.push(t.Context(), t, nil) })
	}
	pushing.Wait()
	for i := range states {
		if errs[i] != nil || states[i].Error != "" || states[i].Tries != 0 {
			t.Errorf("one of two at once: %+v %v", states[i], errs[i])
		}
	}
	w.shows(t, both)
	if got := w.server.Things(t); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
}
