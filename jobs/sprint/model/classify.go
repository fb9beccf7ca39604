// Package model holds the commands that use a model: classify, serve and promote.
// Each file is a command. What answers is in jobs/answers and jobs/serve.
package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/plainfile"
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
	var input, output, format string
	var showAll bool
	cmd := &cobra.Command{
		Use: "classify --model REF [TEXT...]", Short: "Answer which categories texts belong to",
		Long: `Answer for each row of the input, in order: a JSON line on stdout, or csv or
parquet by the extension of --output. Rows need a title; description, id and url
are used if there. Texts can be given as arguments too.`,
		Example: "  sprint classify --model quickstart \"Storm closes the harbour\"\n  sprint classify --model quickstart --input rows.jsonl --output answers.csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if len(args) > 0 && input != "" {
				return &diagnostic.UsageError{Message: "texts and --input cannot be given together"}
			}
			if !slices.Contains([]string{"", rows.JSONL, rows.CSV, rows.Parquet}, format) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--format %s: the input is jsonl, csv or parquet", format)}
			}
			if overwrites(a, output, input, len(args) > 0) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--output %s is the file of the input: its rows would be lost", output), Hint: "name another file for the answers"}
			}
			c, done, err := openModel(ctx, a, cmd, &m)
			if err != nil {
				return err
			}
			defer done()
			var end func() error // of the answers
			w := &answers.Writer{Classifier: c, All: showAll, Open: func() (sink answers.Sink, err error) {
				sink, end, err = answerSink(a, output, c)
				return sink, err
			}}
			err = eachText(ctx, a, args, input, format, w.Row)
			if err == nil {
				err = w.Flush(ctx)
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
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVarP(&input, "input", "i", "", "file of rows, - for stdin")
	cmd.Flags().StringVar(&output, "output", "-", "file for the answers, - for stdout")
	cmd.Flags().StringVar(&format, "format", "", "format of the input: jsonl, csv or parquet; by extension if absent")
	cmd.Flags().BoolVar(&showAll, "all", false, "show categories below their threshold too")
	return cmd
}

// openModel opens the model of a command's flags. If keywords answer for it, it
// says so.
func openModel(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags) (*classify.Classifier, func(), error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return nil, nil, err
	}
	keys, err := a.StoreKeys(cfg)
	if err != nil {
		return nil, nil, err
	}
	store := cfg.Store
	if app.Absent(store) {
		store = "mem://" // a reference may be a folder, and looking makes none
	}
	c, fallback, done, err := answers.Open(ctx, answers.Options{
		Ref: m.ref, Store: store, Keys: keys, Device: cfg.Device, Cache: cfg.Cache, Offline: cfg.Offline, Strict: m.strict, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) },
	})
	if executor.Code(err) == stages.CodeEnvironment && errors.Is(err, storage.ErrNotFound) && store != cfg.Store && !strings.Contains(m.ref, "/") {
		_, none := a.ReadStore(ctx, cfg)
		return nil, nil, stages.Fail(stages.CodeEnvironment, executor.Hint(none), "no model %s: %w", storage.Redact(m.ref), none)
	}
	if fallback != nil {
		fmt.Fprintf(a.Stderr, "sprint: keywords answer, the model %s cannot be loaded: %v\n", m.ref, fallback)
	}
	return c, done, err
}

// eachText visits the rows to classify in order, and in the place of those that cannot be
// used what is wrong with them. It holds none of them.
func eachText(ctx context.Context, a *app.App, args []string, input, format string, visit func(context.Context, *rows.Row) error) error {
	for _, t := range args {
		if err := visit(ctx, &rows.Row{Title: rows.NormalizeTitle(t)}); err != nil {
			return err
		}
	}
	if len(args) > 0 {
		return nil
	}
	r := a.Stdin
	if input != "" && input != "-" {
		f, err := os.Open(input)
		if err != nil {
			return &diagnostic.UsageError{Message: fmt.Sprintf("cannot read --input: %v", err)}
		}
		defer f.Close()
		r = f
	}
	if format == "" {
		var ok bool
		if format, ok = rows.FormatOf(input); !ok {
			format = rows.JSONL
		}
	}
	var failed error // of the answers, not of the input
	_, _, err := rows.Each(r, rows.Layout{Format: format}, &rows.Budget{}, func(row *rows.Row, _ []string) error {
		if failed = ctx.Err(); failed == nil {
			failed = visit(ctx, row)
		}
		return failed
	})
	if err != nil && failed == nil {
		err = rows.Unreadable(stages.CodeStage, "--format says what the input is: jsonl, csv or parquet", "read the input", err)
	}
	return err
}

// overwrites reports whether the file of the answers is that of the input, under
// whichever name.
func overwrites(a *app.App, output, input string, texts bool) bool {
	if texts || output == "-" || output == "" {
		return false
	}
	if input == "-" || input == "" {
		stdin, isFile := a.Stdin.(*os.File)
		return isFile && plainfile.SameAs(stdin, output)
	}
	return plainfile.Same(input, output)
}

// answerSink is the sink of --output, in the format of its extension.
func answerSink(a *app.App, output string, c *classify.Classifier) (answers.Sink, func() error, error) {
	out := a.Data()
	closeFile := func() error { return nil }
	if output != "-" && output != "" {
		f, err := os.Create(output)
		if err != nil {
			return nil, nil, stages.Fail(stages.CodeEnvironment, "check --output", "cannot write the answers: %w", err)
		}
		out, closeFile = f, f.Close
	}
	w, end, err := answers.NewSink(out, strings.TrimPrefix(filepath.Ext(output), "."), c.Taxonomy.Names())
	return w, func() error { return errors.Join(end(), closeFile()) }, err
}
