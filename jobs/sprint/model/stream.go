package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
)

// sinkOptions say which answers are shown, where and how.
type sinkOptions struct {
	output, show string
	backend      string // what computes
	all, resume  bool
	sure         float64 // the least probability
}

// toFile reports whether the answers go to a file or an object of a store.
func (o sinkOptions) toFile() bool { return o.output != "-" && o.output != "" }

func classifyTexts(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags, in *input, o sinkOptions) error {
	var model string
	var unread error
	c, _, done, err := openModel(ctx, a, cmd, m, func(f *release.Folder) {
		if o.toFile() {
			model, unread = f.Digest(ctx)
		}
	})
	if err == nil && unread != nil {
		done()
		err = unread
	}
	if err != nil {
		return app.Interrupted(ctx, err)
	}
	defer done()
	if err := in.open(ctx, o.resume); err != nil {
		return app.Interrupted(ctx, err)
	}
	defer in.close()
	if o.sure > 0 && !c.Taxonomy.Single {
		return &diagnostic.UsageError{Message: "--min-probability is for models of one label per row; " + m.ref + " has a threshold for each category", Hint: "leave it out; --all shows scores below their threshold"}
	}
	if answersFormat(o.output) == rows.CSV {
		in.others = &rows.Others{}
	}
	w := &answers.Writer{Classifier: c, All: o.all, MinProbability: o.sure}
	if o.toFile() {
		err = intoFile(ctx, a, cmd, w, in, o, model)
	} else {
		w.Open = func() (answers.Sink, error) { return shown(a, o.show, c) }
		if err = through(ctx, a, w, in, o); err == nil {
			err = w.End()
		}
	}
	if err != nil {
		return stopped(ctx, err)
	}
	if w.Bad > 0 {
		first := ""
		if w.FirstBad != "" {
			first = "; the first is " + w.FirstBad
		}
		fmt.Fprintf(a.Stderr, "sprint: %d of %d rows could not be classified%s\n", w.Bad, w.Rows, first)
		return app.Exit(stages.CodeStage)
	}
	return nil
}

// stopped is err, or what ended the command where its answers were coming. It does not say
// that the same command continues: that takes --resume, and answers that were kept.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return stages.Fail(stages.CodeInterrupted, "", "interrupted: %w", context.Cause(ctx))
}

// through answers about all rows of the input, and says what is to be said of it.
func through(ctx context.Context, a *app.App, w *answers.Writer, in *input, o sinkOptions) error {
	visit, clearLine := paced(a, in, o.output, w)
	err := in.each(ctx, a, visit)
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
	return err
}

// intoFile writes the answers to a file, and goes on with one where it is to.
func intoFile(ctx context.Context, a *app.App, cmd *cobra.Command, w *answers.Writer, in *input, o sinkOptions, model string) error {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return err
	}
	origin, err := originOf(ctx, w.Classifier, in, o, model)
	if err != nil {
		return err
	}
	if o.resume && origin.Input == "" {
		return &diagnostic.UsageError{Message: "--resume reads the input again, and " + in.name() + " can be read once", Hint: "write it to a file first"}
	}
	f, err := answers.CreateFile(o.output, cfg.Cache, origin, o.resume)
	if err != nil {
		return err
	}
	w.Counts = f.Begun()
	switch {
	case w.Rows > 0:
		fmt.Fprintf(a.Stderr, "sprint: %d rows are answered already\n", w.Rows)
	case f.Abandoned > 0:
		fmt.Fprintf(a.Stderr, "sprint: %d rows were answered by a command that was killed; they are answered anew, as there is no --resume\n", f.Abandoned)
	}
	w.Open = func() (answers.Sink, error) {
		shape := answers.Shape{Format: answersFormat(o.output), Taxonomy: w.Classifier.Taxonomy}
		if in.others != nil {
			shape.Others = in.others.Names
		}
		return f.Open(shape)
	}
	w.Keep = f.Keep
	in.skip = w.Rows
	err = through(ctx, a, w, in, o)
	if err == nil {
		err = f.Commit(ctx, w.Counts)
	}
	kept := f.Close(w.Whole())
	if err == nil {
		if !a.Quiet && w.Rows > 0 {
			fmt.Fprintf(a.Stderr, "sprint: %d rows answered: %s\n", w.Rows, w.Counts.BySource(w.Classifier.Name))
		}
		return nil
	}
	switch {
	case kept > 0:
		fmt.Fprintf(a.Stderr, "sprint: the answers about %d rows are kept; the same command with --resume goes on\n", kept)
	case ctx.Err() != nil:
		fmt.Fprintln(a.Stderr, "sprint: no answer is kept: the same command begins anew")
	}
	return err
}

// originOf is what the answers are made of. Of an input that comes once there is none.
func originOf(ctx context.Context, c *classify.Classifier, in *input, o sinkOptions, model string) (origin answers.Origin, err error) {
	if in.source == nil {
		return origin, nil
	}
	if origin.Input, err = in.source.Digest(ctx); err != nil {
		return origin, fmt.Errorf("read %s: %w", in.name(), err)
	}
	source := classify.SourceKeywords
	if c.Model != nil {
		source = classify.SourceModel
	}
	origin.Model = source + " of " + model + " as " + cmp.Or(c.Name, "no name")
	backend := o.backend
	if backend == release.BackendDevice {
		backend = "" // the default stands in no record
	}
	options, err := json.Marshal(struct {
		Output  string            `json:"output"`
		Format  string            `json:"format"`
		Columns map[string]string `json:"columns,omitempty"`
		All     bool              `json:"all"`
		Sure    float64           `json:"min-probability"`
		Backend string            `json:"backend,omitempty"`
	}{cmp.Or(answersFormat(o.output), rows.JSONL), in.format, in.columns, o.all, o.sure, backend})
	origin.Options = string(options)
	return origin, err
}

// shownRows is how many rows are read between two looks whether the line that says how far
// it is is due.
const shownRows = 128

// saidEvery is the time between two such lines where they stay.
const saidEvery = 30 * time.Second

// paced gives rows to a writer: whoever types is answered at each line, whoever waits for
// many sees how far it is, on a terminal all the time, elsewhere every half minute.
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
	every := time.Duration(0)
	if !a.Watched() {
		every = saidEvery
		line = func(text string) { fmt.Fprintln(a.Stderr, "sprint: "+text) }
	}
	began, said, before := time.Now(), time.Now(), w.Rows
	waiting := 0
	return func(ctx context.Context, r *rows.Row) error {
		err := w.Row(ctx, r)
		waiting++
		if err != nil || a.Quiet || waiting%shownRows != 0 || time.Since(said) < max(every, time.Second/10) {
			return err
		}
		said = time.Now()
		share := ""
		if s, ok := in.share(); ok {
			share = fmt.Sprintf(", %.0f %% of %s", 100*s, in.name())
		}
		line(fmt.Sprintf("%d rows, %.0f/s%s", w.Rows, float64(w.Rows-before)/time.Since(began).Seconds(), share))
		return nil
	}, clearLine
}

// shown is the sink of answers on standard output.
func shown(a *app.App, show string, c *classify.Classifier) (answers.Sink, error) {
	if show == "table" || show == "" && sanitize.Terminal(a.Stdout.Out) != nil {
		return &tableSink{out: a.Stdout, width: cmp.Or(a.Width(), 100), colour: a.Screen().Colour, by: map[string]bool{}}, nil
	}
	return answers.NewSink(a.JSON(), answers.Shape{Format: rows.JSONL, Taxonomy: c.Taxonomy})
}
