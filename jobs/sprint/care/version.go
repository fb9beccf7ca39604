package care

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/all"
)

func versionCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: "  sprint version\n  sprint version -o json",
		RunE: func(*cobra.Command, []string) error {
			if a.AsJSON {
				kinds := map[string]int{}
				for _, k := range all.All() {
					kinds[k.Name] = k.Version
				}
				return json.NewEncoder(a.Stdout).Encode(struct {
					Version string         `json:"version"`
					Kinds   map[string]int `json:"kinds"`
				}{app.Version(), kinds})
			}
			fmt.Fprintf(a.Stdout, "sprint %s\n", app.Version())
			for _, k := range all.All() {
				fmt.Fprintf(a.Stdout, "  %-8s v%d\n", k.Name, k.Version)
			}
			return nil
		},
	}
	a.JSONFlag(cmd, "the version, and that of each kind")
	return cmd
}
