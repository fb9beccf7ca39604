package progress

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/report/advice"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage/models"
)

// summary shows what came of a run: stages, figures, where the model is, and
// what to type next.
type summary struct{ Options }

// line is the line of an event. What ends the run is said with its result: a failure is
// told at once only where others go on.
func (s *summary) line(e runs.Event) string {
	if e.Type == runs.EventState && *e.State == runs.Failed && !s.KeepGoing {
		return fmt.Sprintf("%-10s failed", e.Stage)
	}
	return eventLine(e, s.Verbose)
}

// show writes what came of the run to Out, and why it failed to Err.
func (s *summary) show(ctx context.Context, r *runs.Result) {
	out, screen := s.Out, table.ScreenOf(s.Out, s.Getenv, s.Full)
	ctx = context.WithoutCancel(ctx)
	if !s.Quiet {
		fmt.Fprintln(out)
		StageTable(out, screen, r)
	}
	for _, st := range r.Stages {
		switch st.Kind {
		case "split":
			if r, ok := document.Read[document.SplitReport](ctx, s.Store, st, "split_report"); ok {
				render.Split(out, &r)
			}
		case "verify":
			if v, ok := document.ReadVerification(ctx, s.Store, st); ok {
				render.Verification(out, screen, &v)
			}
		}
	}
	for _, st := range r.Stages {
		if st.Kind == "publish" && st.State.Done() {
			s.release(ctx, out, st)
		}
	}
	if r.Report != "" {
		fmt.Fprintf(out, "\nThe report is %s\n", r.Report)
	}
	if r.Code == 0 {
		return
	}
	if r.Code == stages.CodeGate {
		s.advise(ctx, r)
	}
	if strings.HasPrefix(r.Error, r.Class) {
		fmt.Fprintf(s.Err, "\nsprint: %s (code %d)\n", r.Error, r.Code)
	} else {
		fmt.Fprintf(s.Err, "\nsprint: %s (code %d): %s\n", r.Class, r.Code, r.Error)
	}
	if r.Hint != "" {
		fmt.Fprintf(s.Err, "       %s\n", commandline.OnStore(r.Hint, s.StoreFlag))
	}
	if r.Continue != "" {
		fmt.Fprintf(s.Err, "       %s\n         %s\n", Next(r), r.Continue)
	}
}

// Next introduces the command that continues a run: the same one again comes to the
// same end where plan, data or rules are what is wrong.
func Next(r *runs.Result) string {
	switch r.Code {
	case stages.CodeStage, stages.CodeUsage, stages.CodePlan, stages.CodeGate, stages.CodePublish, stages.CodeSource:
		if !r.Retryable {
			return "when that is changed, run it again:"
		}
	case stages.CodeDone, stages.CodeEnvironment, stages.CodePending, stages.CodeLease, stages.CodeMemory, stages.CodeIntegrity, stages.CodeInterrupted, stages.CodeDeadline, stages.CodeAborted:
	}
	if r.Hint != "" || r.Code == stages.CodeEnvironment {
		return "then continue with:"
	}
	return "continue with:"
}

// advise says what the figures behind a failed check mean.
func (s *summary) advise(ctx context.Context, r *runs.Result) {
	findings := advice.Of(advice.Read(ctx, s.Store, r.Stages))
	if len(findings) == 0 {
		return
	}
	fmt.Fprintln(s.Out, "\nWhat the figures say:")
	for _, f := range findings {
		fmt.Fprintf(s.Out, "  - %s\n", f.String(s.Graph.Plan.File))
	}
}

// stateColours are the colours of the rows of stages.
var stateColours = map[runs.State]string{
	runs.Succeeded: table.Good, runs.Cached: table.Faint, runs.Skipped: table.Faint, runs.Failed: table.Bad, runs.Lost: table.Doubt, runs.Interrupted: table.Doubt,
}

// StageTable writes a line for each stage of a run. What the run's own error says is
// not said of its stage again.
func StageTable(out *sanitize.Writer, screen table.Screen, r *runs.Result) {
	columns := []table.Column{{Name: "STAGE"}, {Name: "STATE"}, {Name: "SECONDS", Drop: 1}}
	if r.Cost != nil {
		columns = append(columns, table.Column{Name: "COST"})
	}
	t := screen.Table(func(row int) string { return stateColours[r.Stages[row].State] }, append(columns, table.Column{Name: "WHY", Cut: true})...)
	for _, st := range r.Stages {
		seconds := ""
		if st.Seconds > 0 {
			seconds = fmt.Sprintf("%.1f", st.Seconds)
		}
		why := st.Reason
		switch {
		case st.Error != "" && st.Error == r.Error:
			why = "see below"
		case st.Error != "":
			why, _, _ = strings.Cut(st.Error, "\n")
		}
		cells := []any{st.Name, st.State, seconds}
		if r.Cost != nil {
			cost := ""
			if st.Cost != nil {
				cost = st.Cost.Total.Show()
			}
			cells = append(cells, cost)
		}
		t.Row(append(cells, why)...)
	}
	_ = t.Write(out) // its writer keeps the error
	if r.Cost != nil {
		fmt.Fprintln(out, r.Cost)
	}
}

// release says where the model is and what to type to use it.
func (s *summary) release(ctx context.Context, out io.Writer, st runs.StageResult) {
	t, ok := s.Graph.Node(st.Name)
	if !ok {
		return
	}
	name, _ := t.Decoded.All["name"].(string)
	alias, _ := t.Decoded.All["alias"].(string)
	digest := st.Outputs["release"].Digest
	releases, err := models.In(s.Store).Releases(ctx, name)
	if err != nil {
		s.Log.Warn("could not list all releases", "model", name, "error", err)
	}
	version := 0
	for _, r := range releases {
		if r.Digest == digest {
			version = r.Version
		}
	}
	if version == 0 {
		return
	}
	fmt.Fprintf(out, "\nModel %s@%d is in %s/models/%s/%d\n", name, version, s.Store.URL(), name, version)
	if at, err := models.In(s.Store).Release(ctx, name, alias); err == nil && at.Version != version {
		fmt.Fprintf(out, "The alias %s points to version %d; move it with:\n  %s\n", alias, at.Version, commandline.Of("promote", fmt.Sprintf("%s@%d", name, version)).Flag("alias", alias).Flag("store", s.StoreFlag))
	}
	fmt.Fprintf(out, "Try it:\n  %s\n", commandline.Of("classify").Flag("store", s.StoreFlag).Flag("model", name).With(s.example(ctx, st)))
}

// example is a text to try a published model on: a row that it was tested on, if the
// stage that published noted one.
func (s *summary) example(ctx context.Context, st runs.StageResult) string {
	m, err := s.Store.Manifest(ctx, st.Kind, st.Key)
	if text, ok := m.Notes[stages.NoteExample].(string); err == nil && ok && text != "" {
		return text
	}
	return "A text"
}
