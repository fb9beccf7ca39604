package model

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func verifyCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify NAME[@VERSION|@ALIAS]", Short: "Read every byte of a release again", Args: cobra.ExactArgs(1),
		Long: `Read every byte of a release and compare it with its digest: its record, the copies of
its files, and the blobs that they are copies of. A folder of a release is compared
with its manifest.json. NAME alone is its champion, or latest where there is none. It
ends with code 9 if anything is missing or damaged, and says what mends it.`,
		Example: "  sprint models verify quickstart\n  sprint models verify quickstart@latest -o json",
	}
	inStore := a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
		name, version, cut := strings.Cut(args[0], "@")
		if !models.ValidName(name) || cut && version == "" {
			return &diagnostic.UsageError{Message: fmt.Sprintf("%.80q is no model: want NAME, NAME@VERSION, NAME@ALIAS or a folder", args[0])}
		}
		r, err := promotion.Find(ctx, s, name, version)
		if err != nil {
			return err
		}
		report, err := integrity.Checker{Store: s, Read: integrity.Everything(), StoreFlag: a.StoreFlag()}.Release(ctx, r)
		if err != nil {
			return err
		}
		if a.AsJSON {
			err = json.NewEncoder(a.Stdout).Encode(report)
		} else {
			showRelease(a, r, report)
		}
		if err == nil && !report.Whole {
			return app.Exit(stages.CodeIntegrity)
		}
		return err
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := os.Stat(filepath.Join(args[0], "config.json")); err != nil && !strings.ContainsAny(args[0], `/\`) {
			return inStore(cmd, args)
		}
		if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
			return stages.Fail(stages.CodeEnvironment, "`sprint models` lists the models of the store", "%.200q is no folder, and no model", args[0])
		}
		f, err := release.OpenFolder(cmd.Context(), args[0], "", true, &storage.Options{Log: a.Log()})
		if err != nil {
			return app.Interrupted(cmd.Context(), err)
		}
		defer f.Close()
		if a.AsJSON {
			return json.NewEncoder(a.Stdout).Encode(integrity.Report{Whole: true, Faults: []integrity.Fault{}})
		}
		fmt.Fprintf(a.Stdout, "%s: every byte as its manifest.json says\n", args[0])
		return nil
	}
	a.JSONFlag(cmd, "the report")
	return cmd
}

func showRelease(a *app.App, r models.Release, report *integrity.Report) {
	for _, f := range report.Faults {
		fmt.Fprintf(a.Stdout, "BAD %s: %s: %s\n", f.Key, f.Problem, f.Error)
	}
	if !report.Whole {
		fmt.Fprintf(a.Stdout, "%s@%d is not whole:\n  %s\n", r.Name, r.Version, strings.Join(report.Repairs(), "\n  "))
		return
	}
	fmt.Fprintf(a.Stdout, "%s@%d: %d files of %s, every byte as its digest says\n", r.Name, r.Version, report.Copies.Objects, app.Size(report.Copies.Bytes))
}
