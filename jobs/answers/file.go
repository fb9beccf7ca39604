package answers

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// Origin is what answers are made of: of equal origins they are the same bytes, but for
// what devices differ in.
type Origin struct {
	Input   string `json:"input"`   // digest; empty if it cannot be read again
	Model   string `json:"model"`   // digest of the release, and who answers
	Options string `json:"options"` // of the command, as far as answers depend on them
}

// progress is the record of a file of answers in the making, beside it.
type progress struct {
	Format int    `json:"format"`
	Origin Origin `json:"origin"`
	Counts Counts `json:"counts"`
	Bytes  int64  `json:"bytes"`  // of the file that hold the answers of these rows
	SHA256 string `json:"sha256"` // of those bytes
	Parts  []byte `json:"parts,omitempty"`
	Tail   *tail  `json:"tail,omitempty"` // rows behind those of the parts
}

// progressFormat is that of progress. One of the first format has no tail, and is read
// too; a newer one is begun anew.
const progressFormat = 2

// maxProgress caps the bytes of a record of progress.
const maxProgress = 64 << 20

// keepEvery is the time between two records of progress.
const keepEvery = 2 * time.Second

// File is a file of answers in the making, a local one or an object of a store. Its bytes
// stand in a file of their own, name.partial, until all are there: nothing half is ever
// seen under its name. A record beside says which answers are whole, so that a later
// process goes on where this one was killed.
type File struct {
	name, path string // path is of the partial file, empty where bytes go straight to name
	origin     Origin
	f          *os.File
	out        *bufio.Writer
	hash       hash.Hash
	n          int64 // bytes
	parts      parquet.Join
	journal    *journal // nil where no part waits for its last row
	tail       *tail    // what an earlier process left in it
	begun      Counts   // of an earlier process
	sink       Sink
	kept       Counts
	at         time.Time // of the last record
	every      time.Duration
	ended      bool
	// Abandoned is how many rows of an earlier process are answered again, because nobody
	// asked to go on from them.
	Abandoned int
}

// CreateFile begins the file of a name, a path or a store URL, for answers of an origin.
// A device or a pipe is written as it is. What is not whole of an object of a store lies
// in the folder cache. With resume it goes on with what an earlier process of the same
// origin left, if there is any; of another origin is a Failure of CodeUsage.
func CreateFile(name, cache string, origin Origin, resume bool) (*File, error) {
	w := &File{name: name, origin: origin, hash: sha256.New(), at: time.Now(), every: keepEvery}
	if err := w.open(cache); err != nil {
		return nil, unwritten(err)
	}
	if w.path != "" {
		if err := w.takeUp(resume); err != nil {
			w.f.Close()
			return nil, err
		}
	}
	w.out = bufio.NewWriterSize(w.f, 256<<10)
	return w, nil
}

// unwritten is the failure of answers that cannot be written.
func unwritten(err error) error {
	return stages.Fail(stages.CodeEnvironment, "check --output, and the space and rights there", "cannot write the answers: %w", err)
}

// open opens the partial file, or what is no plain file.
func (w *File) open(cache string) (err error) {
	if _, _, remote := storage.SplitURL(w.name); remote {
		sum := sha256.Sum256([]byte(w.name))
		dir := filepath.Join(cache, "classify")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		w.path = filepath.Join(dir, hex.EncodeToString(sum[:16])+".partial")
	} else {
		local := storage.LocalPath(w.name)
		if target, err := filepath.EvalSymlinks(local); err == nil {
			local = target // the link stays
		}
		info, err := os.Stat(local)
		switch {
		case err == nil && info.IsDir():
			return &fs.PathError{Op: "open", Path: local, Err: errors.New("is a folder")}
		case err == nil && !info.Mode().IsRegular():
			w.f, err = plainfile.OpenToWrite(local, 0)
			return err
		}
		w.name, w.path = local, local+".partial"
	}
	if w.f, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: w.path, Err: errors.New("is no plain file")}
	}
	if err == nil && !lock(w.f) {
		err = fmt.Errorf("%s is being written by another process", w.path)
	}
	if err != nil {
		w.f.Close()
	}
	return err
}

func (w *File) record() string { return w.path + ".json" }

