package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/storage/models"
)

// githubView groups lines by stage, annotates failures at the lines of the plan, and tells
// later steps what came of the run.
type githubView struct {
	summary
	out   io.Writer        // for commands to the CI
	text  *sanitize.Writer // for all else
	mu    sync.Mutex
	open  string
	notes *annotator
	live  live
	stop  func()
}

func newGithub(o Options) *githubView {
	o.Out.ForGitHub()
	o.Err.ForGitHub()
	v := &githubView{summary: summary{o}, out: o.Out.Out, text: o.Out, live: live{graph: o.Graph, parallel: o.Parallel}}
	v.notes = newAnnotator(v.out, o.Getenv("GITHUB_WORKSPACE"))
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
			v.notes.annotate("error", v.place(e.Stage), e.Stage+" failed", e.Message)
		}
	}
	if e.Type == runs.EventLog && e.Level == warnLevel {
		v.notes.annotate("warning", v.place(e.Stage), e.Stage, e.Message)
	}
}

// place is where a stage stands in the plan; nowhere if it has no file.
func (v *githubView) place(stage string) diagnostic.Position {
	if node, ok := v.Graph.Node(stage); ok && node.Stage != nil {
		return node.Stage.Pos
	}
	return diagnostic.Position{}
}

func (v *githubView) group(name string) {
	if v.open != "" {
		fmt.Fprintln(v.out, "::endgroup::")
	}
	if v.open = name; name != "" {
		fmt.Fprintf(v.out, "::group::%s\n", name)
	}
}

func (v *githubView) Close() {
	v.stop()
	v.group("")
}

func (v *githubView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.notes.rest()
	v.show(ctx, r)
	ctx = context.WithoutCancel(ctx)
	if path := v.Getenv("GITHUB_STEP_SUMMARY"); path != "" && r.Run != nil {
		if err := v.step(ctx, path, *r.Run); err != nil {
			v.Log.Warn("could not write the step's summary", "error", err)
		}
	}
	if err := WriteOutputs(v.Getenv("GITHUB_OUTPUT"), r); err != nil {
		v.Log.Warn("could not write the step's outputs", "error", err)
	}
}

// step appends the run's report to the summary of a job's step, a file that
// other commands of the step write too, with the difference to the champion before it.
func (v *githubView) step(ctx context.Context, path, run string) error {
	src, err := document.Load(ctx, v.Store, run)
	if err != nil {
		return err
	}
	var all, champions bytes.Buffer
	failed := errors.Join(render.Markdown(&all, report.Build(src)), v.champions(ctx, &champions, run))
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	room := maxSummary - champions.Len()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		room -= int(min(info.Size(), maxSummary))
	}
	_, err = f.Write(append(fitting(all.Bytes(), room, run), champions.Bytes()...))
	return errors.Join(failed, err, f.Close())
}

// maxSummary is how many bytes of a step's summary GitHub takes: of a longer one it shows
// nothing.
const maxSummary = 1 << 20

// fitting is as much of a report as there is room for, up to the end of a block, and where
// all of it is; nothing if there is no room for that.
func fitting(report []byte, room int, run string) []byte {
	if len(report) <= room {
		return report
	}
	rest := fmt.Sprintf("\n\nThe report is longer than what is left of the 1 MiB that a step's summary may have: `%s` shows all of it.\n\n", commandline.Of("report", run))
	if room -= len(rest); room < 0 {
		return nil
	}
	end := max(bytes.LastIndex(report[:room], []byte("\n\n")), 0)
	return append(report[:end:end], rest...)
}

// champions writes how the run stands beside the champion of each model that the plan
// publishes.
func (v *githubView) champions(ctx context.Context, out io.Writer, run string) error {
	record, err := runs.LoadRecord(ctx, v.Store, run)
	if err != nil {
		return err
	}
	for _, node := range v.Graph.Nodes {
		name, _ := node.Decoded.All["name"].(string)
		if node.Kind.Name != "publish" || !models.ValidName(name) {
			continue
		}
		c, err := comparison.WithChampion(ctx, v.Store, name, record)
		if err != nil {
			return err
		}
		if err := render.Champion(out, name, &c, record.Figures); err != nil {
			return err
		}
	}
	return nil
}
