package localblob

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"time"
)

const (
	// lockLimit is how long a lock is waited for. What goes on under one takes a few
	// calls to the file system; who holds one longer is stopped, or means no good.
	lockLimit = time.Minute
	// The waits between tries grow from the first to the last.
	lockFirst, lockLast = 50 * time.Microsecond, 20 * time.Millisecond
)

// lock serialises conditional writes of a key among all processes of the
// machine. The lock dies with its process, so none is ever stale. It is waited for as
// long as the context goes on, and no longer than lockLimit.
func (b *bucket) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	name := path.Join(tmpDir, fmt.Sprintf("l-%02x", h.Sum64()&0xff))
	f, err := createFile(b.root, name, os.O_RDWR, b.mode)
	if err != nil {
		return nil, err
	}
	if err := b.awaitLock(ctx, f); err != nil {
		f.Close()
		return nil, fmt.Errorf("localblob: lock %s: %w", filepath.Join(b.dir, name), err)
	}
	return func() { f.Close() }, nil
}

func (b *bucket) awaitLock(ctx context.Context, f *os.File) error {
	began := time.Now()
	for wait := lockFirst; ; wait = min(2*wait, lockLast) {
		switch taken, err := tryLock(f); {
		case taken || err != nil:
			return err
		case time.Since(began) > b.lockLimit:
			return fmt.Errorf("another process has held it for %s: find it (`fuser` and `lsof` name it) and end it", b.lockLimit)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another process holds it: %w", ctx.Err())
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}
