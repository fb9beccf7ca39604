package model

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

func verifyCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify NAME[@VERSION|@ALIAS]", Short: "Read every byte of a release again", Args: cobra.ExactArgs(1),
		Long: `Read every byte of a release and compare it with its digest: its record, the copies of
its files, and the blobs that they are copies of. A folder of a release is compared
with its manifest.json. NAME alone is its champion, or latest where there is none. It
ends with code 9 if anything is missing or damaged, and says what mends it.

With --key, or model_keys in the config, one of these public keys must have signed every
file of it, and nothing may lie beside them: model.sig holds the signature, in the format
of OpenSSF Model Signing. The statement of the run that made it is checked by the same
keys. It is refused with code 9 too if it is not signed, signed by another key or by one of
model_keys_revoked, or if files are other, missing or added. No network is needed.`,
		Example: "  sprint models verify quickstart\n  sprint models verify quickstart@latest -o json",
	}
	a.KeyFlag(cmd, "file of a public key that must have signed the release; may be repeated")
	inStore := a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
		name, version, err := release.Parse(args[0])
		if err != nil {
			return err
		}
		r, err := release.Find(ctx, s, name, version)
		if err != nil {
			return err
		}
		trust, err := modelTrust(a, cmd)
		if err != nil {
			return err
		}
		report, err := integrity.Checker{Store: s, Read: integrity.Everything(), StoreFlag: a.StoreFlag()}.Release(ctx, r)
		if err != nil {
			return err
		}
		var signed *release.Signed
		if report.Whole && trust != nil {
			if signed, err = release.CheckSignature(ctx, s, r, trust); err != nil {
				return err
			}
		}
		if a.AsJSON {
			err = json.NewEncoder(a.Stdout).Encode(verified{report, signed})
		} else {
			showRelease(a, r, report)
			showSigned(a, signed)
		}
		if err == nil && !report.Whole {
			return app.Exit(stages.CodeIntegrity)
		}
		return err
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !release.IsFolder(args[0]) && !strings.ContainsAny(args[0], `/\`) {
			return inStore(cmd, args)
		}
		if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
			return stages.Fail(stages.CodeEnvironment, "`sprint models` lists the models of the store", "%.200q is no folder, and no model", args[0])
		}
		return verifyFolder(cmd.Context(), a, cmd, args[0])
	}
	a.JSONFlag(cmd, "the report")
	return cmd
}

// verified is the JSON of a release that was read again.
type verified struct {
	*integrity.Report
	Signed *release.Signed `json:"signed,omitempty"`
}

// modelTrust are the keys that --key or the config demand; nil if none.
func modelTrust(a *app.App, cmd *cobra.Command) (*signature.Trust, error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return nil, err
	}
	return a.ModelTrust(cfg)
}

func verifyFolder(ctx context.Context, a *app.App, cmd *cobra.Command, dir string) error {
	trust, err := modelTrust(a, cmd)
	if err != nil {
		return err
	}
	log := a.Log()
	if trust != nil {
		log = slog.New(slog.DiscardHandler) // a folder without a manifest is checked all the same
	}
	f, err := release.OpenFolder(ctx, dir, "", trust == nil, &storage.Options{Log: log})
	if err != nil {
		return app.Interrupted(ctx, err)
	}
	defer f.Close()
	var signed *release.Signed
	if trust != nil {
		if signed, err = f.CheckSignature(ctx, trust); err != nil {
			return app.Interrupted(ctx, err)
		}
	}
	if a.AsJSON {
		return json.NewEncoder(a.Stdout).Encode(verified{&integrity.Report{Whole: true, Faults: []integrity.Fault{}}, signed})
	}
	by := "its manifest.json says"
	if signed != nil {
		by = "it was signed"
	}
	fmt.Fprintf(a.Stdout, "%s: every byte as %s\n", dir, by)
	showSigned(a, signed)
	return nil
}

// showSigned says who signed a release, and what is stated of its run.
func showSigned(a *app.App, s *release.Signed) {
	if s == nil {
		return
	}
	fmt.Fprintf(a.Stdout, "signed by %s: %d files of the model %.100q\n", s.Signer, s.Files, s.Model)
	if s.Run == nil {
		fmt.Fprintln(a.Stdout, "nothing is stated of the run that made it")
		return
	}
	plan, _ := s.Run.Definition.External["plan"].(string)
	digest, _ := s.Run.Definition.External["plan_digest"].(string)
	digests := 0 // the rest are values, as the words of rules
	for _, d := range s.Run.Definition.Dependencies {
		if len(d.Digest) > 0 {
			digests++
		}
	}
	fmt.Fprintf(a.Stdout, "made by run %.80q of the plan %.80q (%.80q), of %d inputs that have digests\n", s.Run.Details.Metadata.Invocation, plan, digest, digests)
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
