package model

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// forgetting is how long forget waits for whoever works on a mirror: longer than a lease
// stands whose holder was killed.
const forgetting = 90 * time.Second

// forgotten is the JSON of a mirror that was forgotten.
type forgotten struct {
	Model     string `json:"model"`
	Target    string `json:"target"`
	Forgotten bool   `json:"forgotten"`
}

// forget makes a store know nothing of mirrors of a model. All of them are looked up before
// the first is forgotten.
func forget(ctx context.Context, a *app.App, store *storage.Store, name string, urls []string) error {
	if !models.ValidName(name) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%.80q is no model", name), Hint: "with --forget the argument is the model's name, as `sprint models` lists it"}
	}
	known, err := mirror.States(ctx, store, name)
	if err != nil {
		return err
	}
	var targets []string
	for _, url := range urls {
		target := url
		if u, err := (stages.Mirror{To: url}).Address(); err == nil {
			target = u.String()
		}
		if !slices.ContainsFunc(known, func(s mirror.State) bool { return s.Target == target }) {
			return &diagnostic.UsageError{Message: fmt.Sprintf("the store knows no mirror %.200q of %s", redact.Address(target), name), Hint: knownMirrors(ctx, store, name, known)}
		}
		targets = append(targets, target)
	}
	p := mirror.Pusher{Store: store, Log: a.Log()}
	for _, target := range targets {
		waiting, stop := context.WithTimeout(ctx, forgetting)
		err := p.Forget(waiting, name, target)
		stop()
		if err != nil {
			return err
		}
		if a.AsJSON {
			err = json.NewEncoder(a.Stdout).Encode(forgotten{name, target, true})
		} else {
			_, err = fmt.Fprintf(a.Stdout, "mirror %s of %s is forgotten: what it shows stays there\n", target, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// knownMirrors says which mirrors a model has, for whoever named another.
func knownMirrors(ctx context.Context, store *storage.Store, name string, known []mirror.State) string {
	var targets []string
	for _, s := range known {
		targets = append(targets, s.Target)
	}
	if len(targets) == 0 {
		return "it knows none; " + release.Known(ctx, models.In(store), name)
	}
	return "it knows " + strings.Join(targets, ", ")
}

// lagging is a mirror of a model that does not show what the store has.
type lagging struct {
	model string
	catalog.Mirror
}

// showBehind says which mirrors do not show what the store has, since when, and how that is
// mended.
func showBehind(a *app.App, list []catalog.Model) {
	listed := false
	for _, m := range laggards(list) {
		fmt.Fprintf(a.Stdout, "mirror %s of %s is behind", m.Target, m.model)
		if m.Since != nil {
			fmt.Fprintf(a.Stdout, " since %s", m.Since.Local().Format(time.DateTime))
		}
		fmt.Fprintf(a.Stdout, ": %s", strings.Join(m.Behind, ", "))
		if last := (mirror.State{Tries: m.Tries, Error: m.Error}).LastError(); last != "" && m.Tried != nil {
			fmt.Fprintf(a.Stdout, "; the last try on %s: %s", m.Tried.Local().Format(time.DateTime), last)
		}
		if m.Dropped == nil {
			listed = true
		} else {
			fmt.Fprintf(a.Stdout, "; the plan %s lists it no more since %s: `%s` takes it off this list", m.Plan, m.Dropped.Local().Format(time.DateTime), commandline.Of("models", "mirror", m.model).Flag("forget", m.Target))
		}
		fmt.Fprintln(a.Stdout)
	}
	if listed {
		fmt.Fprintln(a.Stdout, "the next run of the plan that lists a mirror brings it up to date, or `sprint models mirror PLAN`; --forget takes off one that no plan lists")
	}
}

// laggards are the mirrors that are behind, each once for all versions of its model.
func laggards(list []catalog.Model) []lagging {
	var out []lagging
	for _, m := range list {
		for _, there := range m.Mirrors {
			if len(there.Behind) == 0 {
				continue
			}
			at := slices.IndexFunc(out, func(l lagging) bool { return l.model == m.Name && l.Target == there.Target })
			if at < 0 {
				there.Behind = slices.Clone(there.Behind)
				out = append(out, lagging{m.Name, there})
				continue
			}
			out[at].Behind = append(out[at].Behind, there.Behind...)
			if since := there.Since; since != nil && (out[at].Since == nil || since.Before(*out[at].Since)) {
				out[at].Since = since
			}
		}
	}
	return out
}
