package fetch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Files are the options of the source files.
type Files struct {
	Paths      []string          `yaml:"paths" path:"true" key:"-" doc:"files, globs or store URLs, in the order of their rows"`
	Format     string            `yaml:"format" default:"auto" enum:"auto|jsonl|csv|parquet" doc:"auto tells it from the extension"`
	Columns    map[string]string `yaml:"columns" key:"-" doc:"the files' names of columns, by ours: {title: subject, description: body, label: category}; ours are title, description, url, id, source, language, published, label, and CATEGORY_score and CATEGORY_tag"`
	MaxBadRows float64           `yaml:"max_bad_rows" default:"0.01" min:"0" max:"1" doc:"share of rows that may be unusable"`
}

const formatHint = "set files.format to jsonl, csv or parquet"

func (f *Files) check() []stages.Problem {
	var out stages.Problems
	out.If(len(f.Paths) == 0, "files.paths", "name at least one jsonl, csv or parquet file", "no paths given")
	for _, p := range f.Paths {
		_, ok := f.format(p)
		// A path without extension may be a folder, of which resolve tells.
		out.If(!ok && path.Ext(p) != "" && !strings.ContainsAny(p, "*?["), "files.paths", formatHint, "%s: the extension does not tell the format", p)
	}
	return append(out, rows.CheckColumns("files.columns", f.Columns)...)
}

func (f *Files) format(path string) (string, bool) {
	if f.Format != "" && f.Format != "auto" {
		return f.Format, true
	}
	return rows.FormatOf(path)
}

// resolve keys files by their bytes and formats, in order; their names stay
// out of the key.
func (f *Files) resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	var paths []string
	var digests, formats []any
	for _, pattern := range f.Paths {
		found, err := lookup.Glob(ctx, pattern)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			if slices.Contains(paths, p) {
				continue
			}
			info, err := lookup.File(ctx, p)
			if err != nil {
				return nil, err
			}
			format, ok := f.format(p)
			if !ok && p == pattern && path.Ext(p) != "" {
				continue // check told
			}
			if !ok {
				return nil, stages.Fail(stages.CodePlan, formatHint, "%s: the extension does not tell the format", p)
			}
			paths, digests, formats = append(paths, p), append(digests, info.Digest), append(formats, format)
		}
	}
	f.Paths = paths
	ext := stages.External{"files": digests, "formats": formats}
	if len(f.Columns) > 0 { // else the key is that of before there were names
		named := map[string]any{}
		for ours, theirs := range f.Columns {
			named[ours] = theirs
		}
		ext["columns"] = named
	}
	return ext, nil
}

// expanded lists the paths that resolve found. A worker that decoded the
// options anew expands local globs once more; a file that was not there when
// the key was computed is then refused by Env.Files.
func (f *Files) expanded() ([]string, error) {
	var out []string
	for _, p := range f.Paths {
		found := []string{p}
		if strings.ContainsAny(p, "*?[") && !strings.Contains(p, "://") {
			matches, err := filepath.Glob(p)
			if err != nil {
				return nil, stages.Fail(stages.CodePlan, "mend the pattern in files.paths", "%s: %w", p, err)
			}
			if len(matches) > 0 {
				found = matches
			}
		}
		for _, m := range found {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// files collects the rows of the resolved files, of which none is held in memory.
func (s *stage) files(ctx context.Context, c *collector) error {
	paths, err := s.o.Files.expanded()
	if err != nil {
		return err
	}
	var budget rows.Budget // of all files together
	for i, path := range paths {
		before := c.stats.Read
		if err := s.file(ctx, path, c, &budget); err != nil {
			return err
		}
		s.env.Progress(stages.Progress{Done: int64(c.kept + c.dropped), Unit: "rows", Text: fmt.Sprintf("file %d/%d", i+1, len(paths))})
		s.env.Log.Debug("file read", slog.String("path", path), slog.Int("rows", c.stats.Read-before))
	}
	if bad, read := c.stats.Bad(), c.stats.Read; float64(bad) > s.o.Files.MaxBadRows*float64(read) {
		return stages.Fail(stages.CodeStage, "mend the files, or raise files.max_bad_rows", "%d of %d rows are unusable (no title %d, malformed %d, line over 1 MB %d), more than max_bad_rows %g", bad, read, c.stats.NoTitle, c.stats.Malformed, c.stats.TooLong, s.o.Files.MaxBadRows)
	}
	return nil
}

func (s *stage) file(ctx context.Context, path string, c *collector, budget *rows.Budget) error {
	r, err := s.env.Files.Open(ctx, path)
	if err != nil {
		return err
	}
	defer r.Close()
	format, _ := s.o.Files.format(path)
	in := io.Reader(r)
	if format == rows.Parquet {
		local, err := s.copyFile(r)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer local.Close()
		in = local
	}
	var places []int // in the collector, of the file's categories
	meet := func(categories []string) {
		for _, name := range categories[len(places):] {
			places = append(places, c.place(name))
		}
	}
	categories, stats, err := rows.Each(in, rows.Layout{Format: format, Columns: s.o.Files.Columns}, budget, func(r *rows.Row, categories []string) error {
		if err := ctx.Err(); err != nil || r.Problem != "" {
			return err
		}
		meet(categories)
		return c.add(r, places)
	})
	if err != nil {
		return rows.Unreadable(stages.CodeStage, "check that the file is whole and that files.format fits", path, err)
	}
	meet(categories)
	c.stats.Add(stats)
	return nil
}

// copyFile copies a stream to disk, where it can be read at any place: its end, which
// tells whether its bytes are those of the key, comes before any of them is used.
func (s *stage) copyFile(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(s.env.Scratch, "file-*")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, r); err != nil {
		f.Close()
	}
	_ = os.Remove(f.Name()) // it stays until it is closed; elsewhere it goes with the folder
	return f, err
}
