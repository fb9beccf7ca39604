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
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// MirrorTry is what came of bringing a mirror of a model up to date.
type MirrorTry struct {
	Model string `json:"model"`
	mirror.State
}

func (m MirrorTry) String() string {
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
func (a *App) PushMirrors(ctx context.Context, c *Compiled, chosen func(stage string) bool) ([]MirrorTry, error) {
	listed := mirrored(c, chosen)
	var trust *signature.Trust
	if slices.ContainsFunc(listed, func(o stages.Mirrored) bool { _, targets := o.Mirrors(); return len(targets) > 0 }) {
		var err error
		if trust, err = a.ModelTrust(c.Config); err != nil {
			return nil, err
		}
	}
	var out []MirrorTry
	p := mirror.Pusher{Store: c.Store, Plan: c.Plan.Name, Source: sharedStore(c.Config.Store), Log: a.Log(), Open: places.Options{Secret: a.Secret, Hub: a.Getenv("HF_ENDPOINT"), Listener: a.listeners(c)}.Open}
	if trust != nil {
		p.Check = func(ctx context.Context, r models.Release) error {
			_, err := release.CheckSignature(ctx, c.Store, r, trust)
			return err
		}
	}
	for _, o := range listed {
		model, targets := o.Mirrors()
		states, err := p.Push(ctx, model, targets)
		for _, s := range states {
			out = append(out, MirrorTry{model, s})
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// mirrored are the options of the chosen stages whose models mirrors may show.
func mirrored(c *Compiled, chosen func(stage string) bool) []stages.Mirrored {
	var out []stages.Mirrored
	for _, node := range c.Graph.Nodes {
		if o, ok := node.Options.(stages.Mirrored); ok && chosen(node.Name) {
			out = append(out, o)
		}
	}
	return out
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
// is to be said goes to standard error. It returns what came of every mirror that the chosen
// stages list.
func (a *App) FollowMirrors(ctx context.Context, c *Compiled, chosen func(stage string) bool) []runs.MirrorResult {
	if c.Config.Offline || ctx.Err() != nil {
		return mirrorResults(mirrored(c, chosen), nil, runs.MirrorSkipped, "")
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
		if ctx.Err() == nil {
			return mirrorResults(mirrored(c, chosen), all, runs.MirrorBehind, err.Error())
		}
	}
	return mirrorResults(mirrored(c, chosen), all, runs.MirrorSkipped, "")
}

// mirrorResults are what a run's result says of the mirrors that stages list: what came of
// those that were asked, and rest, with its reason, of the others.
func mirrorResults(listed []stages.Mirrored, asked []MirrorTry, rest runs.MirrorState, why string) []runs.MirrorResult {
	var out []runs.MirrorResult
	for _, o := range listed {
		model, targets := o.Mirrors()
		for _, target := range targets {
			r := runs.MirrorResult{Model: model, Target: target.To, State: rest, Error: why, Aliases: map[string]int{}}
			if u, err := target.Address(); err == nil {
				r.Target = u.String()
			}
			at := slices.IndexFunc(asked, func(m MirrorTry) bool { return m.Model == model && m.Target == r.Target })
			if at >= 0 {
				r.State, r.Error = runs.MirrorCurrent, asked[at].Error
				r.Aliases, r.Tries, r.Remarks = asked[at].Aliases, asked[at].Tries, asked[at].Remarks
			}
			if at >= 0 && r.Error != "" {
				r.State = runs.MirrorBehind
			}
			out = append(out, r)
		}
	}
	return out
}
