package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/fetch"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// previewFlags are the flags of label-preview.
type previewFlags struct {
	plan       app.PlanFlags
	texts      []string
	sample     int
	show       int
	of         string
	gold, test string
}

func previewCommand(a *app.App) *cobra.Command {
	var f previewFlags
	cmd := &cobra.Command{
		Use: "label-preview [PLAN]", Short: "Show what the taxonomy's rules say: on texts, on a sample, against gold, or by their tests", Args: cobra.MaximumNArgs(1),
		Long: `Apply the rules of a plan's taxonomy and show what they do, without a run.

On a sample of the rows that fetch committed (else of the plan's files) it counts
coverage, overlap of categories, conflicts of tags, and per rule how many rows it
fired on, how many of them it decided alone, on which words, and whether it is
dead or dominates its category. With --gold, rows of the gold set are left out of
the sample, and each rule shows how often it was right on them.`,
		Example: "  sprint label-preview plan.yaml --text \"No fire in the harbour\"\n" +
			"  sprint label-preview plan.yaml --gold gold.csv\n" +
			"  sprint label-preview plan.yaml --show 20 --of emergencies:fire\n" +
			"  sprint label-preview plan.yaml --test rules_test.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.Interrupted(cmd.Context(), runPreview(cmd.Context(), a, cmd, app.PlanArg(args), &f))
		},
	}
	f.plan.Add(cmd)
	a.JSONFlag(cmd, "everything as one JSON object")
	cmd.Flags().StringArrayVar(&f.texts, "text", nil, "show what fires on this text (repeatable)")
	cmd.Flags().IntVar(&f.sample, "sample", 20_000, "look at this many rows, drawn at random; 0 is all")
	cmd.Flags().IntVar(&f.show, "show", 8, "rows of the sample to print")
	cmd.Flags().StringVar(&f.of, "of", "", "print rows of a category, of category:rule, or none: rows on which no rule fired")
	cmd.Flags().StringVar(&f.gold, "gold", "", "measure the rules on this gold set")
	cmd.Flags().StringVar(&f.test, "test", "", "run the rule tests of this file; end with code 1 if one fails")
	return cmd
}

// runPreview is the content of -o json.
type Preview struct {
	Taxonomy string           `json:"taxonomy"`
	Warnings []previewWarning `json:"warnings,omitempty"`
	Texts    []previewText    `json:"texts,omitempty"`
	Sample   *previewSample   `json:"sample,omitempty"`
	Gold     *metrics.Report  `json:"gold,omitempty"`
	Tests    *previewTests    `json:"tests,omitempty"`
}

type previewWarning struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// previewText is what the rules say of one text.
type previewText struct {
	Title       string                  `json:"title"`
	Description string                  `json:"description,omitempty"`
	Categories  map[string]previewLabel `json:"categories"`
	Fired       []previewHit            `json:"fired"`
	Dropped     []previewHit            `json:"dropped,omitempty"`

	of []string // category and category:rule of what fired
}

type previewLabel struct {
	Score float64 `json:"score"`
	Tag   string  `json:"tag"`
}

// previewHit is a hit; Start and End count bytes of the field.
type previewHit struct {
	Rule   string  `json:"rule"`
	Tag    string  `json:"tag,omitempty"`
	Weight float64 `json:"weight"`
	Field  string  `json:"field"`
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Words  string  `json:"words"`
	// Reason says why a hit does not count: negation, except or not.
	Reason string `json:"reason,omitempty"`
}

type previewSample struct {
	From string `json:"from"`
	// All counts the rows that there are, GoldOut those left out as gold.
	All     int `json:"all"`
	GoldOut int `json:"gold_left_out"`
	*keywords.Survey
	Shown []previewText `json:"shown,omitempty"`
}

type previewTests struct {
	File   string        `json:"file"`
	Run    int           `json:"run"`
	Failed []failingTest `json:"failed"`
}

type failingTest struct {
	Line  int         `json:"line"`
	Wrong string      `json:"wrong"`
	Text  previewText `json:"text"`
}

