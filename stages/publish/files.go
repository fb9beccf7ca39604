package publish

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// maxKey is how many bytes of a file that should hold a private key are looked at.
const maxKey = 64 << 10

// CheckFiles looks at the public key of a plan, which whoever reads the plan has, and warns
// of secrets that are not here, or of no use: whoever reads a plan need not have them, and
// whoever runs it must.
func (o *Options) CheckFiles(context.Context, stages.Source) []stages.FileProblem {
	out := o.Sign.check()
	for i, m := range o.Mirror {
		warn := func(option, ref string) {
			if _, err := secretHere(ref); err != nil {
				out = append(out, stages.FileProblem{Option: fmt.Sprintf("mirror.%d.%s", i, option), Message: "the secret of the mirror is not here: " + err.Error(), Hint: "the mirror stays behind without it", Warning: true})
			}
		}
		if m.Secret != "" {
			warn("secret", m.Secret)
		}
		for _, name := range slices.Sorted(maps.Keys(m.Secrets)) {
			warn("secrets."+name, m.Secrets[name])
		}
	}
	return out
}

// check tells of keys that are not here, are none, or are not of one pair.
func (o *Sign) check() (out []stages.FileProblem) {
	if o.Key == "" {
		return nil
	}
	out = release.CheckPublicKey("sign.public", o.Public)
	warn := func(message, hint string) []stages.FileProblem {
		return append(out, stages.FileProblem{Option: "sign.key", Message: message, Hint: hint, Warning: true})
	}
	text, err := secretHere(o.Key)
	if err != nil {
		return warn("the key that signs releases is not here: "+err.Error(), "a run ends before it begins without it")
	}
	key, err := signature.ParsePrivateKey([]byte(text))
	if err != nil {
		return warn("the key that signs releases cannot: "+err.Error(), "a run ends before it begins with it; `openssl ecparam -name prime256v1 -genkey -noout` writes a private key")
	}
	if public, err := release.PublicKey(o.Public); o.Public != "" && err == nil && public.ID != key.ID {
		return warn("the key that signs releases is of another pair than sign.public", "a run ends before it begins; name the public key of the same pair")
	}
	return out
}

// secretHere reads what a reference refers to on this machine.
func secretHere(ref string) (string, error) {
	where, name, _ := strings.Cut(ref, ":")
	if where == "env" {
		if text := os.Getenv(name); text != "" {
			return text, nil
		}
		return "", fmt.Errorf("the environment variable %s is empty", name)
	}
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("there is no file %s, as seen from the working directory", name)
	}
	text, err := plainfile.Read(name, maxKey)
	return string(text), err
}
