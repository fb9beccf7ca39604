// Package fetch brings rows in: from files, or from GDELT's news index.
//
// fetch.go is the kind; source_files.go and source_gdelt.go hold a source's options
// and what they resolve to. A new source is such a file, its name in the enum of
// Options.Source and a case in stage.Run. gdelt_collect.go asks window by window,
// through a client with GDELT's manners (gdelt_client.go, pacer.go), and keeps every
// page (gdelt_pages.go).
package fetch

import (
	"context"
	"log/slog"
	"slices"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// The sources.
const (
	sourceFiles = "files"
	sourceGDELT = "gdelt"
)

// Kind returns the kind "fetch".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "fetch",
		Version: 1,
		Doc: `Brings rows in from files or from GDELT.
Titles are normalised and the raw ones kept; rows without a title, bad UTF-8 and
lines over 1 MB are skipped or mended and counted; rows with the url or the
normalised title of an earlier row are dropped. Files may be jsonl, csv or
parquet, named by paths, globs or store URLs; label columns that they carry
(<category>_score, <category>_tag) are kept. GDELT is asked politely: closed time
windows, one request every five seconds for all processes of a machine, raw
pages kept in the output raw, finished windows never asked again.`,
		Example: "source: files\nmin_rows: 100\nfiles: {paths: [articles.jsonl]}\n",
		Outputs: func(any) []stages.Output { return []stages.Output{{Name: "articles"}, {Name: "raw"}} },
		Options: func() any { return new(Options) },
		New: func(options any, env stages.Env) stages.Stage {
			o := options.(*Options)
			return &stage{o: o, env: env, pacer: newPacer(env.CacheDir, o.GDELT.Pace)}
		},
	}
}

// Options of fetch. Only the map of the chosen source is decoded and keyed.
type Options struct {
	Source  string `yaml:"source" default:"files" enum:"files|gdelt" doc:"where rows come from"`
	MinRows int    `yaml:"min_rows" default:"1" min:"1" doc:"fewer rows fail the stage with code 11"`
	Files   Files  `yaml:"files" when:"source=files" doc:"options of source: files"`
	GDELT   GDELT  `yaml:"gdelt" when:"source=gdelt" doc:"options of source: gdelt"`
}

// Check reports problems of the chosen source's options.
func (o *Options) Check() []stages.Problem {
	if o.Source == sourceGDELT {
		return o.GDELT.check()
	}
	return o.Files.check()
}

// Resolve names what the source stands for: digests of files, or the closed
// time range that is asked for.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	if o.Source == sourceGDELT {
		return o.GDELT.resolve(lookup)
	}
	return o.Files.resolve(ctx, lookup)
}

// ExternalFiles names the files that Resolve keyed, in the order of their digests.
func (o *Options) ExternalFiles(name string) []string {
	if name != "files" {
		return nil
	}
	return o.Files.Paths
}

type stage struct {
	o     *Options
	env   stages.Env
	pacer *pacer
}

// Run writes articles, and raw: the pages of GDELT; an empty tree for files.
func (s *stage) Run(ctx context.Context, _ stages.Inputs, out stages.Outputs) error {
	raw, err := out.CreateTree(ctx, "raw")
	if err != nil {
		return err
	}
	defer raw.Abort()
	var table *rows.Table
	if s.o.Source == sourceGDELT {
		table, err = s.gdelt(ctx, raw)
	} else {
		table, err = s.files(ctx)
	}
	if err != nil {
		return err
	}
	kept := DropDuplicates(table.Rows)
	dropped, st := len(table.Rows)-len(kept), table.Stats
	s.env.Note("rows", len(kept))
	s.env.Note("duplicates", dropped)
	s.env.Note("reading", st)
	log := s.env.Log.With(slog.Int("rows", len(kept)), slog.Int("duplicates", dropped))
	if st.Bad()+st.Mended > 0 {
		log.Warn("rows skipped or mended", slog.Int("no_title", st.NoTitle), slog.Int("malformed", st.Malformed), slog.Int("too_long", st.TooLong), slog.Int("mended", st.Mended))
	} else {
		log.Info("rows fetched")
	}
	if len(kept) < s.o.MinRows {
		return stages.Fail(stages.CodeSource, "widen the source, or lower min_rows", "the source gave %d rows of use, fewer than min_rows (%d): %d read, %d duplicates, %d skipped", len(kept), s.o.MinRows, st.Read, dropped, st.Bad())
	}
	if err := storeio.WriteRows(ctx, out, "articles", kept, table.Categories); err != nil {
		return err
	}
	s.env.Progress(stages.Progress{Done: int64(len(kept)), Total: int64(len(kept)), Unit: "rows"})
	return raw.Commit()
}

// DropDuplicates keeps the first row of every url and of every normalised title,
// in the array of all.
func DropDuplicates(all []rows.Row) []rows.Row {
	seen := make(map[string]bool, 2*len(all))
	return slices.DeleteFunc(all, func(r rows.Row) bool {
		title, url := "title:"+rows.TitleKey(r.Title), "url:"+r.URL
		if seen[title] || r.URL != "" && seen[url] {
			return true
		}
		seen[title], seen[url] = true, true
		return false
	})
}
