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
	"github.com/sprint-ml/sprint/stages/rows/text"
)

// Files are the options of the source files.
type Files struct {
	Paths      []string          `yaml:"paths" path:"true" key:"-" doc:"files, globs or store URLs, in the order of their rows"`
	Format     string            `yaml:"format" default:"auto" enum:"auto|jsonl|csv|parquet" doc:"auto tells it from the extension"`
	Columns    map[string]string `yaml:"columns" key:"-" doc:"the files' names of columns, by ours: {title: subject, description: body, label: category}; ours are title, description, url, id, source, language, published, label, and CATEGORY_score and CATEGORY_tag; where label reads source columns, a column named as a category needs no other name"`
	Delimiter  string            `yaml:"delimiter" default:"auto" key:"-" doc:"what parts the fields of csv: one character, or tab; auto finds out comma, semicolon, tab and |"`
	Encoding   string            `yaml:"encoding" default:"auto" key:"-" doc:"that of csv and jsonl, such as windows-1252 or shift_jis; auto finds out UTF-8, UTF-16 and Windows-1252 (Latin-1)"`
	MaxBadRows float64           `yaml:"max_bad_rows" default:"0.01" min:"0" max:"1" doc:"share of rows that may be unusable"`

	labels    *stages.LabelColumns // those that a later stage reads; nil if none does
	languages stages.LanguageOf    // for a later stage that treats rows by it; nil if none does
}

// badRowsHint comes with the first row that is wrong.
const badRowsHint = "mend that row and those like it; files.max_bad_rows is the share that may be left out"

const wholeHint = "check that the file is whole and that files.format fits"

// formatHint is what to do about a file whose extension tells no format. Of one that is a
// workbook or a document the message says it.
func formatHint(name string) string {
	if rows.Foreign(name) {
		return ""
	}
	return "set files.format to jsonl, csv or parquet"
}

func (f *Files) check() []stages.Problem {
	var out stages.Problems
	out.If(len(f.Paths) == 0, "files.paths", "name at least one jsonl, csv or parquet file", "no paths given")
	for _, p := range f.Paths {
		_, ok := f.format(p)
		// A path without extension may be a folder, of which resolve tells.
		out.If(!ok && path.Ext(p) != "" && !strings.ContainsAny(p, "*?["), "files.paths", formatHint(p), "%s", rows.NoFormat(p))
	}
	return slices.Concat(out, rows.CheckColumns("files.columns", f.Columns), rows.CheckDelimiter("files.delimiter", f.Delimiter), rows.CheckEncoding("files.encoding", f.Encoding))
}

func (f *Files) format(path string) (string, bool) {
	if f.Format != "" && f.Format != "auto" {
		return f.Format, true
	}
	return rows.FormatOf(path)
}

// Layout is that of a file of the source.
func (f *Files) Layout(path string) rows.Layout {
	format, _ := f.format(path)
	return rows.Layout{Format: format, Columns: f.Columns, Delimiter: f.Delimiter, Encoding: f.Encoding, Titled: true, Categories: f.categories()}
}

// categories are those that may have a column of their own name.
func (f *Files) categories() []string {
	if f.labels == nil {
		return nil
	}
	return f.labels.Categories
}

// externalCategories is what External calls the categories that may have columns.
const externalCategories = "categories"

// recall takes from what resolve returned what only it knew: the worker has the options
// alone.
func (f *Files) recall(external stages.External) {
	list, _ := external[externalCategories].([]any)
	if f.labels != nil || list == nil {
		return
	}
	f.labels = &stages.LabelColumns{}
	for _, name := range list {
		if text, ok := name.(string); ok {
			f.labels.Categories = append(f.labels.Categories, text)
		}
	}
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
				return nil, stages.Fail(stages.CodePlan, formatHint(p), "%s", rows.NoFormat(p))
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
	if names := f.categories(); names != nil {
		list := make([]any, len(names))
		for i, name := range names {
			list[i] = name
		}
		ext[externalCategories] = list
	}
	for name, given := range map[string]string{"delimiter": f.Delimiter, "encoding": f.Encoding} {
		if given != "" && given != text.Auto {
			ext[name] = given
		}
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
	s.o.Files.recall(s.env.External)
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
		return stages.Fail(stages.CodeStage, badRowsHint, "%d of %d rows are unusable (no title %d, malformed %d, line over 1 MB %d), more than max_bad_rows %g; the first is in %s", bad, read, c.stats.NoTitle, c.stats.Malformed, c.stats.TooLong, s.o.Files.MaxBadRows, c.firstBad)
	}
	return nil
}

func (s *stage) file(ctx context.Context, path string, c *collector, budget *rows.Budget) error {
	r, err := s.env.Files.Open(ctx, path)
	if err != nil {
		return err
	}
	defer r.Close()
	layout := s.o.Files.Layout(path)
	in := io.Reader(r)
	if layout.Format == rows.Parquet {
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
	categories, stats, err := rows.Each(in, layout, budget, func(r *rows.Row, categories []string) error {
		if err := ctx.Err(); err != nil || r.Problem != "" {
			c.bad(path, r)
			return err
		}
		meet(categories)
		return c.add(r, places)
	})
	if err != nil {
		return rows.Unreadable(stages.CodeStage, wholeHint, path, err)
	}
	meet(categories)
	c.stats.Add(stats)
	if e := stats.Encoding; e != "" && e != text.UTF8 && (layout.Encoding == "" || layout.Encoding == text.Auto) {
		s.env.Log.Warn("file decoded: say files.encoding if it is another one", slog.String("path", path), slog.String("encoding", e))
	}
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
