// Package places makes the registry that a plan names as a mirror.
package places

import (
	"fmt"
	"net/http"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/oci"
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
	default:
		err = fmt.Errorf("no registry is of kind %s", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	return mirror.Hiding(r, secret)
}
