package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/rekey"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func storeRekeyCommand(a *app.App) *cobra.Command {
	var yes, unsigned bool
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Sign the records of the store with its key; only counts without --yes",
		Long: `Sign with store_key what is not signed with it: records that one of
store_keys_accepted signed, and with --unsigned those that have no signature,
whoever wrote them. What another key signed, or was forged, is listed and stays.

To sign a store that was not, make a key (openssl rand -hex 32), let store_key
name it, and run this with --unsigned --yes while no run goes on.

To change the key, in this order and wherever the store is used:
  1. store_keys_accepted: [the new key]      beside the old store_key
  2. store_key: the new key                  and store_keys_accepted: [the old key]
  3. this command with --yes, once the runs of step 1 have ended
  4. store_keys_accepted goes
Runs go on all the while. It may be ended and begun again at any time.`,
		Example: "  sprint store rekey\n  sprint store rekey --unsigned --yes",
		Args:    cobra.NoArgs,
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, _ []string) error {
			return rekeyStore(ctx, a, s, unsigned, yes)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really sign")
	cmd.Flags().BoolVar(&unsigned, "unsigned", false, "sign what has no signature too: trust all that is in the store now")
	a.JSONFlag(cmd, "the report")
	return cmd
}

// shownRefused is how many refused records are named.
const shownRefused = 20

func rekeyStore(ctx context.Context, a *app.App, s *storage.Store, unsigned, yes bool) error {
	if s.Keys() == nil {
		return &diagnostic.UsageError{Message: "store_key is not set", Hint: "let it name the key, env:NAME or file:PATH, in your own config or SPRINT_STORE_KEY; `openssl rand -hex 32` makes one"}
	}
	r, err := rekey.Rekeyer{Store: s, Unsigned: unsigned, Write: yes, Watching: func(l storage.LeaseState) {
		fmt.Fprintf(a.Stderr, "lease %s is held by %s; watching whether it is renewed\n", l.Name, l.Holder)
	}}.Run(ctx)
	if err != nil {
		return err
	}
	if yes && len(r.Refused) > 0 {
		err = stages.Fail(stages.CodeIntegrity, "what is yours and of before the key, --unsigned signs; what was signed with an older key, store_keys_accepted lets in; look at all else and delete it", "%d records are not signed with a key of the store", len(r.Refused))
	}
	if a.AsJSON {
		return errors.Join(err, json.NewEncoder(a.Stdout).Encode(r))
	}
	verb := "to be signed"
	if yes {
		verb = "signed now"
	}
	unsignedRow := "not signed"
	if unsigned {
		unsignedRow += ", " + verb
	}
	w := a.Screen().Table(nil, table.Column{Name: "RECORDS", Cut: true}, table.Column{Name: "COUNT", Right: true})
	w.Row(fmt.Sprintf("signed with key %s before", r.Key), r.Current)
	w.Row("signed with an accepted key, "+verb, r.Accepted)
	w.Row(unsignedRow, r.Unsigned)
	w.Row("refused", len(r.Refused))
	w.Row("damaged", r.Damaged)
	if failed := w.Write(a.Stdout); err == nil {
		err = failed
	}
	slices.Sort(r.Refused)
	for i, key := range r.Refused {
		if i == shownRefused {
			fmt.Fprintf(a.Stdout, "and %d more\n", len(r.Refused)-i)
			break
		}
		fmt.Fprintf(a.Stdout, "refused: %s\n", key)
	}
	if !yes && !unsigned && r.Unsigned > 0 {
		fmt.Fprintf(a.Stdout, "%d have no signature: if none but yours ever wrote to this store, sign them too, with:\n  %s --unsigned --yes\n", r.Unsigned, a.CommandLine())
	}
	if !yes && (r.Accepted > 0 || unsigned && r.Unsigned > 0) {
		fmt.Fprintf(a.Stdout, "sign them with:\n  %s --yes\n", a.CommandLine())
	}
	return err
}
