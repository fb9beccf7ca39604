package app

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// KeyFlag adds --key to a command: the config's model_keys.
func (a *App) KeyFlag(cmd *cobra.Command, doc string) {
	cmd.Flags().StringArrayVar(&a.Flags.ModelKeys, "key", nil, doc)
	Overrides(cmd.Flags(), "key")
}

// ModelTrust reads the keys whose models are trusted; nil if the config names none, and
// then every model is.
func (a *App) ModelTrust(c *config.Config) (*signature.Trust, error) {
	if len(c.ModelKeys) == 0 {
		if len(c.ModelKeysRevoked) > 0 {
			return nil, &diagnostic.UsageError{Message: "model_keys_revoked is set and model_keys is not", Hint: "model_keys names the public keys that are trusted"}
		}
		return nil, nil
	}
	return readTrust(c)
}

// readTrust reads the keys that a config names, and the IDs of those that are revoked: a
// plan has keys of its own, which may be. It is nil if the config names neither.
func readTrust(c *config.Config) (*signature.Trust, error) {
	if len(c.ModelKeys)+len(c.ModelKeysRevoked) == 0 {
		return nil, nil
	}
	t := &signature.Trust{Revoked: c.ModelKeysRevoked}
	for _, path := range c.ModelKeys {
		k, err := release.PublicKey(path)
		if err != nil {
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("the public key %s cannot be read: %v", path, err), Hint: "--key or model_keys names its file; `openssl ec -in PRIVATE -pubout` writes one"}
		}
		t.Keys = append(t.Keys, k)
	}
	for _, id := range t.Revoked {
		if !signature.ValidID(id) {
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("model_keys_revoked: %.80q is no ID of a key", id), Hint: "64 hex digits, as `sprint models verify` tells them"}
		}
	}
	return t, nil
}
