package places

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/storage"
)

// storedProgram puts this process's own binary into the store, once for its bytes: a
// worker elsewhere is exactly the program that its runner is.
func (p *Places) storedProgram(ctx context.Context) (executor.Program, error) {
	p.program.Lock()
	defer p.program.Unlock()
	if p.stored != nil {
		return *p.stored, nil
	}
	f, err := os.Open(p.o.Program)
	if err != nil {
		return executor.Program{}, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return executor.Program{}, fmt.Errorf("read %s: %w", p.o.Program, err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	blob := "sha256:" + digest
	if _, err := p.o.Store.Has(ctx, blob); errors.Is(err, storage.ErrNotFound) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return executor.Program{}, err
		}
		p.o.Log.Info("storing the program for workers elsewhere", "digest", digest, "bytes", size)
		if _, err := p.o.Store.Put(ctx, f, "application/octet-stream"); err != nil {
			return executor.Program{}, err
		}
	} else if err != nil {
		return executor.Program{}, err
	}
	p.stored = &executor.Program{
		Digest: digest, Size: size, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return p.o.Store.Get(ctx, blob, size) },
		URL: func(ctx context.Context, valid time.Duration) (string, error) {
			return p.o.Store.Address(ctx, blob, valid)
		},
	}
	return *p.stored, nil
}