// takeUp goes on with what an earlier process left, or drops it.
func (w *File) takeUp(resume bool) error {
	p, err := w.read()
	if err != nil || p == nil || !resume {
		if p != nil {
			w.Abandoned = p.Counts.Rows
		}
		if err != nil && resume {
			return err
		}
		w.forget()
		return w.f.Truncate(0)
	}
	refuse := func(format string, args ...any) error {
		return stages.Fail(stages.CodeUsage, "without --resume all rows are answered anew", "--resume cannot go on with %s: %w", w.path, fmt.Errorf(format, args...))
	}
	switch {
	case p.Origin.Input != w.origin.Input:
		return refuse("its answers are about another input, or the input changed since")
	case p.Origin.Model != w.origin.Model:
		return refuse("its answers are those of another model, or of other rules (%s, now %s)", p.Origin.Model, w.origin.Model)
	case p.Origin.Options != w.origin.Options:
		return refuse("its answers were made with other flags (%s)", otherFlags(p.Origin.Options, w.origin.Options))
	}
	n, err := io.CopyN(w.hash, w.f, p.Bytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n < p.Bytes || hex.EncodeToString(w.hash.Sum(nil)) != p.SHA256 {
		return refuse("%w", errDamaged)
	}
	if p.Tail != nil {
		if err := newJournal(w.path).check(p.Tail); err != nil {
			return refuse("%w", err)
		}
	}
	if err := w.parts.UnmarshalBinary(p.Parts); err != nil {
		return refuse("its record is damaged: %v", err)
	}
	if err := w.f.Truncate(p.Bytes); err != nil {
		return err
	}
	w.n, w.begun, w.kept, w.tail = p.Bytes, p.Counts, p.Counts, p.Tail
	_, err = w.f.Seek(p.Bytes, io.SeekStart)
	return err
}

// otherFlags names the flags in which two options of a command differ, as JSON says them.
func otherFlags(old, now string) string {
	var a, b map[string]any
	if json.Unmarshal([]byte(old), &a) != nil || json.Unmarshal([]byte(now), &b) != nil {
		return old + ", now " + now
	}
	all := map[string]any{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if x, y := a[name], b[name]; !reflect.DeepEqual(x, y) {
			out = append(out, fmt.Sprintf("%s %s, now %s", name, orDefault(x), orDefault(y)))
		}
	}
	return strings.Join(out, "; ")
}

// orDefault is a flag's value; one that is not said is the default.
func orDefault(v any) string {
	text, err := json.Marshal(v)
	if v == nil || v == "" || err != nil {
		return "by default"
	}
	return string(text)
}

// read returns the record of an earlier process, nil if there is none.
func (w *File) read() (*progress, error) {
	data, err := plainfile.Read(w.record(), maxProgress)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no record is no error
	}
	p := &progress{}
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err == nil && (p.Format < 1 || p.Format > progressFormat || p.Bytes < 0 || p.Counts.Rows < 0) {
		err = fmt.Errorf("is of format %d; this sprint reads %d", p.Format, progressFormat)
	}
	if err != nil {
		return nil, stages.Fail(stages.CodeUsage, "without --resume all rows are answered anew", "--resume cannot read %s: %w", w.record(), err)
	}
	return p, nil
}

// Begun counts the rows of which an earlier process has left the answers: they are passed
// over.
func (w *File) Begun() Counts { return w.begun }

// Open makes the sink, which is asked for once.
func (w *File) Open(shape Shape) (Sink, error) {
	if shape.Format == rows.Parquet && w.resumable() {
		w.journal = newJournal(w.path)
	}
	sink, err := newSink((*fileBytes)(w), shape, w.n > 0, &w.parts, w.journal)
	if s, ok := sink.(*parquetSink); ok && err == nil && w.tail != nil {
		err = w.journal.replay(w.tail, s.write)
	}
	if err != nil {
		return nil, err // an earlier process's record stays as it is
	}
	w.sink = sink
	return sink, nil
}

// resumable reports whether a later process can go on with the file.
func (w *File) resumable() bool { return w.path != "" && w.origin.Input != "" }

// forget removes what is for a later process.
func (w *File) forget() {
	_ = os.Remove(w.record())
	j := w.journal
	if j == nil {
		j = newJournal(w.path) // an earlier process may have had one
	}
	j.remove()
}

// fileBytes is what a sink writes to.
type fileBytes File

func (b *fileBytes) Write(p []byte) (int, error) {
	n, err := b.out.Write(p)
	if err != nil {
		return n, unwritten(err)
	}
	b.hash.Write(p)
	b.n += int64(n)
	return n, nil
}

// Keep records that the answers about so many rows are whole, if it is time to.
func (w *File) Keep(c Counts) error {
	if !w.resumable() || c.Rows <= w.kept.Rows || time.Since(w.at) < w.every {
		return nil
	}
	return w.keep(c)
}

func (w *File) keep(c Counts) error {
	if err := w.sink.Flush(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return unwritten(err)
	}
	if err := w.f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return unwritten(err)
	}
	tail, err := w.journal.flush()
	if err != nil {
		return err
	}
	parts, err := w.parts.MarshalBinary()
	if err != nil {
		return err
	}
	data, err := json.Marshal(progress{progressFormat, w.origin, c, w.n, hex.EncodeToString(w.hash.Sum(nil)), parts, tail})
	if err != nil {
		return err
	}
	err = storeio.WriteTo(context.Background(), w.record(), func(out io.Writer) error { _, err := out.Write(data); return err })
	if err != nil {
		return unwritten(err)
	}
	w.journal.recorded(tail)
	w.kept, w.at = c, time.Now()
	return nil
}

// Commit ends the file and gives it its name. All answers are whole.
func (w *File) Commit(ctx context.Context, all Counts) error {
	if _, _, remote := storage.SplitURL(w.name); remote && w.origin.Input != "" {
		if err := w.keep(all); err != nil { // the copy into the store may fail
			return err
		}
	}
	w.ended = true
	if err := w.sink.End(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return unwritten(err)
	}
	if w.path != "" {
		if err := storeio.Place(ctx, w.f, w.path, w.name); err != nil {
			return unwritten(fmt.Errorf("%s: %w", storage.Redact(w.name), err))
		}
		w.forget()
		w.path = ""
	}
	if err := w.f.Close(); err != nil {
		return unwritten(err)
	}
	return nil
}

// Close ends the writing, and returns behind how many rows a later process can go on,
// whose answers are whole: those before Commit failed, or before it was called. If there
// are none, nothing is left.
func (w *File) Close(whole Counts) (kept int) {
	if w.path == "" {
		w.f.Close() // after Commit it is closed already
		return 0
	}
	if w.sink != nil && !w.ended && w.origin.Input != "" && whole.Rows > w.kept.Rows {
		_ = w.keep(whole) // a full disk may take no record: then the last one counts
	}
	if w.kept.Rows == 0 {
		_ = os.Remove(w.path)
		w.forget()
	}
	w.journal.close()
	w.f.Close()
	return w.kept.Rows
}
