package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Lookup implements stages.Lookup for one compilation. Digests of local files
// are remembered in the cache folder by path, size, times and inode, so that an
// unchanged file is not read again.
type Lookup struct {
	cache    string
	lock     string // path of sprint.lock
	offline  bool
	now      time.Time
	taxonomy stages.Source

	mu     sync.Mutex
	memo   map[string]memoEntry
	dirty  bool
	files  map[string]stages.FileInfo
	stores map[string]*storage.Store
}

type memoEntry struct {
	Size int64 `json:"size"`
	Time int64 `json:"time"` // modification, ns
	// Changed is the time of the last change of all, ns; 0 where the system
	// does not say. Copying and unpacking programs set Time, never this.
	Changed int64  `json:"changed,omitempty"`
	Inode   uint64 `json:"inode"`
	Digest  string `json:"digest"`
}

// memoLimit caps the remembered files; beyond it the memory starts afresh.
const memoLimit = 50_000

// maxMemo and maxLock cap the files of remembered digests and of pins.
const (
	maxMemo = 64 << 20
	maxLock = 1 << 20
)

// MissingFile says that a file named by a plan is not there or not readable.
type MissingFile struct {
	Path string
	Err  error
}

// newMissingFile names the path once: errors of files name it too.
func newMissingFile(path string, err error) *MissingFile {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return &MissingFile{Path: path, Err: err}
}

func (e *MissingFile) Error() string { return fmt.Sprintf("cannot read %s: %v", e.Path, e.Err) }
func (e *MissingFile) Unwrap() error { return e.Err }

// NewLookup makes the lookup of a run that begins at now. planDir holds
// sprint.lock.
func NewLookup(planDir, cacheDir string, offline bool, now time.Time) *Lookup {
	l := &Lookup{
		cache: cacheDir, lock: filepath.Join(planDir, "sprint.lock"), offline: offline, now: now.UTC(),
		memo: map[string]memoEntry{}, files: map[string]stages.FileInfo{}, stores: map[string]*storage.Store{},
	}
	if b, err := plainfile.Read(l.memoPath(), maxMemo); err == nil {
		if json.Unmarshal(b, &l.memo) != nil || len(l.memo) > memoLimit {
			l.memo = map[string]memoEntry{}
		}
	}
	return l
}

func (l *Lookup) memoPath() string { return filepath.Join(l.cache, "digests.json") }

// Now is the time at which the run began.
func (l *Lookup) Now() time.Time { return l.now }

// Taxonomy is the plan's taxonomy file.
func (l *Lookup) Taxonomy() stages.Source { return l.taxonomy }

// Offline reports whether the network is forbidden.
func (l *Lookup) Offline() bool { return l.offline }

// CacheDir is the folder of encoders and plugins.
func (l *Lookup) CacheDir() string { return l.cache }

// seen returns all files asked for, by path.
func (l *Lookup) seen() map[string]stages.FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.files)
}

// Close writes what was learned about files and closes stores.
func (l *Lookup) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.stores {
		_ = s.Close()
	}
	if !l.dirty {
		return nil
	}
	b, err := json.Marshal(l.memo)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.cache, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(l.memoPath(), b, 0o600)
}

// missing is the failure of a path that a plan names.
func missing(path string, err error) error {
	return stages.Fail(stages.CodePlan, "check the path; paths in a plan are relative to the plan, those of --set to the working directory", "%w", newMissingFile(path, err))
}

func (l *Lookup) store(ctx context.Context, bucket string) (*storage.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.stores[bucket]; s != nil {
		return s, nil
	}
	s, err := storage.Open(ctx, bucket, nil)
	if err == nil {
		l.stores[bucket] = s
	}
	return s, err
}

// File returns digest and size of a local file or an object of a store.
func (l *Lookup) File(ctx context.Context, path string) (stages.FileInfo, error) {
	var info stages.FileInfo
	var err error
	if bucket, key, ok := storage.SplitURL(path); ok {
		info, err = l.remote(ctx, path, bucket, key)
	} else {
		info, err = l.local(path)
	}
	if err == nil {
		l.mu.Lock()
		l.files[path] = info
		l.mu.Unlock()
	}
	return info, err
}

