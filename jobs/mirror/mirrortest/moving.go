package mirrortest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/storage/models"
)

// killedMoving: whoever ends while an alias that is there moves leaves it where it was, where
// it goes, or, at a registry that moves none at once, nowhere; never at half a release, and
// the next one completes the move.
func (s Subject) killedMoving(t *testing.T) {
	moving := func() *world {
		w := s.world(t)
		w.mustPush(t, nil)
		w.alias(t, models.Champion, 2)
		return w
	}
	calm, counting := moving(), &killer{}
	calm.mustPush(t, counting)
	want, total := calm.server.Things(t), counting.count()
	step := 1
	if s.Few {
		step = max(1, total/3)
	}
	for at := 1; at <= total; at += step {
		for _, delivered := range []bool{false, true} {
			w := moving()
			ctx, kill := context.WithCancel(t.Context())
			if _, err := w.push(ctx, t, &killer{at: at, delivered: delivered, kill: kill}); !errors.Is(err, context.Canceled) {
				t.Fatalf("killed at request %d of %d: %v", at, total, err)
			}
			kill()
			w.shows(t, map[string]string{"1": "1", "2": "2", models.Latest: "2"})
			if files := w.server.Files(t, models.Champion); files != nil && files["config.json"] != w.trees["1"]["config.json"] && files["config.json"] != w.trees["2"]["config.json"] {
				t.Errorf("killed at request %d: champion shows %v", at, files)
			}
			if got := w.mustPush(t, nil); got.Error != "" {
				t.Errorf("killed at request %d: state %+v", at, got)
			}
			w.shows(t, map[string]string{"1": "1", "2": "2", models.Champion: "2", models.Latest: "2"})
			if got := w.server.Things(t); !slices.Equal(got, want) {
				t.Errorf("killed at request %d (delivered %t): there are %v, want %v", at, delivered, got, want)
			}
		}
	}
	t.Logf("killed at up to %d requests", total)
}