func runPreview(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *previewFlags) error {
	c, err := a.Compile(ctx, cmd, path, &f.plan, false)
	if err != nil {
		return err
	}
	if err := app.CheckTaxonomy(c.Graph); err != nil {
		return err
	}
	src := c.Graph.Taxonomy()
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return err
	}
	p := &previewer{ctx: ctx, app: a, c: c, f: f, m: keywords.New(t), res: keywords.Result{Explain: true}}
	out := &Preview{Taxonomy: src.Name}
	for _, w := range t.Warnings {
		out.Warnings = append(out.Warnings, previewWarning(w))
	}
	switch {
	case len(f.texts) > 0:
		for _, text := range f.texts {
			out.Texts = append(out.Texts, p.text(rows.NormalizeTitle(text), ""))
		}
	case f.test != "":
		out.Tests, err = p.tests()
	default:
		err = p.survey(out)
	}
	if err != nil {
		return err
	}
	if a.AsJSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(out)
	} else {
		showPreview(a, out)
	}
	if err == nil && out.Tests != nil && len(out.Tests.Failed) > 0 {
		return app.Exit(stages.CodeStage)
	}
	return err
}

// previewer applies the rules to what the flags name.
type previewer struct {
	ctx context.Context
	app *app.App
	c   *app.Compiled
	f   *previewFlags
	m   *keywords.Matcher
	res keywords.Result
}

// text matches a text and says what fired.
func (p *previewer) text(title, description string) previewText {
	p.m.Match(&p.res, title, description)
	return p.said(title, description)
}

// said puts the last result into words.
func (p *previewer) said(title, description string) previewText {
	t := p.m.Taxonomy()
	out := previewText{Title: title, Description: description, Categories: map[string]previewLabel{}, Fired: []previewHit{}}
	for c, score := range p.res.Scores {
		if score > 0 {
			name := t.Categories[c].Name
			out.Categories[name] = previewLabel{score, t.Categories[c].Tags[p.res.Tags[c]]}
			out.of = append(out.of, name)
		}
	}
	hit := func(h keywords.Hit, reason string) previewHit {
		r := &t.Rules[h.Rule]
		c := &t.Categories[r.Category]
		field, text := "title", title
		if h.Field == 1 {
			field, text = "description", description
		}
		return previewHit{Rule: c.Name + ":" + r.ID, Tag: c.Tags[r.Tag], Weight: r.Weight, Field: field, Start: h.Start, End: h.End, Words: text[h.Start:h.End], Reason: reason}
	}
	for _, h := range p.res.Fired {
		out.Fired = append(out.Fired, hit(h, ""))
		out.of = append(out.of, out.Fired[len(out.Fired)-1].Rule)
	}
	for _, d := range p.res.Dropped {
		out.Dropped = append(out.Dropped, hit(d.Hit, d.Reason))
	}
	return out
}

// tests runs a file of rule tests.
func (p *previewer) tests() (*previewTests, error) {
	data, err := os.ReadFile(p.f.test)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "--test names a file of rule tests", "cannot read the rule tests: %w", err)
	}
	tests, problems := taxonomy.ParseTests(data, p.m.Taxonomy())
	if len(problems) > 0 {
		return nil, app.Pointing(p.f.test, string(data), problems)
	}
	out := &previewTests{File: p.f.test, Run: len(tests), Failed: []failingTest{}}
	for _, test := range tests {
		if wrong := p.m.Check(&p.res, test); wrong != "" {
			out.Failed = append(out.Failed, failingTest{test.Line, wrong, p.said(test.Title, test.Description)})
		}
	}
	return out, nil
}

