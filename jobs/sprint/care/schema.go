package care

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/reference"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/all"
)

func schemaCommand(a *app.App) *cobra.Command {
	var name, format string
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of plans, or the page of a kind, the taxonomy, the config or the gold set", Args: cobra.NoArgs,
		Long: `Print what plans and the files beside them may say: without a flag the JSON Schema of
plans, for an editor; with --kind the page of plan, taxonomy, config, gold, of a kind of
stage, or of a source or check of one (label.encoder, verify.gain).`,
		Example: "  sprint schema --kind taxonomy\n  sprint schema --kind taxonomy -o json\n  sprint schema --kind verify.gain",
		RunE: func(*cobra.Command, []string) error {
			pages := Pages()
			if name == "" {
				name, format = "plan", "json"
			}
			i := slices.IndexFunc(pages, func(p reference.Page) bool { return p.Name == name })
			if i < 0 {
				return &diagnostic.UsageError{Message: fmt.Sprintf("there is no page %q", name), Hint: diagnostic.Suggest(name, reference.Names(pages))}
			}
			return show(a, &pages[i], format)
		},
	}
	cmd.Flags().StringVar(&name, "kind", "", "the page of this kind, file, source or check instead")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text, md, or json: a JSON Schema")
	return cmd
}

// Pages are all reference pages.
func Pages() []reference.Page {
	return reference.Pages(all.All(), append(executorPages(), reference.Page{
		Name: "taxonomy", Title: "taxonomy (taxonomy.yaml)", Example: taxonomy.Example, Schema: taxonomy.Schema(), Fields: taxonomyFields(),
		Text: taxonomy.Doc,
	}, goldPage())...)
}

func taxonomyFields() []options.Field {
	var out []options.Field
	for _, k := range taxonomy.Keys() {
		out = append(out, options.Field{Path: k.Path, Type: k.Type, Doc: k.Doc})
	}
	return out
}

const goldText = `Rows labelled by hand: never trained on, only measured against; rows of it are left out
of training by url, id, title and near-duplicate. A csv, jsonl or parquet file with a
column title; url or id, where there is one, says which row it is; description and the
rest are read as in articles. Labels stand in one of three forms:

  title,label                 one column of categories, several joined by ";",
  Storm closes harbour,weather/storm;crime   each with its tag behind "/"; empty is none
  title,weather,weather_tag   a column of 0 and 1 per category, and perhaps its tag
  title,weather_score         the same as a score

At least 8 positives of a category are needed for it to count in the macro average.`

func goldPage() reference.Page {
	return reference.Page{Name: "gold", Title: "gold set", Text: goldText}
}

func show(a *app.App, p *reference.Page, format string) error {
	switch format {
	case "text":
		return p.WriteText(a.Stdout)
	case "md":
		return p.WriteMarkdown(a.Stdout)
	case "json":
		if p.Schema == nil {
			return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no JSON Schema of its own", p.Name), Hint: "-o text and md show its page"}
		}
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(p.Schema)
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: this command knows text, md and json", format)}
}
