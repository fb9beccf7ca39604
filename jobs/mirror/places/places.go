// Package places makes the registry that a plan names as a mirror.
package places

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/hf"
	"github.com/sprint-ml/sprint/jobs/mirror/listener"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow"
	"github.com/sprint-ml/sprint/jobs/mirror/oci"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
	"github.com/sprint-ml/sprint/stages"
)

// Options of Open.
type Options struct {
	// Secret resolves a reference, env:NAME or file:PATH.
	Secret func(ref string) (string, error)
	// Hub is the address of the Hugging Face hub; empty is that of its makers.
	Hub string
	// Transport carries requests; nil is the default one.
	Transport http.RoundTripper
	// Listener is what a command gets of its surroundings.
	Listener listener.Surroundings
}

// Open makes the registry of a target, and resolves its secret. It asks nothing.
func (o Options) Open(m stages.Mirror) (mirror.Registry, error) {
	u, err := m.Address()
	if err != nil {
		return nil, err
	}
	secret := ""
	if m.Secret != "" {
		if secret, err = o.Secret(m.Secret); err != nil {
			return nil, fmt.Errorf("its secret %s cannot be read: %w", m.Secret, err)
		}
	}
	var r mirror.Registry
	switch u.Scheme {
	case "oci":
		r, err = oci.New(u.Host+u.Path, oci.Options{User: m.User, Secret: secret, Plain: m.Plain, Transport: o.Transport})
	case "mlflow":
		r = mlflow.New(rest.New(web(u, m.Plain), rest.Options{User: m.User, Secret: secret, Transport: o.Transport}))
	case "command":
		r = listener.New(listener.Options{Argv: m.Command, Env: m.Env, Secrets: m.Secrets, Resolve: o.Secret, Surroundings: o.Listener})
	case "hf":
		base := strings.TrimSuffix(cmp.Or(o.Hub, "https://huggingface.co"), "/")
		r = hf.New(rest.New(base, rest.Options{Secret: secret, Transport: o.Transport}), base, u.Host, strings.TrimPrefix(u.Path, "/"))
	default:
		err = fmt.Errorf("no registry is of kind %s", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	return mirror.Hiding(r, secret)
}

// web is the address of a target's server.
func web(u *url.URL, plain bool) string {
	if plain {
		return "http://" + u.Host + u.Path
	}
	return "https://" + u.Host + u.Path
}
