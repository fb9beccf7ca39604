package look

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func artifactsCommand(a *app.App) *cobra.Command {
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
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return listArtifacts(ctx, a, s, args)
		}),
	}
	a.JSONFlag(ls, "one JSON object per artifact or file")
	get := &cobra.Command{
		Use: "get ARTIFACT [DEST]", Short: "Write an artifact to a file, or a tree to a folder, verified", Args: cobra.RangeArgs(1, 2),
		Long: `Write an artifact to the file DEST, or a tree to the folder DEST; without it they have the
artifact's own name, in the working directory. Every byte is compared with its digest.
Into a folder that is there already it goes under its own name, beside what lies there: who
reads all files below the folder reads both. What is there is never overwritten.`,
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error { return getArtifact(ctx, a, s, args) }),
	}
	cat := &cobra.Command{
		Use: "cat ARTIFACT", Short: "Print an artifact", Args: cobra.ExactArgs(1),
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return catArtifact(ctx, a, s, args[0])
		}),
	}
	var every bool
	verify := &cobra.Command{
		Use: "verify [RUN|ARTIFACT]", Short: "Read every byte again; of the newest run's outputs by default", Args: cobra.MaximumNArgs(1),
		Long: "Read every byte of an artifact, of all outputs of a run, or with --all of the\nwhole store, records and releases included, and compare with the digests. Damaged\nartifacts are marked, so that the stage that made them runs again; for all else the\ncommand says what mends it. It ends with code 9 if anything is damaged.",
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return verifyArtifacts(ctx, a, s, args, every)
		}),
	}
	a.JSONFlag(verify, "the report")
	verify.Flags().BoolVar(&every, "all", false, "every object of the store: blobs, manifests, checkpoints, releases, records of runs")
	cmd.AddCommand(ls, get, cat, verify)
	return cmd
}

func listArtifacts(ctx context.Context, a *app.App, s *storage.Store, args []string) error {
	run := ""
	if len(args) > 0 {
		if run = args[0]; !catalog.IsRun(ctx, s, run) {
			return listTree(ctx, a, s, run)
		}
	}
	r, found, err := catalog.Outputs(ctx, s, run)
	if err != nil {
		return err
	}
	if a.AsJSON {
		return app.WriteLines(a.Stdout, found)
	}
	fmt.Fprintf(a.Stdout, "run %s of %s: %s\n", *r.Run, r.Plan, r.Class)
	t := a.Table(table.Column{Name: "ARTIFACT"}, table.Column{Name: "DIGEST", Drop: 2}, table.Column{Name: "SIZE"}, table.Column{Name: "IS", Drop: 1, Cut: true})
	for _, f := range found {
		t.Row(f.Stage+"."+f.Name, app.Short(f.Digest), app.Size(f.Size), what(f))
	}
	return t.Write(a.Stdout)
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

func listTree(ctx context.Context, a *app.App, s *storage.Store, ref string) error {
	f, err := provenance.Find(ctx, s, ref)
	if err != nil {
		return err
	}
	entries := []storage.TreeEntry{{Path: f.Base(), Digest: f.Digest, Size: f.Size}}
	if f.Tree() {
		if entries, err = s.Tree(ctx, f.Digest); err != nil {
			return catalog.Gone(ref, err)
		}
	}
	if a.AsJSON {
		return app.WriteLines(a.Stdout, entries)
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Path, app.Short(e.Digest), app.Size(e.Size))
	}
	return w.Flush()
}

func getArtifact(ctx context.Context, a *app.App, s *storage.Store, args []string) error {
	f, err := provenance.Find(ctx, s, args[0])
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
		return &diagnostic.UsageError{Message: dest + " exists already", Hint: "name another place, or move it away"}
	}
	n, err := provenance.Fetch(ctx, s, f, dest)
	if err != nil {
		return catalog.Gone(args[0], err)
	}
	if f.Tree() {
		fmt.Fprintf(a.Stdout, "%s: %d files\n", dest, n)
	} else {
		fmt.Fprintf(a.Stdout, "%s: %s\n", dest, app.Size(f.Size))
	}
	return nil
}

func catArtifact(ctx context.Context, a *app.App, s *storage.Store, ref string) error {
	f, err := provenance.Find(ctx, s, ref)
	if err != nil {
		return err
	}
	if f.Tree() {
		return &diagnostic.UsageError{Message: ref + " is a tree", Hint: fmt.Sprintf("name a file of it, %s/PATH; `%s` lists them", ref, commandline.Of("artifacts", "ls", ref))}
	}
	r, err := s.Get(ctx, f.Digest, f.Size)
	if err != nil {
		return catalog.Gone(ref, err)
	}
	defer r.Close()
	_, err = io.Copy(a.Data(), r)
	return err
}

func verifyArtifacts(ctx context.Context, a *app.App, s *storage.Store, args []string, every bool) error {
	if every && len(args) > 0 {
		return &diagnostic.UsageError{Message: "--all verifies the whole store: name nothing beside it"}
	}
	var found []provenance.Found
	var err error
	switch {
	case every:
		return a.CheckStore(ctx, s, integrity.Everything(), nil)
	case len(args) > 0 && !catalog.IsRun(ctx, s, args[0]):
		f, err := provenance.Find(ctx, s, args[0])
		if err != nil {
			return err
		}
		found = []provenance.Found{f}
	default:
		_, found, err = catalog.Outputs(ctx, s, strings.Join(args, ""))
	}
	if err != nil {
		return err
	}
	named := []integrity.Named{}
	for _, f := range found {
		name := f.Base()
		if f.Stage != "" {
			name = f.Stage + "." + f.Name
		}
		if f.Path != "" {
			name += "/" + f.Path
		}
		named = append(named, integrity.Named{Name: name, Stage: f.Stage, Run: f.Run, Artifact: f.Artifact})
	}
	return a.CheckStore(ctx, s, integrity.Everything(), named)
}
