package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func reportCommand(a *app.App) *cobra.Command {
	var folder, format string
	cmd := &cobra.Command{
		Use: "report [RUN]", Short: "Write a run's report as HTML and Markdown", Args: cobra.MaximumNArgs(1),
		Long: `Write report.html and report.md of a run, the newest by default, whether it
ended well, failed, was killed or still goes on: figures with their intervals,
checks, wrong answers, losses, labels and rules, time and device, and which bytes
came from which. The page needs no network and runs no script. A run that trains
or verifies keeps its report.html in the store, beside its records.`,
		Example: "  sprint report\n  sprint report 20260102-150405-0660185f --output out\n  sprint report -o md >> \"$GITHUB_STEP_SUMMARY\"",
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return showReport(ctx, a, s, args, folder, format)
		}),
	}
	cmd.Flags().StringVar(&folder, "output", "", "folder to write to (default: report-RUN); files of these names there are replaced")
	cmd.Flags().StringVarP(&format, "format", "o", "", "html or md: to standard output instead; json: name the files written as JSON")
	return cmd
}

func showReport(ctx context.Context, a *app.App, s *storage.Store, args []string, folder, format string) error {
	switch {
	case !slices.Contains([]string{"", "html", "md", "json"}, format):
		return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: a report is html or md, and json names its files", format)}
	case folder != "" && (format == "html" || format == "md"):
		return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s writes to standard output, --output to a folder: choose one", format)}
	}
	if len(args) == 0 {
		newest, err := runs.List(ctx, s, 1)
		if err != nil {
			return err
		}
		if args = newest; len(args) == 0 {
			return &diagnostic.UsageError{Message: fmt.Sprintf("the store %s has no runs", s.URL()), Hint: "`sprint run PLAN` makes one; --store names another store"}
		}
	}
	src, err := document.Load(ctx, s, args[0])
	if errors.Is(err, storage.ErrNotFound) {
		return catalog.NoRun(args[0], err)
	}
	if err != nil {
		return err
	}
	r := report.Build(src)
	switch format {
	case "html":
		return render.HTML(a.Stdout, r)
	case "md":
		return render.Markdown(a.Stdout, r)
	}
	if folder == "" {
		folder = "report-" + args[0]
	}
	files, err := render.WriteFiles(r, folder)
	if err != nil {
		return atomicfile.Failure(err)
	}
	if format == "json" {
		return json.NewEncoder(a.Stdout).Encode(struct {
			Run  string `json:"run"`
			HTML string `json:"html"`
			MD   string `json:"md"`
		}{args[0], files[0], files[1]})
	}
	for _, f := range files {
		fmt.Fprintln(a.Stdout, f)
	}
	return nil
}
