// Package model holds the commands that use a model: classify, serve and promote.
// Each file is a command, or what one reads or shows. What answers is in jobs/answers and jobs/serve.
package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// Commands are the commands that use a model.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{classifyCommand(a), serveCommand(a), modelsCommand(a), promoteCommand(a)}
}

// modelFlags say which model answers, and on what.
type modelFlags struct {
	ref    string
	strict bool
}

func (m *modelFlags) add(cmd *cobra.Command, a *app.App) {
	cmd.Flags().StringVar(&m.ref, "model", "", "NAME, NAME@VERSION, NAME@ALIAS, a release folder, or a store URL of one")
	cmd.Flags().BoolVar(&m.strict, "strict", false, "end with code 4 instead of letting keywords answer when the model cannot be loaded, and with 9 if a release folder has no manifest.json")
	cmd.Flags().StringVar(&a.Flags.Device, "device", "", "device: auto, cpu, cuda or go")
	app.Overrides(cmd.Flags(), "device")
	_ = cmd.MarkFlagRequired("model")
}

func classifyCommand(a *app.App) *cobra.Command {
	var m modelFlags
	var in input
	var output, show string
	var showAll bool
	var sure float64
	cmd := &cobra.Command{
		Use: "classify --model REF [TEXT...]", Short: "Answer which categories texts belong to",
		Long: `Answer for each row of the input, in order: a table on a terminal, elsewhere a JSON
line on stdout, or csv or parquet by the extension of --output. A model of one label per
row answers one category or none, with its probability; one that always saw a category
answers one of a text about nothing, too: --min-probability says how sure it must be. top
is the strongest category over its threshold, or null. Rows need a title; description,
id and url are used if there, and language where the model's rules are by language. Texts
can be given as arguments too, or one a line: as a .txt file, on standard input or typed
at a terminal. Blank lines are passed over. That a text is not UTF-8 is said on standard
error, with the encoding it was read as. Answers stand in the order of the rows; a csv
file has the other columns of a csv or parquet input behind them, JSON lines and parquet
have id and url alone.`,
		Example: "  sprint classify --model quickstart \"Storm closes the harbour\"\n  sprint classify --model quickstart --input rows.jsonl --output answers.csv\n  sprint classify --model quickstart --input texts.txt -o table",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.args = args
			if err := in.check(); err != nil {
				return err
			}
			switch {
			case sure < 0 || sure > 1:
				return &diagnostic.UsageError{Message: fmt.Sprintf("--min-probability %g: a probability is from 0 to 1", sure)}
			case !slices.Contains([]string{"", "json", "table"}, show):
				return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: answers are shown as json or table", show), Hint: "csv and parquet are written to a file: --output answers.csv"}
			case show != "" && output != "-":
				return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s is for standard output, --output writes to a file by its extension: choose one", show)}
			}
			if format := answersFormat(output); format != "" && !slices.Contains(answersFormats, format) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--output %s: answers are written as .csv, .parquet, .jsonl or .json", output), Hint: "name the file by one of them, or - for standard output"}
			}
			if in.overwrittenBy(a, output) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--output %s is the file of the input: its rows would be lost", output), Hint: "name another file for the answers"}
			}
			return classifyTexts(cmd.Context(), a, cmd, &m, &in, sinkOptions{output, show, showAll, sure})
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVarP(&in.file, "input", "i", "", "file of rows, - for stdin")
	cmd.Flags().StringVar(&output, "output", "-", "file for the answers, .csv, .parquet, .jsonl or .json; - for stdout")
	cmd.Flags().StringVarP(&show, "show", "o", "", "json or table: how answers are shown on stdout; a table on a terminal, else json")
	cmd.Flags().StringVar(&in.format, "format", "", "format of the input: jsonl, csv, parquet or text, one text a line; if absent by extension, or by how it begins")
	cmd.Flags().StringToStringVar(&in.columns, "columns", nil, "what the file calls columns, by our names: title=subject,description=body")
	cmd.Flags().Float64Var(&sure, "min-probability", 0, "how probable the answer of a model of one label per row must be, 0 to 1; less is none")
	cmd.Flags().BoolVar(&showAll, "all", false, "show categories below their threshold too")
	return cmd
}

// sinkOptions say which answers are shown, where and how.
type sinkOptions struct {
	output, show string
	all          bool
	sure         float64 // the least probability
}

