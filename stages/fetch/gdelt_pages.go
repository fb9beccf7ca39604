package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// pageCache are the raw answers of this key, also those of earlier attempts: every
// finished window is a checkpoint.
type pageCache struct {
	dir     string
	keep    stages.Checkpoints
	step    int64
	have    map[string]bool
	offline bool
}

func openPageCache(ctx context.Context, env stages.Env) (*pageCache, error) {
	p := &pageCache{dir: filepath.Join(env.Scratch, "pages"), keep: env.Checkpoints, have: map[string]bool{}, offline: env.Offline}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	step, err := p.keep.Restore(ctx, p.dir, nil)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	p.step = step
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json.gz"); ok {
			p.have[name] = true
		}
	}
	return p, nil
}

func (p *pageCache) path(w window) string { return filepath.Join(p.dir, w.name()+".json.gz") }

// get returns the page of a window, from an earlier attempt or by ask.
func (p *pageCache) get(ctx context.Context, w window, ask func() ([]byte, error)) ([]byte, error) {
	if p.have[w.name()] {
		packed, err := os.ReadFile(p.path(w))
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", w.name(), err)
		}
		return io.ReadAll(io.LimitReader(z, maxBody+1))
	}
	if p.offline {
		return nil, stages.Fail(stages.CodeEnvironment, "run without --offline, or use source: files", "GDELT needs the network, and --offline forbids it")
	}
	body, err := ask()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path(w), pack(body), 0o644); err != nil {
		return nil, err
	}
	p.step++
	p.have[w.name()] = true
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

// write adds the page of a window to the raw output.
func (p *pageCache) write(raw stages.TreeWriter, w window) error {
	packed, err := os.ReadFile(p.path(w))
	if err != nil {
		return err
	}
	out, err := raw.Create(w.name() + ".json.gz")
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := out.Write(packed); err != nil {
		return err
	}
	return out.Commit()
}
