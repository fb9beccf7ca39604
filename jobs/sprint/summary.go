package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/storage"
)

// summary shows what came of a run: stages, figures, where the model is, and
// what to type next.
type summary struct {
	a     *app
	store *storage.Store
	graph *jobs.Graph
}

// show writes the summary to stdout.
func (s *summary) show(ctx context.Context, r *runs.Result) {
	out := s.a.stdout
	ctx = context.WithoutCancel(ctx)
	if !s.a.quiet {
		fmt.Fprintln(out)
		stageTable(out, r)
	}
	for _, st := range r.Stages {
		switch st.Kind {
		case "split":
			s.split(ctx, out, st)
		case "verify":
			if v, ok := s.verified(ctx, st); ok {
				v.show(out)
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
	fmt.Fprintf(s.a.stderr, "\nsprint: %s (code %d): %s\n", r.Class, r.Code, r.Error)
	if r.Hint != "" {
		fmt.Fprintf(s.a.stderr, "       %s\n", r.Hint)
	}
	if r.Continue != "" {
		then := ""
		if r.Hint != "" {
			then = "then "
		}
		fmt.Fprintf(s.a.stderr, "       %scontinue with:\n         %s\n", then, r.Continue)
	}
}

func stageTable(out io.Writer, r *runs.Result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STAGE\tSTATE\tSECONDS\tWHY")
	for _, st := range r.Stages {
		seconds := ""
		if st.Seconds > 0 {
			seconds = fmt.Sprintf("%.1f", st.Seconds)
		}
		why := st.Reason
		if st.Error != "" {
			why, _, _ = strings.Cut(st.Error, "\n")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", st.Name, st.State, seconds, why)
	}
	w.Flush()
}

// read fetches a JSON output of a stage.
func (s *summary) read(ctx context.Context, st runs.StageResult, name string, into any) bool {
	o, ok := st.Outputs[name]
	if !ok {
		return false
	}
	r, err := s.store.Get(ctx, o.Digest, o.Size)
	if err != nil {
		return false
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return err == nil && json.Unmarshal(data, into) == nil
}

// split says how many rows each side got, and what was found to meet.
func (s *summary) split(ctx context.Context, out io.Writer, st runs.StageResult) {
	var r split.Report
	if !s.read(ctx, st, "split_report", &r) || len(r.Sides) != 3 {
		return
	}
	fmt.Fprintf(out, "\nSplit by %s: %d rows train, %d val, %d test, in %d stories", r.By, r.Sides[0].Rows, r.Sides[1].Rows, r.Sides[2].Rows, r.Groups)
	dropped := 0
	kept := map[string]int{}
	var worst split.Example
	for _, l := range r.Leaks {
		switch {
		case l.Dropped:
			dropped += l.Rows
			continue
		case l.By != "close":
			kept["meet"] += l.Rows
		case l.Between[1] == "gold":
			kept["gold"] += l.Rows
		default:
			kept["sides"] += l.Rows
		}
		for _, e := range l.Examples {
			if e.Similarity > worst.Similarity {
				worst = e
			}
		}
	}
	if dropped > 0 {
		fmt.Fprintf(out, "; %d rows met the gold set and were dropped", dropped)
	}
	fmt.Fprintln(out)
	if n := kept["meet"]; n > 0 {
		fmt.Fprintf(out, "warning: %d rows of one side meet another and were kept\n", n)
	}
	if kept["gold"]+kept["sides"]+kept["meet"] > 0 {
		fmt.Fprintf(out, "half alike and kept: %d pairs with the gold set, %d between sides; the closest (%.2f): %q and %q\n", kept["gold"], kept["sides"], worst.Similarity, worst.Title, worst.Other)
	}
}

// release says where the model is and what to type to use it.
func (s *summary) release(ctx context.Context, out io.Writer, st runs.StageResult) {
	t, ok := s.graph.Task(st.Name)
	if !ok {
		return
	}
	name, _ := t.Decoded.All["name"].(string)
	alias, _ := t.Decoded.All["alias"].(string)
	digest := st.Outputs["release"].Digest
	releases, err := s.store.Releases(ctx, name)
	if err != nil {
		s.a.log().Warn("could not list releases", "error", err)
		return
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
	fmt.Fprintf(out, "\nModel %s@%d is in %s/models/%s/%d\n", name, version, s.store.URL(), name, version)
	if at, err := s.store.Release(ctx, name, alias); err == nil && at.Version != version {
		fmt.Fprintf(out, "The alias %s points to version %d; move it with:\n  sprint promote %s %d %s\n", alias, at.Version, name, version, alias)
	}
	example := "Storm closes the harbour"
	fmt.Fprintf(out, "Try it:\n  sprint classify%s --model %s %s\n", s.storeFlag(), name, commandline.Quote(example))
}

// storeFlag repeats --store if the run had one.
func (s *summary) storeFlag() string {
	if s.a.flags.store == "" {
		return ""
	}
	return " --store " + commandline.Quote(s.a.flags.store)
}
