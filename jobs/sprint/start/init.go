// Package start holds the commands that write, check, foresee and run a plan:
// init, validate, plan, run and retry, and the worker that a run starts for each
// attempt. Each file is a command, or what one prints.
package start

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that write, check, foresee and run a plan.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		initCommand(a), validateCommand(a), planCommand(a), runCommand(a), retryCommand(a), workerCommand(a),
	}
}

// templates are the files that init writes: they run as they are.
//
//go:embed template
var templates embed.FS

func initCommand(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use: "init [FOLDER]", Short: "Write a commented plan, taxonomy and sample rows that run as they are", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return writeTemplate(a, dir)
		},
	}
}

func writeTemplate(a *app.App, dir string) error {
	files, err := fs.Sub(templates, "template")
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	// Nothing is written if anything would be overwritten.
	var there []string
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(dir, e.Name())); err == nil {
			there = append(there, e.Name())
		}
	}
	if len(there) > 0 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s holds %s already", dir, strings.Join(there, ", ")), Hint: "name another folder: sprint init FOLDER"}
	}
	if err := os.CopyFS(dir, files); err != nil {
		return atomicfile.Failure(err)
	}
	for _, e := range entries {
		fmt.Fprintf(a.Stdout, "wrote %s\n", filepath.Join(dir, e.Name()))
	}
	fmt.Fprintf(a.Stdout, "run it with:\n  %s\n", commandline.Of("run", filepath.Join(dir, "plan.yaml")))
	return nil
}