// survey looks at a sample of the plan's rows and at the gold set.
func (p *previewer) survey(out *Preview) error {
	t := p.m.Taxonomy()
	if err := p.checkOf(); err != nil {
		return err
	}
	s := &previewSample{Survey: keywords.NewSurvey(p.m)}
	var gold *rows.Gold
	if p.f.gold != "" {
		var err error
		if gold, err = p.readGold(); err != nil {
			return err
		}
	}
	sample, from, err := p.articles()
	if err != nil {
		return err
	}
	s.From, s.All = from, len(sample)
	if gold != nil {
		sample = leaveOut(sample, gold.Rows)
		s.GoldOut = s.All - len(sample)
	}
	draw := rand.New(rand.NewPCG(1, uint64(len(sample)))) //nolint:gosec // the same sample every time
	draw.Shuffle(len(sample), func(i, j int) { sample[i], sample[j] = sample[j], sample[i] })
	if p.f.sample > 0 && len(sample) > p.f.sample {
		sample = sample[:p.f.sample]
	}
	for i, r := range sample {
		if i%4096 == 0 && p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		p.m.Match(&p.res, r.Title, r.Description)
		s.Add(&p.res, r.Title, r.Description)
		if len(s.Shown) < p.f.show {
			if said := p.said(r.Title, r.Description); p.wanted(said) {
				s.Shown = append(s.Shown, said)
			}
		}
	}
	if gold != nil {
		out.Gold = p.measure(s.Survey, gold, t)
	}
	s.Finish()
	out.Sample = s
	return nil
}

// wanted reports whether --of asks for a row; without it, for any that fired.
func (p *previewer) wanted(t previewText) bool {
	switch p.f.of {
	case "":
		return len(t.Fired) > 0
	case "none":
		return len(t.Categories) == 0
	}
	return slices.Contains(t.of, p.f.of)
}

func (p *previewer) checkOf() error {
	t := p.m.Taxonomy()
	known := append(t.Names(), "none")
	for _, r := range t.Rules {
		known = append(known, t.Categories[r.Category].Name+":"+r.ID)
	}
	if p.f.of != "" && !slices.Contains(known, p.f.of) {
		return &config.UsageError{Message: fmt.Sprintf("--of %s: the taxonomy has no such category or rule", p.f.of), Hint: diagnostic.Suggest(p.f.of, known)}
	}
	return nil
}

func (p *previewer) readGold() (*rows.Gold, error) {
	if _, ok := rows.FormatOf(p.f.gold); !ok {
		return nil, &config.UsageError{Message: "--gold " + p.f.gold + ": the extension does not tell the format", Hint: "name a csv, jsonl or parquet file"}
	}
	return rows.OpenPlannedGold(p.f.gold, p.m.Taxonomy().Names())
}

// leaveOut drops the rows that are gold, by identity or title.
func leaveOut(sample, gold []rows.Row) []rows.Row {
	out := map[string]bool{}
	for _, g := range gold {
		out[rows.Identity(g)], out["title "+rows.TitleKey(g.Title)] = true, true
	}
	delete(out, "")
	return slices.DeleteFunc(sample, func(r rows.Row) bool {
		return out[rows.Identity(r)] || out["title "+rows.TitleKey(r.Title)]
	})
}

// measure scores the rules on the gold set, as verify does.
func (p *previewer) measure(s *keywords.Survey, gold *rows.Gold, t *taxonomy.Taxonomy) *metrics.Report {
	var truths []metrics.Truth
	var answers []metrics.Answer
	for _, g := range gold.Rows {
		p.m.Match(&p.res, g.Title, g.Description)
		var truth metrics.Truth
		var answer metrics.Answer
		for c, category := range t.Categories {
			truth.Positive, truth.Tags = append(truth.Positive, g.Labels[c].Score > 0), append(truth.Tags, g.Labels[c].Tag)
			answer.Positive, answer.Tags = append(answer.Positive, p.res.Scores[c] > 0), append(answer.Tags, category.Tags[p.res.Tags[c]])
		}
		s.Measure(&p.res, truth.Positive, truth.Tags)
		truths, answers = append(truths, truth), append(answers, answer)
	}
	r := metrics.Score(t.Names(), truths, answers, nil)
	return &r
}

