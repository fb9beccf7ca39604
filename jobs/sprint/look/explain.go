package look

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func explainCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	cmd := &cobra.Command{
		Use:   "explain STAGE [PLAN]",
		Short: "Show what a stage's key holds and how it differs from the nearest work done",
		Long: `Say whether a stage would run, and why: field by field, in what its key differs
from that of the nearest earlier work of its kind (the fewest differences, of
equally near ones the newest). Outputs that a gc evicted are told from changed
options and inputs. -o json prints the key's whole pre-image.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ext := filepath.Ext(args[0]); len(args) == 1 && (ext == ".yaml" || ext == ".yml") {
				return &diagnostic.UsageError{Message: fmt.Sprintf("%s is a plan, and no stage is named", args[0]), Hint: "sprint explain STAGE " + args[0]}
			}
			ctx := cmd.Context()
			c, err := a.CompileToRead(ctx, cmd, app.PlanArg(args[1:]), &f)
			if err != nil {
				return err
			}
			defer c.Close(a.Log())
			t, ok := c.Graph.Node(args[0])
			if !ok {
				return &diagnostic.UsageError{Message: fmt.Sprintf("the plan has no stage %q", args[0]), Hint: diagnostic.Suggest(args[0], c.Graph.Names())}
			}
			return explainStage(ctx, a, c.Store, c.Graph, t)
		},
	}
	f.Add(cmd)
	a.JSONFlag(cmd, "the decision with the pre-image and the differences")
	return cmd
}

// explained is the answer of explain -o json.
type explained struct {
	Stage    string          `json:"stage"`
	Would    string          `json:"would"`
	Reason   string          `json:"reason"`
	Key      string          `json:"key,omitempty"` // absent while inputs are not there yet
	Preimage json.RawMessage `json:"preimage,omitempty"`
	Nearest  *nearest        `json:"nearest"` // null if nothing of the kind was ever done
}

// nearest is the earlier work that is most alike.
type nearest struct {
	Key      string       `json:"key"`
	Run      string       `json:"run"`
	Stage    string       `json:"stage"`
	Finished time.Time    `json:"finished"`
	Changes  []key.Change `json:"changes"` // none: it is the same work
}

func explainStage(ctx context.Context, a *app.App, store *storage.Store, g *graph.Graph, t *graph.Node) error {
	ev := evaluate.Evaluator{Store: store}
	e, err := ev.Evaluate(ctx, g)
	if err != nil {
		return err
	}
	v := e.Decisions[t.Name]
	x := explained{Stage: t.Name, Would: app.Would(v), Reason: v.Reason, Key: v.Key, Preimage: v.Preimage}
	m, changes := cmp.Or(v.Manifest, v.Lost), []key.Change{}
	if m == nil && v.Key != "" {
		if m, changes, err = ev.Nearest(ctx, t, v); err != nil {
			return err
		}
		if m != nil && len(v.Changes) > 0 {
			x.Reason = key.Summary(changes) // of the work that the list is about
		}
	}
	if m != nil {
		x.Nearest = &nearest{Key: m.Key, Run: m.Run, Stage: m.Stage, Finished: m.Finished, Changes: changes}
	}
	if a.AsJSON {
		return json.NewEncoder(a.Stdout).Encode(x)
	}
	fmt.Fprintf(a.Stdout, "%s would %s: %s\n", t.Name, x.Would, x.Reason)
	if x.Key == "" {
		return nil
	}
	fmt.Fprintf(a.Stdout, "key %s\n", x.Key)
	n := x.Nearest
	switch {
	case n == nil:
		fmt.Fprintf(a.Stdout, "no stage of kind %s was ever done in this store\n", t.Kind.Name)
	case len(n.Changes) == 0:
		fmt.Fprintf(a.Stdout, "nothing changed since run %s did it on %s\n", n.Run, n.Finished.Local().Format(time.DateTime))
	default:
		who := ""
		if n.Stage != t.Name {
			who = fmt.Sprintf(", as its stage %s", n.Stage)
		}
		fmt.Fprintf(a.Stdout, "nearest to what run %s did on %s%s:\n", n.Run, n.Finished.Local().Format(time.DateTime), who)
		for _, ch := range n.Changes {
			fmt.Fprintf(a.Stdout, "  %s\n", ch)
		}
	}
	return nil
}