func classifyTexts(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags, in *input, o sinkOptions) error {
	c, _, done, err := openModel(ctx, a, cmd, m)
	if err != nil {
		return err
	}
	defer done()
	if o.sure > 0 && !c.Taxonomy.Single {
		return &diagnostic.UsageError{Message: "--min-probability is for models of one label per row; " + m.ref + " has a threshold for each category", Hint: "leave it out; --all shows scores below their threshold"}
	}
	if answersFormat(o.output) == rows.CSV {
		in.others = &rows.Others{}
	}
	var end func() error // of the answers
	w := &answers.Writer{Classifier: c, All: o.all, MinProbability: o.sure, Open: func() (sink answers.Sink, err error) {
		sink, end, err = answerSink(a, o.output, o.show, c, in.others)
		return sink, err
	}}
	visit, clearLine := paced(a, in, o.output, w)
	err = in.each(ctx, a, visit)
	if err == nil {
		err = w.Flush(ctx)
	}
	clearLine()
	if err == nil && w.Rows == 0 && !in.asked(a) {
		in.remarks = append(in.remarks, in.name()+" has no rows")
	}
	for _, remark := range in.remarks {
		fmt.Fprintln(a.Stderr, "sprint: "+remark)
	}
	if err == nil {
		err = end()
	}
	if err != nil {
		return app.Interrupted(ctx, err)
	}
	if w.Bad > 0 {
		fmt.Fprintf(a.Stderr, "sprint: %d of %d rows could not be classified\n", w.Bad, w.Rows)
		return app.Exit(stages.CodeStage)
	}
	return nil
}

// shownRows is how many rows are answered before the line that says how far it is.
const shownRows = 128

// paced gives rows to a writer: whoever types is answered at each line, whoever waits for
// many sees how far it is.
func paced(a *app.App, in *input, output string, w *answers.Writer) (visit func(context.Context, *rows.Row) error, clearLine func()) {
	if in.asked(a) {
		if !a.Quiet {
			fmt.Fprintln(a.Stderr, "sprint: type a text a line; Ctrl-D ends")
		}
		return func(ctx context.Context, r *rows.Row) error { return errors.Join(w.Row(ctx, r), w.Flush(ctx)) }, func() {}
	}
	if output == "-" && sanitize.Terminal(a.Stdout.Out) != nil {
		return w.Row, func() {} // the answers show it
	}
	line, clearLine := a.ProgressLine()
	waiting, began := 0, time.Now()
	return func(ctx context.Context, r *rows.Row) error {
		err := w.Row(ctx, r)
		if waiting++; err == nil && waiting%shownRows == 0 && a.Watched() {
			if err = w.Flush(ctx); err == nil {
				line(fmt.Sprintf("%d rows, %.0f/s", w.Rows, float64(w.Rows)/time.Since(began).Seconds()))
			}
		}
		return err
	}, clearLine
}

// openModel opens the model of a command's flags. If keywords answer for it, it
// says so.
func openModel(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags) (c *classify.Classifier, fallback error, done func(), err error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return nil, nil, nil, err
	}
	keys, err := a.StoreKeys(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	store := cfg.Store
	if app.Absent(store) {
		store = "mem://" // a reference may be a folder, and looking makes none
	}
	c, fallback, done, err = answers.Open(ctx, answers.Options{
		Ref: m.ref, Store: store, Keys: keys, Device: cfg.Device, Cache: cfg.Cache, Offline: cfg.Offline, Strict: m.strict, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) },
	})
	if executor.Code(err) == stages.CodeEnvironment && errors.Is(err, storage.ErrNotFound) && store != cfg.Store && !strings.Contains(m.ref, "/") {
		_, none := a.ReadStore(ctx, cfg)
		return nil, nil, nil, stages.Fail(stages.CodeEnvironment, executor.Hint(none), "no model %s: %w", storage.Redact(m.ref), none)
	}
	if fallback != nil {
		fmt.Fprintf(a.Stderr, "sprint: keywords answer, the model %s cannot be loaded: %v\n", m.ref, fallback)
	}
	return c, fallback, done, err
}

// answersFormats are the extensions of files of answers. A file without any, such as a
// pipe, takes JSON lines.
var answersFormats = []string{rows.CSV, rows.Parquet, rows.JSONL, "json", "ndjson"}

// answersFormat is the extension of --output in small letters, without its dot.
func answersFormat(output string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(output), "."))
}

// answerSink is the sink of --output, in the format of its extension, or what shows
// answers on standard output.
func answerSink(a *app.App, output, show string, c *classify.Classifier, others *rows.Others) (answers.Sink, func() error, error) {
	if output == "-" && (show == "table" || show == "" && sanitize.Terminal(a.Stdout.Out) != nil) {
		s := &tableSink{out: a.Stdout, width: cmp.Or(a.Width(), 100), colour: a.Screen().Colour, by: map[string]bool{}}
		return s, s.end, nil
	}
	out := a.Data()
	closeFile := func() error { return nil }
	if output != "-" && output != "" {
		f, err := os.Create(output)
		if err != nil {
			return nil, nil, stages.Fail(stages.CodeEnvironment, "check --output", "cannot write the answers: %w", err)
		}
		out, closeFile = f, f.Close
	}
	var names []string
	if others != nil {
		names = others.Names
	}
	w, end, err := answers.NewSink(out, answersFormat(output), c.Taxonomy, names)
	return w, func() error { return errors.Join(end(), closeFile()) }, err
}
