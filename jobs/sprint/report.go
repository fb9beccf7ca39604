package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

func (a *app) reportCommand() *cobra.Command {
	var folder, format string
	cmd := &cobra.Command{
		Use: "report [RUN]", Short: "Write a run's report as HTML and Markdown", Args: cobra.MaximumNArgs(1),
		Long: `Write report.html and report.md of a run, the newest by default, whether it
ended well, failed, was killed or still goes on: figures with their intervals,
checks, wrong answers, losses, labels and rules, time and device, and which bytes
came from which. The page needs no network and runs no script. A run that trains
or verifies keeps its report.html in the store, beside its records.`,
		Example: "  sprint report\n  sprint report 20260102-150405-0660185f --output out\n  sprint report -o md >> \"$GITHUB_STEP_SUMMARY\"",
		RunE: a.onStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return a.showReport(ctx, s, args, folder, format)
		}),
	}
	cmd.Flags().StringVar(&folder, "output", "", "folder to write to (default: report-RUN); files of these names there are replaced")
	cmd.Flags().StringVarP(&format, "format", "o", "", "html or md: to standard output instead; json: name the files written as JSON")
	return cmd
}

func (a *app) showReport(ctx context.Context, s *storage.Store, args []string, folder, format string) error {
	switch {
	case !slices.Contains([]string{"", "html", "md", "json"}, format):
		return &config.UsageError{Message: fmt.Sprintf("-o %s: a report is html or md, and json names its files", format)}
	case folder != "" && (format == "html" || format == "md"):
		return &config.UsageError{Message: fmt.Sprintf("-o %s writes to standard output, --output to a folder: choose one", format)}
	}
	if len(args) == 0 {
		newest, err := runs.List(ctx, s, 1)
		if err != nil {
			return err
		}
		if args = newest; len(args) == 0 {
			return &config.UsageError{Message: fmt.Sprintf("the store %s has no runs", s.URL()), Hint: "`sprint run PLAN` makes one; --store names another store"}
		}
	}
	src, err := document.Load(ctx, s, args[0])
	if errors.Is(err, storage.ErrNotFound) {
		return noRun(args[0], err)
	}
	if err != nil {
		return err
	}
	r := report.Build(src)
	switch format {
	case "html":
		return render.HTML(a.stdout, r)
	case "md":
		return render.Markdown(a.stdout, r)
	}
	if folder == "" {
		folder = "report-" + args[0]
	}
	files, err := writeReport(r, folder)
	if err != nil {
		return cannotWrite(err)
	}
	if format == "json" {
		return json.NewEncoder(a.stdout).Encode(struct {
			Run  string `json:"run"`
			HTML string `json:"html"`
			MD   string `json:"md"`
		}{args[0], files[0], files[1]})
	}
	for _, f := range files {
		fmt.Fprintln(a.stdout, f)
	}
	return nil
}

// writeReport writes both files whole and returns their paths.
func writeReport(r *report.Report, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var html, md bytes.Buffer
	if err := errors.Join(render.HTML(&html, r), render.Markdown(&md, r)); err != nil {
		return nil, err
	}
	var files []string
	for _, f := range []struct {
		name string
		data []byte
	}{{"report.html", html.Bytes()}, {"report.md", md.Bytes()}} {
		path := filepath.Join(folder, f.name)
		if err := replaceFile(path, f.data); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// reportPatience bounds what a run waits for its report: the work is done.
const reportPatience = 30 * time.Second

// keepReport puts report.html beside the records of a run that trained or
// verified, and returns where it is. A run whose stages were all done has
// nothing new to show. Whatever goes wrong is a warning: the run has ended.
func (a *app) keepReport(ctx context.Context, s *storage.Store, res *runs.Result) string {
	worked := slices.ContainsFunc(res.Stages, func(st runs.StageResult) bool {
		return (st.Kind == "train" || st.Kind == "verify") && (st.State == runs.Succeeded || st.State == runs.Failed && len(st.Outputs) > 0)
	})
	if !worked || res.Run == nil || ctx.Err() != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	src, err := document.Load(ctx, s, *res.Run)
	var html bytes.Buffer
	if err == nil {
		err = render.HTML(&html, report.Build(src))
	}
	key := "runs/" + *res.Run + "/report.html"
	if err == nil {
		err = s.WriteFile(ctx, key, html.Bytes())
	}
	if err != nil {
		a.log().Warn("could not keep the run's report; `sprint report` makes it again", "run", *res.Run, "error", err)
		return ""
	}
	return s.URL() + "/" + key
}
