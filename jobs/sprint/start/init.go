package start

import (
	"embed"
	"errors"
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return atomicfile.Failure(err)
	}
	for _, e := range entries {
		data, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return atomicfile.Failure(err)
		}
		_, err = f.Write(data)
		if err := errors.Join(err, f.Close()); err != nil {
			return atomicfile.Failure(err)
		}
		fmt.Fprintf(a.Stdout, "wrote %s\n", filepath.Join(dir, e.Name()))
	}
	fmt.Fprintf(a.Stdout, "run it with:\n  %s\n", commandline.Of("run", filepath.Join(dir, "plan.yaml")))
	return nil
}
