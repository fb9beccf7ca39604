package app

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/listener"
	"github.com/sprint-ml/sprint/jobs/mirror/places"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage/models"
)

// Mirrored is what came of bringing a mirror of a model up to date.
type Mirrored struct {
	Model string `json:"model"`
	mirror.State
}

func (m Mirrored) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mirror %s of %s", m.Target, m.Model)
	if m.Error != "" {
		fmt.Fprintf(&b, " is behind: %s", m.LastError())
	} else {
		var names []string
		for _, alias := range slices.Sorted(maps.Keys(m.Aliases)) {
			names = append(names, fmt.Sprintf("%s is version %d", alias, m.Aliases[alias]))
		}
		b.WriteString(": " + strings.Join(names, ", "))
	}
	for _, remark := range m.Remarks {
		fmt.Fprintf(&b, "; %s", remark)
	}
	return b.String()
}

// PushMirrors brings the mirrors up to date that the stages of a plan list which chosen
// chooses. Where the config has model_keys, only what one of them signed is shown: others
// trust what stands there under our name. The error is about the store, or the keys.
func (a *App) PushMirrors(ctx context.Context, c *Compiled, chosen func(stage string) bool) ([]Mirrored, error) {
	trust, err := a.ModelTrust(c.Config)
	if err != nil {
		return nil, err
	}
	var out []Mirrored
	p := mirror.Pusher{Store: c.Store, Source: sharedStore(c.Config.Store), Log: a.Log(), Open: places.Options{Secret: a.Secret, Hub: a.Getenv("HF_ENDPOINT"), Listener: a.listeners(c)}.Open}
	if trust != nil {
		p.Check = func(ctx context.Context, r models.Release) error {
			_, err := release.CheckSignature(ctx, c.Store, r, trust)
			return err
		}
	}
	for _, node := range c.Graph.Nodes {
		o, ok := node.Options.(stages.Mirrored)
		if !ok || !chosen(node.Name) {
			continue
		}
		model, targets := o.Mirrors()
		states, err := p.Push(ctx, model, targets)
		for _, s := range states {
			out = append(out, Mirrored{model, s})
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// listeners is what commands that are told of models get of their surroundings.
func (a *App) listeners(c *Compiled) listener.Surroundings {
	s := listener.Surroundings{Dir: c.Plan.Dir(), Store: c.Config.Store, Log: a.Log()}
	if path, err := filepath.Abs(s.Store); err == nil && !strings.Contains(s.Store, "://") {
		s.Store = path
	}
	if program, err := os.Executable(); err == nil {
		s.Guard = program
	}
	return s
}

// sharedStore is the address of a store that others can read too, without its options; empty if
// it is on this machine.
func sharedStore(store string) string {
	u, err := url.Parse(store)
	if err != nil || u.Scheme != "s3" && u.Scheme != "gs" {
		return ""
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/")
}

// FollowMirrors is PushMirrors after a run, which ends as it did whatever comes of it: what
// is to be said goes to standard error.
func (a *App) FollowMirrors(ctx context.Context, c *Compiled, chosen func(stage string) bool) {
	if c.Config.Offline || ctx.Err() != nil {
		return
	}
	all, err := a.PushMirrors(ctx, c, chosen)
	for _, m := range all {
		if m.Error != "" {
			a.Log().Warn("a mirror is behind; the next run of the plan tries it again", "model", m.Model, "mirror", m.Target, "command", a.Line("models", "mirror", c.Plan.File).String(), "error", m.LastError())
		} else if !a.Quiet {
			fmt.Fprintln(a.Stderr, m)
		}
	}
	if err != nil {
		a.Log().Warn("mirrors could not be brought up to date; the next run tries again", "error", err)
	}
}
