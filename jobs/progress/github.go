package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// githubView groups lines by stage and annotates failures.
type githubView struct {
	summary
	out  io.Writer        // for commands to the CI
	text *sanitize.Writer // for all else
	mu   sync.Mutex
	open string
	live live
	stop func()
}

func newGithub(o Options) *githubView {
	v := &githubView{summary: summary{o}, out: o.Out.Out, text: &sanitize.Writer{Out: o.Out.Out, GitHub: true}, live: live{graph: o.Graph, parallel: o.Parallel}}
	v.stop = every(time.Second, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.live.beat(v.text)
	})
	return v
}

func (v *githubView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live.observe(e)
	if e.Type == runs.EventState && *e.State == runs.Running && v.open != e.Stage {
		v.group(e.Stage)
	}
	if line := eventLine(e, true); line != "" {
		fmt.Fprintln(v.text, line)
		v.live.tell(e.Stage)
	}
	if e.Type == runs.EventState && e.State.Final() {
		v.group("")
		if *e.State == runs.Failed {
			fmt.Fprintf(v.out, "::error title=%s failed::%s\n", e.Stage, annotation(e.Message))
		}
	}
	if e.Type == runs.EventLog && e.Level == warnLevel {
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

func (v *githubView) Close() {
	v.stop()
	v.group("")
}

func (v *githubView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.show(ctx, r)
	if path := v.Getenv("GITHUB_STEP_SUMMARY"); path != "" && r.Run != nil {
		if err := v.step(context.WithoutCancel(ctx), path, *r.Run); err != nil {
			v.Log.Warn("could not write the step's summary", "error", err)
		}
	}
}

// step appends the run's report to the summary of a job's step, a file that
// other commands of the step write too.
func (v *githubView) step(ctx context.Context, path, run string) error {
	src, err := document.Load(ctx, v.Store, run)
	if err != nil {
		return err
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	return errors.Join(render.Markdown(f, report.Build(src)), f.Close())
}
