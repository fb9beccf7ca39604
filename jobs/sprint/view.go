package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// view shows a run while it goes on and what came of it.
type view interface {
	jobs.Observer
	// finish shows the result; close ends without one.
	finish(ctx context.Context, r *runs.Result)
	close()
}

// view picks the view of an output mode.
func (a *app) view(mode string, store *storage.Store, g *jobs.Graph) view {
	if mode == "auto" {
		mode = "plain"
		if a.getenv("GITHUB_ACTIONS") == "true" {
			mode = "github"
		} else if sanitize.Terminal(a.stderr.Out) != nil && a.getenv("TERM") != "dumb" {
			mode = "tty"
		}
	}
	summary := &summary{a: a, store: store, graph: g}
	switch mode {
	case "json":
		return &jsonView{out: json.NewEncoder(a.stdout)}
	case "github":
		return &githubView{summary: summary, out: a.stdout.Out, text: &sanitize.Writer{Out: a.stdout.Out, GitHub: true}}
	case "tty":
		return newTTY(a, summary)
	}
	return newPlain(a, summary)
}

// jsonView writes every event as a line; the last line is the result.
type jsonView struct{ out *json.Encoder }

func (v *jsonView) Observe(e runs.Event) {
	if e.Type != runs.EventResult {
		_ = v.out.Encode(e)
	}
}

func (v *jsonView) finish(_ context.Context, r *runs.Result) { _ = v.out.Encode(r) }
func (v *jsonView) close()                                   {}

// plainView writes a line per change and a heartbeat for what takes long.
type plainView struct {
	*summary
	out     io.Writer
	verbose bool
	mu      sync.Mutex
	last    map[string]stages.Progress
	spoke   time.Time
	stop    chan struct{}
	done    sync.WaitGroup
}

// heartbeat is the longest silence of the plain view.
const heartbeat = 15 * time.Second

func newPlain(a *app, s *summary) *plainView {
	v := &plainView{summary: s, out: a.stderr, verbose: a.verbose, last: map[string]stages.Progress{}, spoke: time.Now(), stop: make(chan struct{})}
	v.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.beat()
			}
		}
	})
	return v
}

func (v *plainView) beat() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.a.quiet || time.Since(v.spoke) < heartbeat {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.last)) {
		fmt.Fprintf(v.out, "%-10s %s\n", name, progressText(v.last[name]))
	}
	v.spoke = time.Now()
}

func (v *plainView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Type {
	case runs.EventProgress:
		v.last[e.Stage] = *e.Progress
		return
	case runs.EventState:
		if e.State.Final() {
			delete(v.last, e.Stage)
		}
	}
	if v.a.quiet && e.Type != runs.EventStop && (e.Type != runs.EventState || e.State.Done() || !e.State.Final()) {
		return
	}
	if line := eventLine(e, v.verbose); line != "" {
		fmt.Fprintln(v.out, line)
		v.spoke = time.Now()
	}
}

func (v *plainView) close() {
	close(v.stop)
	v.done.Wait()
}

func (v *plainView) finish(ctx context.Context, r *runs.Result) {
	v.close()
	v.show(ctx, r)
}

