package model

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// modelFlags say which model answers, and on what.
type modelFlags struct {
	ref    string
	strict bool
}

func (m *modelFlags) add(cmd *cobra.Command, a *app.App) {
	cmd.Flags().StringVar(&m.ref, "model", "", "NAME, NAME@VERSION, NAME@ALIAS, a release folder, or a store URL of one")
	cmd.Flags().BoolVar(&m.strict, "strict", false, "end with code 4 instead of letting keywords answer when the model cannot be loaded")
	cmd.Flags().StringVar(&a.Flags.Device, "device", "", "device: auto, cpu, cuda, go or another PJRT name")
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
				return &config.UsageError{Message: "texts and --input cannot be given together"}
			}
			c, done, err := openModel(ctx, a, cmd, &m)
			if err != nil {
				return err
			}
			defer done()
			table, err := readTexts(a, args, input, format)
			if err != nil {
				return err
			}
			w, end, err := answerWriter(a, output, c)
			if err != nil {
				return err
			}
			bad, err := answerRows(ctx, c, table, showAll, w)
			if err := errors.Join(err, end()); err != nil {
				return app.Interrupted(ctx, err)
			}
			if bad > 0 {
				fmt.Fprintf(a.Stderr, "sprint: %d of %d rows could not be classified\n", bad, len(table))
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

// openModel opens the chain of a reference: the model, or its keywords with
// the reason on stderr.
func openModel(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags) (*classify.Classifier, func(), error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return nil, nil, err
	}
	dir, name, clean, err := fetchRelease(ctx, a, cfg, m.ref)
	if err != nil {
		return nil, nil, err
	}
	c, err := classify.OpenFolder(dir)
	if err != nil {
		clean()
		return nil, nil, stages.Fail(stages.CodeEnvironment, "name a release that `sprint publish` made", "%w", err)
	}
	c.Name = name
	dev, err := device.Open(ctx, cfg.Device, device.Options{CacheDir: cfg.Cache, Offline: cfg.Offline, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) }})
	if err == nil {
		if err = c.Load(dir, dev); err != nil {
			dev.Close()
		}
	}
	if errors.Is(err, encoder.ErrCorrupt) {
		clean()
		return nil, nil, stages.Fail(stages.CodeIntegrity, "`sprint run` publishes it anew; --model names another one", "the model %s is damaged: %w", m.ref, err)
	}
	if err != nil {
		if m.strict || ctx.Err() != nil {
			clean()
			return nil, nil, stages.Fail(stages.CodeEnvironment, "`sprint doctor` shows what is missing; without --strict keywords answer", "the model %s cannot be loaded: %w", m.ref, err)
		}
		fmt.Fprintf(a.Stderr, "sprint: keywords answer, the model %s cannot be loaded: %v\n", m.ref, err)
		return c, clean, nil
	}
	a.Log().Info("the model answers", "model", name, "device", dev.Name)
	return c, func() { c.Close(); dev.Close(); clean() }, nil
}

