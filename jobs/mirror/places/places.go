// Package places makes the registry that a plan names as a mirror.
package places

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow"
	"github.com/sprint-ml/sprint/jobs/mirror/oci"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
	"github.com/sprint-ml/sprint/stages"
)

// Options of Open.
type Options struct {
	// Secret resolves a reference, env:NAME or file:PATH.
	Secret func(ref string) (string, error)
	// Transport carries requests; nil is the default one.
	Transport http.RoundTripper
}

// Open makes the registry of a target, and resolves its secret. It asks nothing.
func (o Options) Open(m stages.Mirror) (mirror.Registry, error) {
	u, ok := m.Address()
	if !ok {
		return nil, fmt.Errorf("%.120q is no registry that can be a mirror", m.To)
	}
	secret := ""
	if m.Secret != "" {
		var err error
		if secret, err = o.Secret(m.Secret); err != nil {
			return nil, fmt.Errorf("its secret %s cannot be read: %w", m.Secret, err)
		}
	}
	var r mirror.Registry
	var err error
	switch u.Scheme {
	case "oci":
		r, err = oci.New(u.Host+u.Path, oci.Options{User: m.User, Secret: secret, Plain: m.Plain, Transport: o.Transport})
	case "mlflow":
		r = mlflow.New(rest.New(web(u, m.Plain), rest.Options{User: m.User, Secret: secret, Transport: o.Transport}))
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
