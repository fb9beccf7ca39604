package runs_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// A log that is closed while the store hangs tries once more to store its lines,
// whatever else has woken its writer meanwhile.
func TestLogClosesWithOneFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		s, err := storage.Open(t.Context(), "mem://", &storage.Options{Tries: 1, Around: func(context.Context, string, string, func() error) error {
			writes++
			time.Sleep(1500 * time.Millisecond)
			return errors.New("the store is out of reach")
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for round := range 20 {
			writes = 0
			log := runs.OpenLog(t.Context(), s, slog.New(slog.DiscardHandler), "run", "stage", 1)
			log.Write(slog.LevelInfo, "a line")
			time.Sleep(2200 * time.Millisecond) // a flush goes on, and the next is due
			log.Close()
			if writes != 2 {
				t.Fatalf("round %d: the store was asked %d times, want 2", round, writes)
			}
		}
	})
}