// eventLine is the line of an event, empty for those that are not shown.
func eventLine(e runs.Event, verbose bool) string {
	switch e.Type {
	case runs.EventState:
		switch *e.State {
		case runs.Pending, runs.Skipped:
			return ""
		case runs.Running, runs.Waiting, runs.Cached:
			return fmt.Sprintf("%-10s %s: %s", e.Stage, e.State, e.Reason)
		case runs.Succeeded:
			return fmt.Sprintf("%-10s succeeded in %.1f s", e.Stage, e.Seconds)
		case runs.Lost:
			if e.Wait > 0 {
				return fmt.Sprintf("%-10s %s: %s", e.Stage, e.Reason, e.Message)
			}
		}
		return fmt.Sprintf("%-10s %s: %s", e.Stage, e.State, e.Message)
	case runs.EventStop:
		return e.Message + "; what runs makes its checkpoint first, two signals in all end it at once"
	case runs.EventNote:
		if name, _, _ := strings.Cut(e.Message, ":"); verbose || slices.Contains([]string{"device", "fetch", "estimate", "resumed"}, name) {
			return fmt.Sprintf("%-10s %s", e.Stage, e.Message)
		}
	case runs.EventLog:
		if verbose || e.Level == "WARN" || e.Level == "INFO" && (strings.HasPrefix(e.Message, "epoch ") || strings.HasPrefix(e.Message, "stopped early") || strings.HasPrefix(e.Message, "saving")) {
			level := ""
			if e.Level == "WARN" {
				level = "warning: "
			}
			return fmt.Sprintf("%-10s %s%s", e.Stage, level, e.Message)
		}
	}
	return ""
}

// progressText puts a report into one short line.
func progressText(p stages.Progress) string {
	var parts []string
	if p.Text != "" {
		parts = append(parts, p.Text)
	}
	switch {
	case p.Unit == "bytes" && p.Total > 0:
		parts = append(parts, fmt.Sprintf("%.0f/%.0f MB", float64(p.Done)/1e6, float64(p.Total)/1e6))
	case p.Total > 0:
		parts = append(parts, fmt.Sprintf("%d/%d %s", p.Done, p.Total, p.Unit))
	case p.Done > 0:
		parts = append(parts, fmt.Sprintf("%d %s", p.Done, p.Unit))
	}
	if p.Rate > 0 {
		unit := "rows"
		if p.Unit == "bytes" {
			unit = "bytes"
		}
		parts = append(parts, fmt.Sprintf("%.1f %s/s", p.Rate, unit))
	}
	if p.Loss != 0 {
		parts = append(parts, fmt.Sprintf("loss %.4f", p.Loss))
	}
	if p.Left > 0 {
		parts = append(parts, p.Left.Round(time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}

// githubView groups lines by stage and annotates failures.
type githubView struct {
	*summary
	out  io.Writer        // for commands to the CI
	text *sanitize.Writer // for all else
	mu   sync.Mutex
	open string
}

func (v *githubView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Type == runs.EventState && *e.State == runs.Running && v.open != e.Stage {
		v.group(e.Stage)
	}
	if line := eventLine(e, true); line != "" {
		fmt.Fprintln(v.text, line)
	}
	if e.Type == runs.EventState && e.State.Final() {
		v.group("")
		if *e.State == runs.Failed {
			fmt.Fprintf(v.out, "::error title=%s failed::%s\n", e.Stage, annotation(e.Message))
		}
	}
	if e.Type == runs.EventLog && e.Level == "WARN" {
		fmt.Fprintf(v.out, "::warning title=%s::%s\n", e.Stage, annotation(e.Message))
	}
}

func (v *githubView) group(name string) {
	if v.open != "" {
		fmt.Fprintln(v.out, "::endgroup::")
	}
	if v.open = name; name != "" {
		fmt.Fprintf(v.out, "::group::%s\n", name)
	}
}

// annotation escapes a message as GitHub's workflow commands demand.
func annotation(s string) string {
	return sanitize.Text(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s))
}

func (v *githubView) close() { v.group("") }

func (v *githubView) finish(ctx context.Context, r *runs.Result) {
	v.close()
	v.show(ctx, r)
	if path := v.a.getenv("GITHUB_STEP_SUMMARY"); path != "" && r.Run != nil {
		if err := v.step(context.WithoutCancel(ctx), path, *r.Run); err != nil {
			v.a.log().Warn("could not write the step's summary", "error", err)
		}
	}
}

// step appends the run's report to the summary of a job's step, a file that
// other commands of the step write too.
func (v *githubView) step(ctx context.Context, path, run string) error {
	src, err := document.Load(ctx, v.store, run)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(render.Markdown(f, report.Build(src)), f.Close())
}
