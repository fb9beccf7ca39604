package mirrortest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/storage/models"
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

// twoStores: a second store that shows other releases where one does already overwrites no
// version of the first, moves none of its aliases, and is told why; one that has the same
// releases, as a copy of the first, goes on with them.
func (s Subject) twoStores(t *testing.T) {
	first := s.world(t)
	first.mustPush(t, nil)
	other := s.beside(t, "mem://", first.server)
	for version, text := range []string{"eins", "zwei", "drei"} {
		other.publish(t, digits(version+1), text)
	}
	for version, alias := range map[int]string{1: models.Champion, 3: models.Latest} { // one is taken, one is free
		other.alias(t, alias, version)
		if got := other.mustPush(t, nil); !strings.Contains(got.Error, "a release that another store put there") || got.Aliases[alias] != 0 {
			t.Errorf("the second store: state %+v", got)
		}
		first.shows(t, both)
	}
	if got := first.mustPush(t, nil); got.Error != "" || got.Remarks != nil {
		t.Errorf("the first store: state %+v", got)
	}
	calm := s.world(t)
	calm.mustPush(t, nil)
	same := s.beside(t, "mem://", calm.server)
	same.publish(t, "1", "one")
	same.publish(t, "2", "two")
	same.publish(t, "3", "three")
	same.alias(t, models.Champion, 3)
	if got := same.mustPush(t, nil); got.Error != "" {
		t.Errorf("a copy of a store: state %+v", got)
	}
	same.shows(t, map[string]string{"3": "3", models.Champion: "3"})
}
