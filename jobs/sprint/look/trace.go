package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func traceCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace ARTIFACT",
		Short: "Show what made an artifact, of what, and what came of it",
		Long: `Follow an artifact up to everything it was made of and down to everything that
was made of it, releases included. ARTIFACT is STAGE.OUTPUT of the newest run,
RUN:STAGE.OUTPUT, MODEL@VERSION, or a digest or its beginning. A release or alias
that cannot be read is named at the end, with code 9.`,
		Example: "  sprint trace train.model\n  sprint trace quickstart@latest -o json",
		Args:    cobra.ExactArgs(1),
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return traceArtifact(ctx, a, s, args[0])
		}),
	}
	a.JSONFlag(cmd, "the artifact with all work before and after it")
	return cmd
}

func traceArtifact(ctx context.Context, a *app.App, s *storage.Store, ref string) error {
	f, err := provenance.Find(ctx, s, ref)
	if err != nil {
		return err
	}
	l, err := provenance.LoadLineage(ctx, s)
	if err != nil {
		return err
	}
	start := []string{f.Digest}
	var trees []string
	if len(l.Makers(f.Digest)) == 0 {
		// A file of a tree is traced through the trees that hold it.
		if trees, err = l.TreesWith(ctx, f.Digest); err != nil {
			return err
		}
		start = append(start, trees...)
	}
	if a.AsJSON {
		return errors.Join(json.NewEncoder(a.Stdout).Encode(provenance.NewTrace(l, f, start, trees)), brokenRegistry(a, l))
	}
	p := &tracer{out: a.Stdout, l: l}
	fmt.Fprintf(a.Stdout, "%s  sha256:%s, %s\n", ref, app.Short(f.Digest), app.Size(f.Size))
	for _, t := range trees {
		fmt.Fprintf(a.Stdout, "a file of the tree sha256:%s\n", app.Short(t))
	}
	p.walk("made by:", start, p.up, "nothing that this store remembers")
	p.walk("used by:", start, p.down, "nothing")
	return brokenRegistry(a, l)
}

// brokenRegistry is the failure of a trace that could not read all releases.
func brokenRegistry(a *app.App, l *provenance.Lineage) error {
	if err := l.Broken(); err != nil {
		return stages.Fail(stages.CodeIntegrity, fmt.Sprintf("`%s` says what mends it", commandline.Of("store", "check").Flag("store", a.Flags.Store)), "what is shown lacks releases or aliases that cannot be read: %w", err)
	}
	return nil
}

// tracer prints a trace as an indented tree; what was shown is not shown again.
type tracer struct {
	out   io.Writer
	l     *provenance.Lineage
	seen  map[string]bool
	lines int
}

func (p *tracer) line(depth int, format string, args ...any) {
	p.lines++
	fmt.Fprintf(p.out, "%s%s\n", strings.Repeat("  ", depth), fmt.Sprintf(format, args...))
}

// walk prints one direction of the trace, or that there is nothing.
func (p *tracer) walk(title string, start []string, step func(digest string, depth int), none string) {
	fmt.Fprintln(p.out, title)
	p.seen, p.lines = map[string]bool{}, 0
	for _, d := range start {
		step(d, 1)
	}
	if p.lines == 0 {
		p.line(1, "%s", none)
	}
}

// work names an act of work and reports whether it is new.
func (p *tracer) work(o *provenance.Origin, depth int) bool {
	id := o.Kind + "/" + o.Key + o.Run
	device := ""
	if o.Device != "" {
		device = " on " + o.Device
	}
	again := ""
	if p.seen[id] {
		again = ", see above"
	}
	p.line(depth, "%s (%s) in run %s, %s%s%s", o.Stage, o.Kind, o.Run, o.Finished.Local().Format(time.DateTime), device, again)
	p.seen[id] = true
	return again == ""
}

func (p *tracer) up(digest string, depth int) {
	for _, o := range p.l.Makers(digest) {
		if !p.work(o, depth) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(o.External)) {
			if v := outside(o.External[name]); v != "" {
				p.line(depth+1, "from outside: %s %s", name, v)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(o.Inputs)) {
			p.line(depth+1, "of %s  sha256:%s", name, app.Short(o.Inputs[name]))
			p.up(o.Inputs[name], depth+2)
		}
	}
}

// outside puts a value from outside the store into few words.
func outside(v any) string {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "{}" || string(b) == "null" || string(b) == "[]" {
		return ""
	}
	if len(b) > 100 {
		return fmt.Sprintf("%.97s...", b)
	}
	return string(b)
}

func (p *tracer) down(digest string, depth int) {
	for _, r := range p.l.Releases(digest) {
		p.line(depth, "released as %s", r)
	}
	for _, o := range p.l.Users(digest) {
		if !p.work(o, depth) {
			continue
		}
		for _, x := range o.Outputs {
			if !x.Volatile {
				p.line(depth+1, "into %s  sha256:%s", x.Name, app.Short(x.Digest))
				p.down(x.Digest, depth+2)
			}
		}
	}
}
