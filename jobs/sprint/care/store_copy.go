package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/replica"
)

// listed is how many keys of a kind are printed one by one.
const listed = 10

func storeCopyCommand(a *app.App) *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a store to another place, verified; the same command again goes on",
		Long: `Copy everything that a store keeps to another one, a folder or a bucket: as a
backup, or to move to another place. Every byte of artifacts, releases and records
is compared with its digest on the way. What the other store has is not sent again,
so a copy that broke off, or that is made every night, costs what is new.

Leases and a sweep's marks stay behind: nobody works in a copy. Both stores may be in
use meanwhile. Where the other store has something else under the same name, such as
an alias, its own stays and is named; --replace takes that of FROM.

Files that no store has under such names are listed and left out. It ends with code 9 if something in FROM is damaged; the rest is copied.`,
		Example: "  sprint store copy .sprint/store s3://backup/sprint\n  sprint store copy s3://backup/sprint restored --replace",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.Interrupted(cmd.Context(), copyStore(cmd, a, args[0], args[1], replace))
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "where both have something under a name, take that of FROM")
	a.JSONFlag(cmd, "the report")
	return cmd
}

func copyStore(cmd *cobra.Command, a *app.App, fromURL, toURL string, replace bool) error {
	// Opening makes a folder; one to copy from must be there already.
	if !strings.Contains(fromURL, "://") || strings.HasPrefix(fromURL, "file://") {
		if _, err := os.Stat(storage.LocalPath(fromURL)); err != nil {
			return stages.Fail(stages.CodeEnvironment, "name the folder or URL of a store", "%w", err)
		}
	}
	open := func(url string) (*storage.Store, error) {
		cfg, _, err := a.LoadConfig(cmd, "")
		if err != nil {
			return nil, err
		}
		cfg.Store = url
		return a.OpenStore(cmd.Context(), cfg)
	}
	from, err := open(fromURL)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := open(toURL)
	if err != nil {
		return err
	}
	defer to.Close()
	if within(from.URL(), to.URL()) || within(to.URL(), from.URL()) {
		return stages.Fail(stages.CodeUsage, "name another store to copy to", "%s and %s are the same store, or one lies in the other", storage.Redact(fromURL), storage.Redact(toURL))
	}
	r, err := copyAll(cmd.Context(), from, to, replace)
	if a.AsJSON {
		return errors.Join(err, json.NewEncoder(a.Stdout).Encode(r))
	}
	fmt.Fprintf(a.Stdout, "copied %d objects of %s; %d were there\n", r.Copied, app.Size(r.Bytes), r.Present)
	if n := len(r.Differing); n > 0 {
		fmt.Fprintf(a.Stdout, "%d stayed as %s has them; --replace takes those of %s:\n  %s\n", n, storage.Redact(toURL), storage.Redact(fromURL), some(r.Differing))
	}
	if n := len(r.Foreign); n > 0 {
		fmt.Fprintf(a.Stdout, "%d are no objects of a store and stayed behind:\n  %s\n", n, some(r.Foreign))
	}
	for i, d := range r.Damaged {
		if i == listed {
			fmt.Fprintf(a.Stdout, "and %d more\n", len(r.Damaged)-listed)
			break
		}
		fmt.Fprintf(a.Stdout, "BAD %s: %s\n", d.Key, d.Reason)
	}
	return err
}

// copyAll copies, and makes a failure of what is damaged.
func copyAll(ctx context.Context, from, to *storage.Store, replace bool) (replica.Report, error) {
	r, err := replica.Copy(ctx, from, to, replica.Options{Replace: replace})
	switch {
	case err == nil && r.Copied+r.Present+len(r.Damaged)+len(r.Differing) == 0:
		return r, stages.Fail(stages.CodeEnvironment, "name the folder or URL of a store", "%s holds nothing", from.URL())
	case err == nil && len(r.Damaged) > 0:
		return r, stages.Fail(stages.CodeIntegrity, "see what mends them: "+commandline.Of("store", "check", "--store", from.URL()).String(), "%d objects of %s are damaged and were not copied", len(r.Damaged), from.URL())
	}
	return r, err
}

// within reports whether a store lies below another one, or is that.
func within(inner, outer string) bool {
	resolve := func(url string) string {
		if path, err := filepath.Abs(storage.LocalPath(url)); err == nil && !strings.Contains(storage.LocalPath(url), "://") {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				return filepath.ToSlash(real)
			}
			return filepath.ToSlash(path)
		}
		return strings.TrimSuffix(url, "/")
	}
	inner, outer = resolve(inner), resolve(outer)
	return inner == outer || strings.HasPrefix(inner, outer+"/")
}

func some(keys []string) string {
	if n := len(keys); n > listed {
		return strings.Join(keys[:listed], "\n  ") + fmt.Sprintf("\n  and %d more", n-listed)
	}
	return strings.Join(keys, "\n  ")
}