func (l *Lookup) local(path string) (stages.FileInfo, error) {
	path = storage.LocalPath(path)
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		return stages.FileInfo{}, missing(path, fmt.Errorf("it is a folder: write %s/*.jsonl", strings.TrimRight(path, "/")))
	}
	f, err := plainfile.Open(path)
	if err != nil {
		return stages.FileInfo{}, missing(path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return stages.FileInfo{}, missing(path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return stages.FileInfo{}, err
	}
	now := memoEntry{Size: fi.Size(), Time: fi.ModTime().UnixNano()}
	now.Inode, now.Changed = identity(f)
	old, known := l.remembered(abs)
	now.Digest = old.Digest
	if known && now == old {
		return stages.FileInfo{Path: path, Digest: old.Digest, Size: old.Size}, nil
	}
	info, err := digest(path, f)
	if err != nil {
		return stages.FileInfo{}, missing(path, err)
	}
	now.Digest = info.Digest
	// A file written within the clock's grain could change again unseen.
	if time.Since(time.Unix(0, max(now.Time, now.Changed))) > 2*time.Second {
		l.remember(abs, now)
	}
	return info, nil
}

// digest reads a file to its end.
func digest(path string, r io.Reader) (stages.FileInfo, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return stages.FileInfo{Path: path, Digest: fmt.Sprintf("sha256:%x", h.Sum(nil)), Size: n}, err
}

func (l *Lookup) remembered(id string) (entry memoEntry, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry, known = l.memo[id]
	return entry, known
}

func (l *Lookup) remember(id string, e memoEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memo[id], l.dirty = e, true
}

func (l *Lookup) remote(ctx context.Context, path, bucket, key string) (stages.FileInfo, error) {
	s, err := l.store(ctx, bucket)
	if err != nil {
		return stages.FileInfo{}, err
	}
	info, err := s.StatFile(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return stages.FileInfo{}, missing(path, errors.New("no such object"))
	}
	if err != nil {
		return stages.FileInfo{}, err
	}
	id := bucket + "\x00" + key + "\x00" + info.Version
	old, known := l.remembered(id)
	if known && info.Version != "" && old.Size == info.Size {
		return stages.FileInfo{Path: path, Digest: old.Digest, Size: old.Size}, nil
	}
	r, err := s.OpenFile(ctx, key)
	if err != nil {
		return stages.FileInfo{}, err
	}
	defer r.Close()
	read, err := digest(path, r)
	if err == nil {
		l.remember(id, memoEntry{Size: read.Size, Digest: read.Digest})
	}
	return read, err
}

// Glob expands a pattern of filepath.Match's syntax to sorted paths.
func (l *Lookup) Glob(ctx context.Context, pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*[") {
		return []string{pattern}, nil
	}
	var paths []string
	if bucket, key, ok := storage.SplitURL(pattern); ok {
		s, err := l.store(ctx, bucket)
		if err != nil {
			return nil, err
		}
		for info, err := range s.Bucket.List(ctx, key[:strings.IndexAny(key, "*[")]) {
			if err != nil {
				return nil, err
			}
			if match, err := filepath.Match(key, info.Key); err == nil && match {
				paths = append(paths, storage.JoinURL(bucket, info.Key))
			}
		}
	} else {
		var err error
		if paths, err = filepath.Glob(storage.LocalPath(pattern)); err != nil {
			return nil, missing(pattern, err)
		}
	}
	if len(paths) == 0 {
		return nil, missing(pattern, errors.New("no file fits the pattern"))
	}
	slices.Sort(paths)
	return paths, nil
}

// Pin returns what sprint.lock keeps under name, or resolves it once and keeps
// the answer: later runs, on other machines too, see the same.
func (l *Lookup) Pin(ctx context.Context, name string, resolve func(context.Context) (string, error)) (string, error) {
	pins := map[string]string{}
	b, err := plainfile.Read(l.lock, maxLock)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", missing(l.lock, err)
	}
	if err == nil {
		if err := json.Unmarshal(b, &pins); err != nil {
			return "", stages.Fail(stages.CodePlan, "delete the file to resolve its pins again", "%s is no JSON object of texts: %w", l.lock, err)
		}
	}
	if v, ok := pins[name]; ok {
		return v, nil
	}
	v, err := resolve(ctx)
	if err != nil {
		return "", err
	}
	pins[name] = v
	b, err = json.MarshalIndent(pins, "", "  ")
	if err != nil {
		return "", err
	}
	if err := atomicfile.Write(l.lock, append(b, '\n'), 0o644); err != nil {
		return "", stages.Fail(stages.CodeEnvironment, "make the plan's folder writable, or commit a sprint.lock", "cannot keep the pin %s: %w", name, err)
	}
	return v, nil
}
