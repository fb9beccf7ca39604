// Package fetch brings rows in: from files, or from GDELT's news index.
//
// fetch.go is the kind; source_files.go and source_gdelt.go hold a source's options
// and what they resolve to. A new source is such a file, its name in the enum of
// Options.Source and a case in stage.Run. Rows go through collector.go one by one, and
// wait on disk (spool.go) for the end. gdelt_collect.go asks window by window, through a
// client with GDELT's manners (gdelt_client.go, pacer.go), and keeps every page
// (gdelt_pages.go). probe.go tries a source before a run.
package fetch

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/stages"
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
		Version: 2,
		Doc: `Brings rows in from files or from GDELT.
Titles are normalised and the raw ones kept; rows without a title, bad UTF-8 and
lines over 1 MB are skipped or mended and counted; rows with the url or the
normalised title of an earlier row are dropped. Files may be jsonl, JSON
arrays, csv or parquet, named by paths, globs or store URLs; csv and JSON may be
packed by gzip. Delimiter and encoding (UTF-8, UTF-16, Windows-1252) are found out,
what was decoded is said; label columns that they carry
(label, <category>_score, <category>_tag) are kept, and where label reads source
columns those with the plain names of categories. files.columns says which of
their columns are title, description, label and so on, where they have other names;
case does not matter. GDELT is asked politely: closed time
windows, one request every five seconds for all processes of a machine, raw
pages kept in the output raw, finished windows never asked again.`,
		Example: "source: files\nmin_rows: 100\nfiles: {paths: [articles.jsonl]}\n",
		Topics: []stages.Topic{
			{Of: "source", Name: sourceFiles, Options: "files", Doc: "Rows of tables that are there: paths and globs beside the plan, or objects of a store.", Example: "source: files\nfiles: {paths: [articles.jsonl]}\n"},
			{Of: "source", Name: sourceGDELT, Options: "gdelt", Doc: "Headlines of the world's news of the last three months, by query, from api.gdeltproject.org.", Example: "source: gdelt\ngdelt: {query: 'sourcelang:swedish', days: 1}\n"},
		},
		Outputs: func(any) []stages.Output { return []stages.Output{{Name: "articles"}, {Name: "raw"}} },
		Options: func() any { return new(Options) },
		// Files are anyone's: what is wrong with one must not end the runner.
		Isolated:    func(options any) bool { return options.(*Options).Source == sourceFiles },
		Checkpoints: func(options any) bool { return options.(*Options).Source == sourceGDELT },
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

// KeepLabels takes columns that have the names of categories for labels, too.
func (o *Options) KeepLabels(l stages.LabelColumns) { o.Files.labels = &l }

// KeepLanguages lets CheckFiles count rows of languages that a later stage cannot use.
func (o *Options) KeepLanguages(of stages.LanguageOf) { o.Files.languages = of }

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
	c, err := newCollector(s.env.Scratch)
	if err != nil {
		return err
	}
	defer c.spool.close()
	if s.o.Source == sourceGDELT {
		err = s.collectGDELT(ctx, raw, c)
	} else {
		err = s.files(ctx, c)
	}
	if err != nil {
		return err
	}
	st := c.stats
	s.env.Note("rows", c.kept)
	s.env.Note("duplicates", c.dropped)
	s.env.Note("reading", st)
	log := s.env.Log.With(slog.Int("rows", c.kept), slog.Int("duplicates", c.dropped))
	if st.Bad()+st.Mended > 0 {
		log.Warn("rows skipped or mended", slog.Int("no_title", st.NoTitle), slog.Int("malformed", st.Malformed), slog.Int("too_long", st.TooLong), slog.Int("mended", st.Mended))
	} else {
		log.Info("rows fetched")
	}
	if c.otherLabels > 0 {
		s.env.Log.Warn("rows with the url or title of an earlier row were dropped, though their label is another: write all labels of a row into its one cell", slog.Int("rows", c.otherLabels))
	}
	if c.kept < s.o.MinRows {
		return stages.Fail(stages.CodeSource, "widen the source, or lower min_rows", "the source gave %d rows of use, fewer than min_rows (%d): %d read, %d duplicates, %d skipped", c.kept, s.o.MinRows, st.Read, c.dropped, st.Bad())
	}
	if err := storeio.WriteEachRow(ctx, out, "articles", c.schema, c.spool.each); err != nil {
		return err
	}
	s.env.Progress(stages.Progress{Done: int64(c.kept), Total: int64(c.kept), Unit: "rows"})
	return raw.Commit()
}
