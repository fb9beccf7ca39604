package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

func signCommand(a *app.App) *cobra.Command {
	var key, name string
	cmd := &cobra.Command{
		Use: "sign FOLDER", Short: "Sign a release folder", Args: cobra.ExactArgs(1),
		Long: `Sign every file of a release folder, in the format of OpenSSF Model Signing: model.sig is
written beside them, which models verify, classify and serve check by --key, and the Python
package model-signing too. A folder that has a manifest.json must be as that says. One that
has this very signature stays as it is; another signature is not replaced.

A release of a store is never changed, so none is signed there: the signature is one of its
files. Publish it signed, by publish.sign of the plan, or sign a folder that artifacts get
wrote. The key is named by a reference, and is neither shown nor kept.`,
		Example: "  sprint models sign ./folder --key file:release.key",
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := signingKey(a, key)
			if err != nil {
				return err
			}
			if name != "" && !models.ValidName(name) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--name: %.80q is no model name", name), Hint: "use a-z, 0-9, dot, dash and underscore"}
			}
			return app.Interrupted(cmd.Context(), signFolder(cmd.Context(), a, args[0], name, k))
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "reference to the private key, env:NAME or file:PATH: a PEM of ECDSA P-256, P-384 or P-521 without a password")
	cmd.Flags().StringVar(&name, "name", "", "name of the model that is signed; by default that of the folder")
	a.JSONFlag(cmd, "who signed what")
	return cmd
}

// signingKey reads a private key by its reference.
func signingKey(a *app.App, ref string) (*signature.PrivateKey, error) {
	if ref == "" {
		return nil, &diagnostic.UsageError{Message: "--key says which private key signs", Hint: "--key file:release.key, or env:NAME"}
	}
	text, err := a.Secret(ref)
	if err != nil {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--key cannot be read: %v", err), Hint: "--key file:release.key, or env:NAME"}
	}
	k, err := signature.ParsePrivateKey([]byte(text))
	if err != nil {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--key: %v", err), Hint: "`openssl ecparam -name prime256v1 -genkey -noout` makes one"}
	}
	return k, nil
}

// signFolder signs a folder, and checks what it wrote as a reader would.
func signFolder(ctx context.Context, a *app.App, dir, name string, k *signature.PrivateKey) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%.200q is no folder", dir), Hint: fmt.Sprintf("`%s` writes one of a release", commandline.Of("artifacts", "get", "NAME@VERSION", "FOLDER"))}
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if name == "" {
		name = filepath.Base(whole)
	}
	f, err := release.OpenFolder(ctx, whole, "", false, &storage.Options{Log: a.Log()})
	if err != nil {
		return err
	}
	defer f.Close()
	bundle, err := f.Sign(ctx, k, name)
	if other, ok := errors.AsType[*release.SignedError](err); ok {
		return stages.Fail(stages.CodePublish, "remove its "+signature.ModelFile+" to sign it anew", "the folder %s stays as it is: %w", dir, other)
	}
	if err != nil {
		return err
	}
	path := filepath.Join(whole, signature.ModelFile)
	if bundle != nil {
		if err := atomicfile.Write(path, bundle, 0o644); err != nil {
			return err
		}
	}
	signed, err := f.CheckSignature(ctx, &signature.Trust{Keys: []*signature.PublicKey{&k.PublicKey}})
	if err != nil {
		if bundle != nil { // nothing is left that readers would refuse
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}
	if a.AsJSON {
		return json.NewEncoder(a.Stdout).Encode(signed)
	}
	showSigned(a, signed)
	return nil
}
