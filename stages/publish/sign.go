package publish

import (
	"bytes"
	"context"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Sign are the options of a signature.
type Sign struct {
	Key    string `yaml:"key" default:"" secret:"true" key:"-" doc:"reference to the private key, env:NAME or file:PATH: a PEM of ECDSA P-256, P-384 or P-521 without a password; without one nothing is signed"`
	Public string `yaml:"public" path:"true" key:"-" doc:"file of the public key: a private key of another pair is refused before anything runs, and a new pair publishes anew"`
}

// resolve keys that a release is signed, and by which pair where that is said. The bytes
// of the signature are a function of that pair and of the other files.
func (o *Sign) resolve(ctx context.Context, lookup stages.Lookup, out stages.External) error {
	if o.Key == "" {
		return nil
	}
	out["signed"] = true
	if o.Public == "" {
		return nil
	}
	if _, err := lookup.File(ctx, o.Public); err != nil {
		return err
	}
	k, err := release.PublicKey(o.Public)
	if err != nil {
		return stages.Fail(stages.CodePlan, "`openssl ec -in FILE -pubout` writes it", "sign.public %s: %w", o.Public, err)
	}
	out["signer"] = k.ID
	return nil
}

// signingKey is the key that signs; nil if none does.
func (s *stage) signingKey() (*signature.PrivateKey, error) {
	if s.o.Sign.Key == "" {
		return nil, nil
	}
	refuse := func(err error) error {
		return stages.Fail(stages.CodeEnvironment, "let sign.key refer to the private key, or remove sign", "the release cannot be signed by %s: %w", s.o.Sign.Key, err)
	}
	text, err := s.env.Secret(s.o.Sign.Key)
	if err != nil {
		return nil, refuse(err)
	}
	k, err := signature.ParsePrivateKey([]byte(text))
	if err != nil {
		return nil, refuse(err)
	}
	if want, _ := s.env.External["signer"].(string); want != "" && k.ID != want {
		return nil, stages.Fail(stages.CodeEnvironment, "name the public key of the same pair", "the release cannot be signed by %s: it is of another pair than sign.public, %s, not %s", s.o.Sign.Key, k.ID, want)
	}
	return k, nil
}

// sign writes the signature of all other files of a release, where that is asked for.
func (s *stage) sign(ctx context.Context, f *folder) (err error) {
	if f.key, err = s.signingKey(); err != nil || f.key == nil {
		return err
	}
	files := map[string]string{}
	for _, e := range f.entries {
		files[e.Path] = e.Digest
	}
	bundle, root, err := signature.SignModel(ctx, f.key, s.o.Name, files)
	if err != nil {
		return err
	}
	f.root = root
	return f.add(signature.ModelFile, bytes.NewReader(bundle))
}
