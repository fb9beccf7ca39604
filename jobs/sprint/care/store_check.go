package care

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func storeCheckCommand(a *app.App) *cobra.Command {
	var all bool
	var subset string
	cmd := &cobra.Command{
		Use: "check", Short: "Find what is missing, damaged or in the place of something else", Args: cobra.NoArgs,
		Long: `Read every record of the store and look for all that manifests, releases, aliases,
checkpoints and runs name. Of blobs and copies of released files only presence and
size are checked, unless --read-data or --read-data-subset have their bytes read
and compared with their digests too.

Each fault comes with what mends it: which stage to run again, which alias to set.
What nothing names is counted, and no fault; nor are outputs that a gc deleted. An
object with a name that sprint gives to none, such as version 01 of a model, is one.
Damaged blobs that were read are marked, so that their stage runs again. Nothing
else is changed. It ends with code 9 if there is any fault.`,
		Example: "  sprint store check\n  sprint store check --read-data-subset 5%\n  sprint store check --read-data-subset 2/7\n  sprint store check --read-data -o json",
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, _ []string) error {
			var read integrity.Subset
			switch {
			case all && subset != "":
				return &diagnostic.UsageError{Message: "--read-data reads everything: leave out --read-data-subset"}
			case all:
				read = integrity.Everything()
			case subset != "":
				var err error
				if read, err = integrity.ParseSubset(subset); err != nil {
					return &diagnostic.UsageError{Message: "--read-data-subset: " + err.Error()}
				}
			}
			return a.CheckStore(ctx, s, read, nil)
		}),
	}
	cmd.Flags().BoolVar(&all, "read-data", false, "read every byte")
	cmd.Flags().StringVar(&subset, "read-data-subset", "", "read a random share (5%), or one of equal parts, always the same (2/7)")
	a.JSONFlag(cmd, "the report")
	return cmd
}
