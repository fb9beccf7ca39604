package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// pageCache are the raw answers of this key, also those of earlier attempts: every
// finished window is a checkpoint.
type pageCache struct {
	dir     string
	keep    stages.Checkpoints
	step    int64
	resumed int // pages of earlier attempts
	offline bool
}

// pageSuffix ends the name of a page's file.
const pageSuffix = ".json.gz"

func openPageCache(ctx context.Context, env stages.Env) (*pageCache, error) {
	p := &pageCache{dir: filepath.Join(env.Scratch, "pages"), keep: env.Checkpoints, offline: env.Offline}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	step, err := p.keep.Restore(ctx, p.dir, nil)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(p.dir, "*"+pageSuffix))
	p.step, p.resumed = step, len(found)
	return p, err
}

func (p *pageCache) path(w window) string { return filepath.Join(p.dir, w.name()+pageSuffix) }

// get returns the page of a window, from an earlier attempt or by ask.
func (p *pageCache) get(ctx context.Context, w window, ask func() ([]byte, error)) ([]byte, error) {
	packed, err := os.ReadFile(p.path(w))
	if err == nil {
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", w.name(), err)
		}
		return io.ReadAll(io.LimitReader(z, maxBody+1))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if p.offline {
		return nil, stages.Fail(stages.CodeEnvironment, "run without --offline, or use source: files", "GDELT needs the network, and --offline forbids it")
	}
	body, err := ask()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path(w), pack(body), 0o600); err != nil {
		return nil, err
	}
	p.step++
	return body, p.keep.Save(ctx, p.step, p.dir)
}

// pack compresses without a time or name, so that equal pages have equal bytes.
func pack(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}
