package care

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
)

func schemaCommand(a *app.App) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of plans, or the options of a kind", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			registry := all.All()
			if kind != "" {
				return showKind(a, registry, kind)
			}
			var kinds []config.KindSchema
			for _, k := range registry {
				kinds = append(kinds, config.KindSchema{Name: k.Name, Doc: k.Doc, Options: k.Options()})
			}
			b, err := config.Schema(kinds)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Stdout, "%s\n", b)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "print the reference page of this kind instead")
	return cmd
}

func showKind(a *app.App, registry stages.Registry, kind string) error {
	k, ok := registry.Kind(kind)
	if !ok {
		return &diagnostic.UsageError{Message: fmt.Sprintf("no kind of stage is called %q", kind), Hint: diagnostic.Suggest(kind, registry.Names())}
	}
	fmt.Fprintf(a.Stdout, "%s (version %d)\n\n%s\n\nExample:\n", k.Name, k.Version, k.Doc)
	for line := range strings.SplitSeq(strings.TrimRight(k.Example, "\n"), "\n") {
		fmt.Fprintf(a.Stdout, "  %s\n", line)
	}
	fmt.Fprintln(a.Stdout, "\nOptions:")
	w := tabwriter.NewWriter(a.Stdout, 2, 0, 2, ' ', 0)
	for _, f := range options.Reference(k.Options()) {
		detail := f.Type
		if f.Allowed != "" {
			detail += ": " + f.Allowed
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Path, f.Default, detail, f.Doc)
	}
	return w.Flush()
}
