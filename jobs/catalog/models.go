package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"golang.org/x/sync/errgroup"
)

// Model is what a list says of a published model.
type Model struct {
	Name      string     `json:"name"`
	Version   int        `json:"version"`
	Aliases   []string   `json:"aliases"`
	Published *time.Time `json:"published"` // null if the publisher did not say
	Run       string     `json:"run,omitempty"`
	Bytes     int64      `json:"bytes"`
	Digest    string     `json:"digest"` // of the release's tree
	Figures
	// Mirrors are the registries of other makers that show the model, as far as the store
	// knows.
	Mirrors []Mirror `json:"mirrors,omitempty"`
}

// Figures are what verify measured of a model.
type Figures struct {
	// On is what the figures were measured on, gold or test; empty if the release's
	// metrics.json cannot be read.
	On      string             `json:"on,omitempty"`
	Rows    int                `json:"rows,omitempty"`
	MacroF1 *float64           `json:"macro_f1"`
	CI      *document.Interval `json:"ci,omitempty"` // 95 %, of MacroF1
	Gain    *document.Estimate `json:"gain,omitempty"`
}

// Mirror is what is known of a release at a registry of another maker.
type Mirror struct {
	Target string `json:"target"`
	There  bool   `json:"there"` // this version was pushed there
	// Behind says which aliases of this version do not name it there.
	Behind []string `json:"behind"`
	Tries  int      `json:"tries,omitempty"` // that failed since the last that did not
	Error  string   `json:"error,omitempty"` // of the last one
	// Tried is when the last one was, null if nobody tried; Since when the first of those
	// aliases moved here that are behind there.
	Tried *time.Time `json:"tried"`
	Since *time.Time `json:"since,omitempty"`
	// Plan is the name of the plan that listed the mirror last, Dropped when a run of it first
	// did so no more, null if it does.
	Plan    string     `json:"plan,omitempty"`
	Dropped *time.Time `json:"dropped,omitempty"`
}

// Models lists the published models of a store by name and version; name empty means
// all of them. An alias that cannot be read is one that nobody has.
func Models(ctx context.Context, store *storage.Store, name string) ([]Model, error) {
	registry := models.In(store)
	names := []string{name}
	if name == "" {
		var err error
		if names, err = registry.Names(ctx); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	var out []Model
	var all []models.Release
	for _, name := range names {
		releases, err := registry.Releases(ctx, name)
		if err != nil {
			return nil, err
		}
		aliases, err := registry.Aliases(ctx, name)
		if err != nil && !storage.MissingOrDamaged(err) {
			return nil, err
		}
		states, err := mirror.States(ctx, store, name)
		if err != nil {
			return nil, err
		}
		moved, err := moves(ctx, registry, name, aliases, states)
		if err != nil {
			return nil, err
		}
		for _, r := range releases {
			all, out = append(all, r), append(out, describe(r, aliases[r.Version], states, moved))
		}
	}
	return out, measure(ctx, store, all, out)
}

func describe(r models.Release, aliases []string, mirrors []mirror.State, moved map[string]time.Time) Model {
	m := Model{Name: r.Name, Version: r.Version, Aliases: slices.Sorted(slices.Values(aliases)), Digest: r.Digest}
	for _, f := range r.Files {
		m.Bytes += f.Size
	}
	facts := r.Facts()
	m.Run, m.Published = facts.Run, date(facts.Date)
	for _, s := range mirrors {
		there := Mirror{
			Target: s.Target, There: s.Versions[r.Version] == r.Digest, Behind: []string{}, Tries: s.Tries, Error: s.Error,
			Tried: date(s.Tried), Plan: s.Plan, Dropped: date(s.Dropped),
		}
		for _, lag := range s.Behind(map[int][]string{r.Version: aliases}) {
			there.Behind = append(there.Behind, lag.String())
			if at := date(moved[lag.Alias]); at != nil && (there.Since == nil || at.Before(*there.Since)) {
				there.Since = at
			}
		}
		m.Mirrors = append(m.Mirrors, there)
	}
	return m
}

// date is nil of the zero time.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// moves says when the aliases of a model moved that are behind at a mirror.
func moves(ctx context.Context, registry models.Registry, name string, aliases map[int][]string, mirrors []mirror.State) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	for _, s := range mirrors {
		for _, lag := range s.Behind(aliases) {
			if _, known := out[lag.Alias]; known {
				continue
			}
			move, err := registry.LastMove(ctx, name, lag.Alias)
			if err != nil {
				return nil, err
			}
			out[lag.Alias] = move.Moved
		}
	}
	return out, nil
}

// measure fills in the figures of releases, from the metrics.json of each. A release
// whose metrics cannot be read has none.
func measure(ctx context.Context, store *storage.Store, releases []models.Release, list []Model) error {
	var group errgroup.Group
	group.SetLimit(16)
	for i, r := range releases {
		at := slices.IndexFunc(r.Files, func(e storage.TreeEntry) bool { return e.Path == "metrics.json" })
		if at < 0 {
			continue
		}
		file := runs.OutputResult{Digest: r.Files[at].Digest, Size: r.Files[at].Size}
		group.Go(func() error {
			metrics, ok := document.Read[document.Metrics](ctx, store, runs.StageResult{Outputs: map[string]runs.OutputResult{"metrics": file}}, "metrics")
			if !ok {
				return ctx.Err()
			}
			list[i].Figures = FiguresOf(metrics)
			return nil
		})
	}
	return group.Wait()
}

// FiguresOf are the figures among what verify measured.
func FiguresOf(metrics document.Metrics) (m Figures) {
	scores, on := metrics.Measured()
	m.On, m.Rows = on, scores.Rows
	if len(scores.Unsupported) < len(scores.PerCategory) {
		m.MacroF1, m.CI = &scores.MacroF1, scores.CI.MacroF1
	}
	if d := metrics.MeasuredDetails(); d != nil && m.MacroF1 != nil {
		if gain, there := d.Gains["keywords"]; there {
			m.Gain = &gain.MacroF1
		}
	}
	return m
}
