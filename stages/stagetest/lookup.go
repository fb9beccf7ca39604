package stagetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// Lookup answers stages.Lookup from the local disk and its own fields. The
// zero value is ready; tests of Resolve use it directly.
type Lookup struct {
	Tax       stages.Source
	Time      time.Time // 2026-01-02 03:04:05 UTC if zero
	IsOffline bool
	Cache     string

	mu    sync.Mutex
	pins  map[string]string
	found map[string]stages.FileInfo
}

var _ stages.Lookup = (*Lookup)(nil)

// File returns the digest of a local file.
func (l *Lookup) File(_ context.Context, path string) (stages.FileInfo, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return stages.FileInfo{}, stages.Fail(stages.CodePlan, "", "%w", err)
	}
	sum := sha256.Sum256(b)
	info := stages.FileInfo{Path: path, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(b))}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found == nil {
		l.found = map[string]stages.FileInfo{}
	}
	l.found[path] = info
	return info, nil
}

// Found returns the files that were looked up.
func (l *Lookup) Found() map[string]stages.FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.found)
}

// Glob expands a local pattern.
func (l *Lookup) Glob(_ context.Context, pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no file matches %s", pattern)
	}
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "", "%w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

// Pin keeps the first answer under a name.
func (l *Lookup) Pin(ctx context.Context, name string, resolve func(context.Context) (string, error)) (string, error) {
	l.mu.Lock()
	v, ok := l.pins[name]
	l.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := resolve(ctx)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pins == nil {
		l.pins = map[string]string{}
	}
	l.pins[name] = v
	return v, nil
}

// Now is a fixed date unless Time is set.
func (l *Lookup) Now() time.Time {
	if l.Time.IsZero() {
		return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	return l.Time
}

// Taxonomy returns Tax.
func (l *Lookup) Taxonomy() stages.Source { return l.Tax }

// Offline returns IsOffline.
func (l *Lookup) Offline() bool { return l.IsOffline }

// CacheDir returns Cache.
func (l *Lookup) CacheDir() string { return l.Cache }
