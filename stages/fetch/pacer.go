package fetch

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// pacer paces requests to GDELT. Its file holds the time of the next free slot
// and a lock is held while it is read and written, so that all processes of a
// machine that share a cache folder together keep the pace.
type pacer struct {
	path  string
	pace  time.Duration
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func newPacer(cacheDir string, pace time.Duration) *pacer {
	return &pacer{path: filepath.Join(cacheDir, "gdelt", "clock"), pace: pace, now: time.Now, sleep: sleep}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// wait takes the next free slot and returns when it has come.
func (c *pacer) wait(ctx context.Context) error {
	var slot, now time.Time
	err := c.update(func(next time.Time) time.Time {
		now = c.now()
		if slot = now; next.After(now) {
			slot = next
		}
		return slot.Add(c.pace)
	})
	if err != nil {
		return err
	}
	if d := slot.Sub(now); d > 0 {
		return c.sleep(ctx, d)
	}
	return ctx.Err()
}

// delay keeps every process of the machine back for d.
func (c *pacer) delay(d time.Duration) error {
	return c.update(func(next time.Time) time.Time {
		if until := c.now().Add(d); until.After(next) {
			return until
		}
		return next
	})
}

// maxWait caps what a broken or future clock file can make us wait.
const maxWait = 10 * time.Minute

func (c *pacer) update(change func(next time.Time) time.Time) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return fmt.Errorf("clock of GDELT requests: %w", err)
	}
	lock := flock.New(c.path + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("clock of GDELT requests: lock: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // the lock dies with the process anyway
	var next time.Time
	if b, _ := plainfile.Read(c.path, 8); len(b) == 8 {
		next = time.Unix(0, int64(binary.LittleEndian.Uint64(b)))
		if next.Sub(c.now()) > maxWait {
			next = time.Time{}
		}
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(change(next).UnixNano()))
	if err := os.WriteFile(c.path, b, 0o600); err != nil {
		return fmt.Errorf("clock of GDELT requests: %w", err)
	}
	return nil
}
