package start

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/draft"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// templates are the files that init writes: they run as they are.
//
//go:embed template
var templates embed.FS

const initLong = `Writes a plan, a taxonomy and a gold set into a folder, which run as they are.

Without --from they come with sample rows, which --template chooses. With --from they are made of your own table
(csv, tsv, jsonl, parquet): which columns are the text and the label is told by their names
and by what they hold, the categories by the labels. A part of the labelled rows becomes
gold.csv, which never trains. Each guess is said, and has a flag. On a terminal they are
asked for.

Without a column of labels the taxonomy has examples of rules, and the plan publishes nothing.`

func initCommand(a *app.App) *cobra.Command {
	o := draft.Options{}
	var template string
	cmd := &cobra.Command{
		Use: "init [FOLDER]", Short: "Write a commented plan, taxonomy and rows that run as they are, or a plan for your own table", Args: cobra.MaximumNArgs(1),
		Long:    initLong,
		Example: "  sprint init news\n  sprint init reviews --template sentiment\n  sprint init tickets --from tickets.csv\n  sprint init support --from tickets.csv --text subject --description body --label category",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			switch {
			case o.From != "" && cmd.Flags().Changed("template"):
				return &diagnostic.UsageError{Message: "--template comes with rows of its own: leave out --from, or --template"}
			case o.From != "":
				return writeDraft(a, dir, o)
			}
			for _, name := range ofTable {
				if cmd.Flags().Changed(name) {
					return &diagnostic.UsageError{Message: fmt.Sprintf("--%s is about a table", name), Hint: "name it: --from FILE"}
				}
			}
			return writeTemplate(a, dir, template)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "table of your own: csv, tsv, jsonl or parquet")
	f.StringVar(&template, "template", "news", "sample rows and their plan: news, labelled by rules; sentiment or support, labelled by hand, one label a row")
	f.StringVar(&o.Delimiter, "delimiter", "", "what parts the fields of a csv: one character, or tab")
	f.StringVar(&o.Encoding, "encoding", "", "encoding of the table, such as windows-1252")
	f.StringVar(&o.Text, "text", "", "column that is the text")
	f.StringVar(&o.Description, "description", "", "column that is a second, longer text")
	f.StringSliceVar(&o.Label, "label", nil, "column of labels, or several columns that hold 0 and 1; none: no column is")
	f.StringVar(&o.ID, "id", "", "column that names the row")
	f.StringVar(&o.Separator, "separator", "", "what stands between several categories of a cell: ; , or |")
	f.StringVar(&o.Labels, "labels", "", "single: a row has one category; multi: any number")
	f.Float64Var(&o.Gold, "gold", 0.2, "share of the labelled rows to measure on, at most 400 rows; 0: none")
	f.IntVar(&o.MinRows, "min-rows", 8, "rows that a category needs")
	return cmd
}

// ofTable are the flags that say something about the table of --from.
var ofTable = []string{"delimiter", "encoding", "text", "description", "label", "id", "separator", "labels", "gold", "min-rows"}

func writeDraft(a *app.App, dir string, o draft.Options) error {
	for flag, problems := range map[string][]stages.Problem{"delimiter": rows.CheckDelimiter("", o.Delimiter), "encoding": rows.CheckEncoding("", o.Encoding)} {
		for _, p := range problems {
			return &diagnostic.UsageError{Message: "--" + flag + ": " + p.Message, Hint: p.Hint}
		}
	}
	switch {
	case o.Gold < 0 || o.Gold > 0.5:
		return &diagnostic.UsageError{Message: fmt.Sprintf("--gold %g: a share from 0 to 0.5", o.Gold)}
	case o.MinRows < 2:
		return &diagnostic.UsageError{Message: fmt.Sprintf("--min-rows %d: a category needs 2 rows at least", o.MinRows)}
	case !slices.Contains([]string{"", ";", ",", "|"}, o.Separator):
		return &diagnostic.UsageError{Message: fmt.Sprintf("--separator %q is none of ; , |", o.Separator)}
	case !slices.Contains([]string{"", "single", "multi"}, o.Labels):
		return &diagnostic.UsageError{Message: fmt.Sprintf("--labels %s: it is single or multi", o.Labels)}
	}
	if err := free(dir, "plan.yaml", "taxonomy.yaml", "gold.csv"); err != nil {
		return err
	}
	o.Folder = dir
	o.Ask = a.Ask()
	d, err := draft.New(o)
	if err != nil {
		return err
	}
	for _, s := range d.Said {
		fmt.Fprintln(a.Stdout, s)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // as git init
		return atomicfile.Failure(err)
	}
	names := slices.Sorted(maps.Keys(d.Files))
	for _, name := range names {
		if err := atomicfile.Write(filepath.Join(dir, name), d.Files[name], 0o666); err != nil { //nolint:gosec // the umask decides
			return atomicfile.Failure(err)
		}
	}
	wrote(a, dir, names)
	return nil
}

// free refuses to overwrite files: nothing is written if anything would be.
func free(dir string, names ...string) error {
	var there []string
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			there = append(there, name)
		}
	}
	if len(there) > 0 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s holds %s already", dir, strings.Join(there, ", ")), Hint: "name another folder: sprint init FOLDER"}
	}
	return nil
}

// wrote says what was written, and how to go on.
func wrote(a *app.App, dir string, names []string) {
	for _, name := range names {
		fmt.Fprintf(a.Stdout, "wrote %s\n", filepath.Join(dir, name))
	}
	fmt.Fprintf(a.Stdout, "run it with:\n  %s\n", commandline.Of("run", filepath.Join(dir, "plan.yaml")))
}

// templateNames are those of the templates.
func templateNames() ([]string, error) {
	entries, err := templates.ReadDir("template")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func writeTemplate(a *app.App, dir, name string) error {
	known, err := templateNames()
	if err != nil {
		return err
	}
	if !slices.Contains(known, name) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("no template is called %s", name), Hint: diagnostic.Suggest(name, known)}
	}
	files, err := fs.Sub(templates, path.Join("template", name))
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err := free(dir, names...); err != nil {
		return err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return atomicfile.Failure(err)
	}
	wrote(a, dir, names)
	return nil
}
