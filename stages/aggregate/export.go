package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// success is the name of the marker that says that what it lists is whole. Readers of
// partitions pass over names that begin so.
const success = "_SUCCESS"

// marker is the content of a marker, of one day beside its file and of a window at the top.
type marker struct {
	Format int    `json:"format"`
	Source string `json:"source"`
	Model  string `json:"model"`
	Days   []day  `json:"days"`
}

// maxMarker caps the bytes of a marker that is read.
const maxMarker = 16 << 20

// receipt says what was exported where and when.
type receipt struct {
	Export   string    `json:"export"`
	Exported time.Time `json:"exported"`
	Days     []day     `json:"days"`
}

// Preflight finds out early that nothing can be written there.
func (s *stage) Preflight(ctx context.Context) error {
	if s.o.Export == "" {
		return nil
	}
	probe := at(s.o.Export, "_sprint_probe")
	err := storeio.WriteTo(ctx, probe, func(w io.Writer) error { _, err := w.Write([]byte("sprint\n")); return err })
	if err != nil {
		return s.unwritten(err)
	}
	_ = storeio.Remove(ctx, probe) // who may not delete leaves it: readers pass over it
	return nil
}

func (s *stage) unwritten(err error) error {
	return stages.Fail(stages.CodeEnvironment, "check the option export, and the rights and space there", "cannot export to %s: %w", storage.Redact(s.o.Export), err)
}

// at is the name of a file below an export.
func at(export, path string) string {
	if bucket, key, remote := storage.SplitURL(export); remote {
		if key != "" {
			path = key + "/" + path
		}
		return storage.JoinURL(bucket, path)
	}
	return filepath.Join(storage.LocalPath(export), filepath.FromSlash(path))
}

// export writes each day in place of what is there, then the marker of all.
func (s *stage) export(ctx context.Context, t *tally, r *report, out stages.Outputs) error {
	if !s.o.bounded() {
		if err := s.refuseLess(ctx, r); err != nil {
			return err
		}
	}
	for i, d := range r.Days {
		err := storeio.WriteTo(ctx, at(s.o.Export, d.File), func(w io.Writer) error {
			_, err := t.write(w, t.keysOf(d.Day), r.Source, r.Model)
			return err
		})
		if err == nil {
			err = s.mark(ctx, partition(d.Day)+"/"+success, r, []day{d})
		}
		if err != nil {
			return s.unwritten(err)
		}
		s.env.Progress(stages.Progress{Done: int64(i + 1), Total: int64(len(r.Days)), Unit: "days"})
	}
	if err := s.mark(ctx, success, r, r.Days); err != nil {
		return s.unwritten(err)
	}
	s.env.Log.Info("exported", slog.String("to", storage.Redact(s.o.Export)), slog.Int("days", len(r.Days)))
	return storeio.WriteJSON(ctx, out, "export_receipt", receipt{storage.Redact(s.o.Export), time.Now().UTC(), r.Days})
}

// mark writes a marker.
func (s *stage) mark(ctx context.Context, path string, r *report, days []day) error {
	data, err := json.MarshalIndent(marker{1, r.Source, r.Model, days}, "", "  ")
	if err != nil {
		return err
	}
	return storeio.WriteTo(ctx, at(s.o.Export, path), func(w io.Writer) error { _, err := w.Write(append(data, '\n')); return err })
}

// refuseLess refuses to replace a day by one of fewer rows: a window that begins or ends
// within a day has not all of it.
func (s *stage) refuseLess(ctx context.Context, r *report) error {
	for _, d := range r.Days {
		there, err := s.o.marked(ctx, partition(d.Day)+"/"+success)
		if err != nil {
			return s.unwritten(err)
		}
		for _, was := range there.Days {
			if was.Day == d.Day && was.Rows > d.Rows {
				return stages.Fail(stages.CodeStage, "fetch whole days, and say which with from and to: then they are replaced whatever is there",
					"the export has %d rows of %s, and this run has %d: it may not be the whole day", was.Rows, d.Day, d.Rows)
			}
		}
	}
	return nil
}

// marked reads a marker; what is not there, or no marker of ours, says nothing.
func (o *Options) marked(ctx context.Context, path string) (m marker, err error) {
	f, err := storeio.OpenFile(ctx, at(o.Export, path))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMarker))
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	if json.Unmarshal(data, &m) != nil {
		return marker{}, nil
	}
	return m, nil
}