// fetchRelease brings a release into a folder.
func fetchRelease(ctx context.Context, a *app.App, cfg *config.Config, ref string) (dir, name string, clean func(), err error) {
	nothing := func() {}
	// A folder that only happens to have the model's name is no release.
	if _, err := os.Stat(filepath.Join(ref, "config.json")); err == nil || strings.ContainsAny(ref, `/\`) && !strings.Contains(ref, "://") {
		return ref, filepath.Base(ref), nothing, nil
	}
	missing := func(err error) error {
		if errors.Is(err, storage.ErrDenied) {
			return fmt.Errorf("no model %s: %w", ref, err)
		}
		return stages.Fail(stages.CodeEnvironment, "`sprint run` publishes a model; --store says where it is", "no model %s: %w", ref, err)
	}
	storeURL := cfg.Store
	var model, version string
	if i := strings.Index(ref, "/models/"); i > 0 && strings.Contains(ref, "://") {
		storeURL = ref[:i]
		model, version, _ = strings.Cut(strings.Trim(ref[i+len("/models/"):], "/"), "/")
	} else {
		model, version, _ = strings.Cut(ref, "@")
	}
	s, err := storage.Open(ctx, storeURL, &storage.Options{Log: a.Log()})
	if err != nil {
		return "", "", nil, missing(err)
	}
	defer s.Close()
	r, err := models.In(s).Release(ctx, model, version)
	if err != nil {
		return "", "", nil, missing(err)
	}
	dir, err = os.MkdirTemp("", "sprint-model-*")
	if err != nil {
		return "", "", nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	if err := s.FetchTree(ctx, r.Files, dir); err != nil {
		clean()
		return "", "", nil, err
	}
	return dir, fmt.Sprintf("%s@%d", model, r.Version), clean, nil
}

// readTexts gives the rows to classify; those that cannot be used keep their
// place.
func readTexts(a *app.App, args []string, input, format string) ([]rows.Row, error) {
	if len(args) > 0 {
		out := make([]rows.Row, len(args))
		for i, t := range args {
			out[i].Title = rows.NormalizeTitle(t)
		}
		return out, nil
	}
	r := a.Stdin
	if input != "" && input != "-" {
		f, err := os.Open(input)
		if err != nil {
			return nil, &config.UsageError{Message: fmt.Sprintf("cannot read --input: %v", err)}
		}
		defer f.Close()
		r = f
	}
	if format == "" {
		var ok bool
		if format, ok = rows.FormatOf(input); !ok {
			format = "jsonl"
		}
	}
	t, err := rows.Read(r, format, &rows.Options{KeepBad: true})
	if err != nil {
		return nil, stages.Fail(stages.CodeIntegrity, "--format says what the input is: jsonl, csv or parquet", "read the input: %w", err)
	}
	return t.Rows, nil
}

// answer is one line of output.
type answer struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
	classify.Answer
}

// badRow stands in the place of a row that could not be classified.
type badRow struct {
	ID    string `json:"id,omitempty"`
	URL   string `json:"url,omitempty"`
	Error string `json:"error"`
}

// answerSink takes answers in order.
type answerSink interface {
	answer(r rows.Row, a *classify.Answer, problem string) error
}

// batchSize bounds memory for long inputs.
const batchSize = 1024

func answerRows(ctx context.Context, c *classify.Classifier, table []rows.Row, all bool, w answerSink) (bad int, err error) {
	for len(table) > 0 {
		chunk := table[:min(batchSize, len(table))]
		table = table[len(chunk):]
		var texts []classify.Text
		for _, r := range chunk {
			if r.Problem == "" {
				texts = append(texts, classify.Text{Title: r.Title, Description: r.Description})
			}
		}
		answers, err := c.Classify(ctx, texts, all)
		if err != nil {
			return bad, resources.Computed(err)
		}
		for _, r := range chunk {
			problem, found := r.Problem, (*classify.Answer)(nil)
			if problem == "" {
				found, answers = &answers[0], answers[1:]
				problem = found.Problem
			}
			if problem != "" {
				bad++
				found = nil
			}
			err = w.answer(r, found, problem)
			if err != nil {
				return bad, err
			}
		}
	}
	return bad, nil
}

type jsonSink struct{ out *json.Encoder }

func (s jsonSink) answer(r rows.Row, a *classify.Answer, problem string) error {
	if a == nil {
		return s.out.Encode(badRow{r.ID, r.URL, problem})
	}
	return s.out.Encode(answer{r.ID, r.URL, *a})
}

// csvSink writes one line per row with two columns per category.
type csvSink struct {
	out   *csv.Writer
	names []string
}

func (s csvSink) header() error {
	h := []string{"id", "url", "title", "top", "source", "error"}
	for _, n := range s.names {
		h = append(h, n+"_score", n+"_tag")
	}
	return s.out.Write(h)
}

func (s csvSink) answer(r rows.Row, a *classify.Answer, problem string) error {
	line := []string{sanitize.Cell(r.ID), sanitize.Cell(r.URL), sanitize.Cell(r.Title), "", "", sanitize.Cell(problem)}
	if a != nil {
		line[4] = a.Source
		if a.Top != nil {
			line[3] = sanitize.Cell(*a.Top)
		}
	}
	for _, n := range s.names {
		score, tag := "", ""
		if a != nil {
			if x, ok := a.Categories[n]; ok {
				score, tag = strconv.FormatFloat(x.Score, 'g', -1, 64), sanitize.Cell(x.Tag)
			}
		}
		line = append(line, score, tag)
	}
	return s.out.Write(line)
}

// parquetSink collects rows with their answers as labels.
type parquetSink struct {
	names []string
	rows  []rows.Row
}

func (s *parquetSink) answer(r rows.Row, a *classify.Answer, _ string) error {
	r.Labels = make([]rows.Label, len(s.names))
	for i, n := range s.names {
		r.Labels[i].Abstain = true
		if a != nil {
			r.LabelSource = a.Source
			if x, ok := a.Categories[n]; ok {
				r.Labels[i] = rows.Label{Score: x.Score, Tag: x.Tag}
			}
		}
	}
	s.rows = append(s.rows, r)
	return nil
}

// answerWriter picks the output by its extension.
func answerWriter(a *app.App, output string, c *classify.Classifier) (answerSink, func() error, error) {
	out := a.Stdout.Out
	closeFile := func() error { return nil }
	if output != "-" && output != "" {
		f, err := os.Create(output)
		if err != nil {
			return nil, nil, stages.Fail(stages.CodeEnvironment, "check --output", "cannot write the answers: %w", err)
		}
		out, closeFile = f, f.Close
	}
	switch filepath.Ext(output) {
	case ".csv":
		s := csvSink{csv.NewWriter(out), c.Taxonomy.Names()}
		return s, func() error { s.out.Flush(); return errors.Join(s.out.Error(), closeFile()) }, s.header()
	case ".parquet":
		s := &parquetSink{names: c.Taxonomy.Names()}
		return s, func() error { return errors.Join(rows.WriteParquet(out, s.rows, s.names), closeFile()) }, nil
	}
	return jsonSink{json.NewEncoder(out)}, closeFile, nil
}