// articles are the rows that the label stage would read: those that fetch
// committed, else those of the plan's files, else those of fetch's last time.
func (p *previewer) articles() (table []rows.Row, from string, err error) {
	task := p.fetchTask()
	if task == nil {
		return nil, "", stages.Fail(stages.CodePlan, "give texts with --text", "the plan has no stage that makes articles")
	}
	look := graph.NewLookup(p.c.Plan.Dir(), p.c.Config.Cache, true, app.Now())
	defer func() {
		if err := look.Close(); err != nil {
			p.app.Log().Warn("could not remember file digests", "error", err)
		}
	}()
	if r, ok := task.Options.(stages.Resolver); ok {
		if task.External, err = r.Resolve(p.ctx, look); err != nil {
			return nil, "", err
		}
	}
	var last *storage.Manifest
	if store, err := p.app.OpenStore(p.ctx, p.c.Config); err == nil {
		defer store.Close()
		ev := evaluate.Evaluator{Store: store}
		v, err := ev.Decide(p.ctx, p.c.Graph, task, nil)
		if err != nil {
			return nil, "", err
		}
		if v.Manifest != nil {
			table, err := p.committed(store, v.Manifest)
			return table, "stage " + task.Name + " in the store", err
		}
		if last, err = ev.Last(p.ctx, p.c.Graph, task); err != nil {
			return nil, "", err
		}
		if o, ok := task.Options.(*fetch.Options); last != nil && !(ok && o.Source == "files") {
			table, err := p.committed(store, last)
			return table, fmt.Sprintf("stage %s as of %s", task.Name, last.Finished.Local().Format("2006-01-02 15:04")), err
		}
	}
	o, ok := task.Options.(*fetch.Options)
	if !ok || o.Source != "files" {
		return nil, "", stages.Fail(stages.CodePlan, fmt.Sprintf("`sprint run %s --until %s` brings them in; --text needs none", commandline.Quote(p.c.Plan.File), task.Name), "stage %s has no articles in the store yet", task.Name)
	}
	for _, path := range o.Files.Paths {
		t, err := p.file(path, o.Files.Format)
		if err != nil {
			return nil, "", err
		}
		table = append(table, t...)
	}
	return distinct(table), strings.Join(o.Files.Paths, ", "), nil
}

// fetchTask is the task whose articles a label stage reads.
func (p *previewer) fetchTask() *graph.Node {
	for _, t := range p.c.Graph.Nodes {
		for _, in := range t.Inputs {
			if t.Kind.Name == "label" && in.Name == "articles" && in.From != "" {
				task, _ := p.c.Graph.Node(in.From)
				return task
			}
		}
	}
	i := slices.IndexFunc(p.c.Graph.Nodes, func(t *graph.Node) bool { return t.Kind.Name == "fetch" })
	if i < 0 {
		return nil
	}
	return p.c.Graph.Nodes[i]
}

func (p *previewer) committed(store *storage.Store, m *storage.Manifest) ([]rows.Row, error) {
	a, ok := m.Output("articles")
	if !ok {
		return nil, fmt.Errorf("the manifest of %s %s has no articles", m.Kind, m.Key)
	}
	table, _, err := readArtifact(p.ctx, store, a)
	return table, err
}

func (p *previewer) file(path, format string) ([]rows.Row, error) {
	if strings.Contains(path, "://") {
		return nil, stages.Fail(stages.CodePlan, fmt.Sprintf("`sprint run %s --until fetch` brings it in", commandline.Quote(p.c.Plan.File)), "%s is not on this machine", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &graph.MissingFile{Path: path, Err: err}
	}
	defer f.Close()
	if format == "" || format == "auto" {
		format, _ = rows.FormatOf(path)
	}
	t, err := rows.Read(io.Reader(f), format, nil)
	if err != nil {
		return nil, stages.Fail(stages.CodeIntegrity, "check that the file is whole and that files.format fits", "%s: %w", path, err)
	}
	return t.Rows, nil
}

// distinct drops rows with a title that an earlier one has, as fetch does.
func distinct(table []rows.Row) []rows.Row {
	seen := map[string]bool{}
	return slices.DeleteFunc(table, func(r rows.Row) bool {
		key := rows.TitleKey(r.Title)
		there := seen[key]
		seen[key] = true
		return there
	})
}
