package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func (a *app) artifactsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "artifacts",
		Short: "List, fetch, print and re-hash what stages made",
		Long: `Artifacts are named STAGE.OUTPUT (of the newest run that has it), RUN:STAGE.OUTPUT,
MODEL@VERSION, or by their digest or its beginning. /PATH after it names a file
of a tree: train.model/config.json.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ls := &cobra.Command{
		Use: "ls [RUN|ARTIFACT]", Short: "List the outputs of a run, the newest by default, or the files of a tree", Args: cobra.MaximumNArgs(1),
		RunE: a.onStore(a.listArtifacts),
	}
	a.jsonFlag(ls, "one JSON object per artifact or file")
	get := &cobra.Command{
		Use: "get ARTIFACT [DEST]", Short: "Write an artifact to a file, or a tree to a folder, verified", Args: cobra.RangeArgs(1, 2),
		RunE: a.onStore(a.getArtifact),
	}
	cat := &cobra.Command{
		Use: "cat ARTIFACT", Short: "Print an artifact", Args: cobra.ExactArgs(1),
		RunE: a.onStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return a.catArtifact(ctx, s, args[0])
		}),
	}
	var every bool
	verify := &cobra.Command{
		Use: "verify [RUN|ARTIFACT]", Short: "Read every byte again; of the newest run's outputs by default", Args: cobra.MaximumNArgs(1),
		Long: "Read every byte of an artifact, of all outputs of a run, or with --all of the\nwhole store, records and releases included, and compare with the digests. Damaged\nartifacts are marked, so that the stage that made them runs again; for all else the\ncommand says what mends it. It ends with code 9 if anything is damaged.",
		RunE: a.onStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return a.verifyArtifacts(ctx, s, args, every)
		}),
	}
	verify.Flags().BoolVar(&every, "all", false, "every object of the store: blobs, manifests, checkpoints, releases, records of runs")
	cmd.AddCommand(ls, get, cat, verify)
	return cmd
}

// outputs lists the artifacts of a run, or of the newest one that has any.
func outputs(ctx context.Context, s *storage.Store, run string) (runs.Record, []provenance.Found, error) {
	var r runs.Record
	if run == "" {
		newest, err := newestRun(ctx, s, func(st runs.Status) bool { return st.Record != nil && hasOutputs(st.Record) })
		if errors.Is(err, storage.ErrNotFound) {
			return r, nil, &config.UsageError{Message: "no run of this store has made anything", Hint: "`sprint runs` lists them"}
		}
		if err != nil {
			return r, nil, err
		}
		r = *newest.Record
	} else {
		s, err := runs.Load(ctx, s, run)
		if err != nil {
			return r, nil, noRun(run, err)
		}
		if s.Record == nil {
			return r, nil, &config.UsageError{Message: fmt.Sprintf("run %s has not ended: %s", run, s), Hint: "its outputs are listed when it has"}
		}
		r = *s.Record
	}
	var out []provenance.Found
	for _, st := range r.Stages {
		m, err := s.Manifest(ctx, st.Kind, st.Key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt) {
			return r, nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(st.Outputs)) {
			o := st.Outputs[name]
			f := provenance.Found{Artifact: storage.Artifact{Name: name, Digest: o.Digest, Size: o.Size, Volatile: o.Volatile}, Run: *r.Run, Stage: st.Name}
			if made, ok := m.Output(name); ok {
				f.Media = made.Media
			}
			out = append(out, f)
		}
	}
	return r, out, nil
}

func hasOutputs(r *runs.Record) bool {
	return slices.ContainsFunc(r.Stages, func(st runs.StageResult) bool { return len(st.Outputs) > 0 })
}

// isRun reports whether a word names a run of the store rather than an artifact.
func isRun(ctx context.Context, s *storage.Store, word string) bool {
	_, err := runs.Load(ctx, s, word)
	return err == nil
}

func (a *app) listArtifacts(ctx context.Context, s *storage.Store, args []string) error {
	run := ""
	if len(args) > 0 {
		if run = args[0]; !isRun(ctx, s, run) {
			return a.listTree(ctx, s, run)
		}
	}
	r, found, err := outputs(ctx, s, run)
	if err != nil {
		return err
	}
	if a.asJSON {
		return writeLines(a.stdout, found)
	}
	fmt.Fprintf(a.stdout, "run %s of %s: %s\n", *r.Run, r.Plan, r.Class)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ARTIFACT\tDIGEST\tSIZE\tIS")
	for _, f := range found {
		fmt.Fprintf(w, "%s.%s\t%s\t%s\t%s\n", f.Stage, f.Name, short(f.Digest), size(f.Size), what(f))
	}
	return w.Flush()
}

func what(f provenance.Found) string {
	text := f.Media
	if f.Tree() {
		text = "a tree: the size is that of its listing"
	}
	if f.Volatile {
		text += " (volatile)"
	}
	return text
}

// short is the beginning of a digest, enough to name it to any command.
func short(digest string) string {
	return strings.TrimPrefix(digest, "sha256:")[:16]
}

func (a *app) listTree(ctx context.Context, s *storage.Store, ref string) error {
	f, err := provenance.FindArtifact(ctx, s, ref)
	if err != nil {
		return err
	}
	entries := []storage.TreeEntry{{Path: f.Base(), Digest: f.Digest, Size: f.Size}}
	if f.Tree() {
		if entries, err = s.Tree(ctx, f.Digest); err != nil {
			return gone(ref, err)
		}
	}
	if a.asJSON {
		return writeLines(a.stdout, entries)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Path, short(e.Digest), size(e.Size))
	}
	return w.Flush()
}

// gone says what to do about bytes that are not there.
func gone(ref string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &config.UsageError{Message: fmt.Sprintf("the bytes of %s are not in the store any more", ref), Hint: "gc evicts what no run needs; running the plan makes it again"}
	}
	return err
}

func (a *app) getArtifact(ctx context.Context, s *storage.Store, args []string) error {
	f, err := provenance.FindArtifact(ctx, s, args[0])
	if err != nil {
		return err
	}
	dest := f.Base()
	if len(args) > 1 {
		dest = args[1]
		if fi, err := os.Stat(dest); err == nil && fi.IsDir() {
			dest = filepath.Join(dest, f.Base())
		}
	}
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		return &config.UsageError{Message: dest + " exists already", Hint: "name another place, or move it away"}
	}
	// Written beside its place and moved there whole.
	dir, err := os.MkdirTemp(filepath.Dir(dest), ".sprint-get-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part")
	n := 1
	if f.Tree() {
		entries, err := s.Tree(ctx, f.Digest)
		if err != nil {
			return gone(args[0], err)
		}
		n = len(entries)
		if err := os.Mkdir(part, 0o755); err != nil {
			return err
		}
		if err := s.FetchTree(ctx, entries, part); err != nil {
			return gone(args[0], err)
		}
	} else if err := fetchFile(ctx, s, f, part); err != nil {
		return gone(args[0], err)
	}
	if err := os.Rename(part, dest); err != nil {
		return err
	}
	if f.Tree() {
		fmt.Fprintf(a.stdout, "%s: %d files\n", dest, n)
	} else {
		fmt.Fprintf(a.stdout, "%s: %s\n", dest, size(f.Size))
	}
	return nil
}

func fetchFile(ctx context.Context, s *storage.Store, f provenance.Found, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = s.FetchFile(ctx, f.Digest, f.Size, out)
	return errors.Join(err, out.Close())
}

func (a *app) catArtifact(ctx context.Context, s *storage.Store, ref string) error {
	f, err := provenance.FindArtifact(ctx, s, ref)
	if err != nil {
		return err
	}
	if f.Tree() {
		return &config.UsageError{Message: ref + " is a tree", Hint: fmt.Sprintf("name a file of it, %s/PATH; `sprint artifacts ls %s` lists them", ref, ref)}
	}
	r, err := s.Get(ctx, f.Digest, f.Size)
	if err != nil {
		return gone(ref, err)
	}
	defer r.Close()
	_, err = io.Copy(a.stdout.Out, r)
	return err
}

func (a *app) verifyArtifacts(ctx context.Context, s *storage.Store, args []string, every bool) error {
	if every && len(args) > 0 {
		return &config.UsageError{Message: "--all verifies the whole store: name nothing beside it"}
	}
	var found []provenance.Found
	var err error
	switch {
	case every:
		return a.verifyStore(ctx, s)
	case len(args) > 0 && !isRun(ctx, s, args[0]):
		f, err := provenance.FindArtifact(ctx, s, args[0])
		if err != nil {
			return err
		}
		found = []provenance.Found{f}
	default:
		_, found, err = outputs(ctx, s, strings.Join(args, ""))
	}
	if err != nil {
		return err
	}
	t := tally{a: a}
	for _, f := range found {
		name := f.Base()
		if f.Stage != "" {
			name = f.Stage + "." + f.Name
		}
		n, bytes, err := provenance.CheckArtifact(ctx, s, f, func(path string, err error) {
			at := name
			if path != "" {
				at += "/" + path
			}
			t.fault(at, err)
		})
		if err != nil {
			return err
		}
		t.files, t.bytes = t.files+n, t.bytes+bytes
	}
	return t.end()
}

// verifyStore reads every object, whoever made it.
func (a *app) verifyStore(ctx context.Context, s *storage.Store) error {
	t := tally{a: a, what: "objects"}
	unknown := 0
	err := runs.Verify(ctx, s, func(o storage.Info, known bool, err error) {
		switch {
		case err != nil:
			t.fault(o.Key, err)
		case known:
			t.files, t.bytes = t.files+1, t.bytes+o.Size
		default:
			unknown++
		}
	})
	if err != nil {
		return err
	}
	if unknown > 0 {
		fmt.Fprintf(a.stdout, "%d logs, journals, reports and marks: nothing rests on them\n", unknown)
	}
	return t.end()
}

// tally counts what a verification found.
type tally struct {
	a     *app
	files int
	bytes int64
	bad   int
	what  string   // is counted; empty means blobs
	mends []string // what to do about the bad ones
}

func (t *tally) fault(name string, err error) {
	t.bad++
	text := err.Error()
	if errors.Is(err, storage.ErrNotFound) {
		text = "its bytes are not in the store"
	}
	fmt.Fprintf(t.a.stdout, "BAD %s: %s\n", name, text)
	mend := executor.Mend("blobs/")
	if stored := (*storage.Error)(nil); errors.As(err, &stored) {
		mend = executor.Mend(stored.Key)
	}
	if mend != "" && !slices.Contains(t.mends, mend) {
		t.mends = append(t.mends, mend)
	}
}

func (t *tally) end() error {
	fmt.Fprintf(t.a.stdout, "%d %s, %s: every byte as its digest says\n", t.files, cmp.Or(t.what, "blobs"), size(t.bytes))
	if t.bad == 0 {
		return nil
	}
	fmt.Fprintf(t.a.stdout, "%d are damaged or gone:\n", t.bad)
	for _, mend := range t.mends {
		fmt.Fprintf(t.a.stdout, "  %s\n", mend)
	}
	return &exitError{stages.CodeIntegrity}
}
