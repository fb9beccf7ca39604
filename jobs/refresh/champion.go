package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// champion is the release in use, or where there is none the one before the challenger, and
// what the run that published it says of it.
type champion struct {
	release   models.Release
	published time.Time // zero if nobody said
	run       *runs.Record
	// trained are the rows of its window, all sides of the split; held are those that it did
	// not train on. Both are nil where the store has them no more.
	trained, held []rows.Row
}

// Version is a release as a result shows it.
type Version struct {
	Ref       string     `json:"ref"`
	Run       string     `json:"run,omitempty"`       // that published it
	Published *time.Time `json:"published,omitempty"` // null if the publisher did not say
}

// runOf is the run that published a release; empty if nobody said.
func runOf(x models.Release) string {
	if id := x.Facts().Run; runs.ValidID(id) {
		return id
	}
	return ""
}

func shown(x models.Release) *Version {
	v := &Version{Ref: fmt.Sprintf("%s@%d", x.Name, x.Version), Run: runOf(x)}
	if date := x.Facts().Date; !date.IsZero() {
		v.Published = &date
	}
	return v
}

// championVersion is the version of the model's champion; 0 if it never had one. One that
// cannot be read, or is gone, is an error: the release before the challenger may be another.
func (r *refresh) championVersion(ctx context.Context) (int, error) {
	registry := models.In(r.Store)
	at, err := registry.Alias(ctx, r.model, models.Champion)
	if !storage.MissingOrDamaged(err) {
		return at.Version, err
	}
	lost := err
	if errors.Is(err, storage.ErrNotFound) {
		had, err := r.hadChampion(ctx)
		if err != nil || !had {
			return 0, err
		}
	}
	return 0, r.unread("which release is the champion", lost)
}

// unread is the failure of a refresh that cannot read what a challenger is compared with.
func (r *refresh) unread(what string, err error) error {
	return stages.Fail(stages.CodeIntegrity, fmt.Sprintf("`%s` says which it was, and `%s` makes it so again", commandline.Of("models", "history", r.model), commandline.Of("promote", r.model+"@VERSION")),
		"%s of %s cannot be read, so that none can be compared with it: %w", what, r.model, err)
}

// hadChampion says that the store remembers a champion whose alias is gone: by its past
// moves, one of which is written with the first, or by a challenger that was refused for it.
func (r *refresh) hadChampion(ctx context.Context) (bool, error) {
	for _, alias := range []string{models.Champion, Refused} {
		past, err := models.In(r.Store).History(ctx, r.model, alias, 1)
		if len(past) > 0 || storage.DamagedOrUntrusted(err) {
			return true, nil
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// champion finds the champion of the model; nil if it has none.
func (r *refresh) champion(ctx context.Context) (*champion, error) {
	registry := models.In(r.Store)
	version, err := r.championVersion(ctx)
	if err != nil || version == 0 {
		return nil, err
	}
	used, err := registry.ReleaseAt(ctx, r.model, version)
	if storage.MissingOrDamaged(err) {
		return nil, r.unread("the champion", err)
	}
	if err != nil {
		return nil, err
	}
	r.out.Champion = shown(used)
	c, err := r.from(ctx, used)
	if err != nil || c.run == nil {
		return c, err
	}
	for _, side := range []string{"train", "val", "test"} {
		part, err := r.output(ctx, c.run, "split", side)
		if err != nil {
			return nil, err
		}
		if c.trained = append(c.trained, part...); side != "train" {
			c.held = append(c.held, part...)
		}
	}
	if err := r.leaveOutJoined(ctx, c); err != nil {
		return nil, err
	}
	if len(c.trained) == 0 {
		r.note("the rows that %s was trained on are not in the store any more: drift cannot be measured", r.out.Champion.Ref)
	}
	return c, nil
}

// from is a release with the run that published it, if that is known.
func (r *refresh) from(ctx context.Context, used models.Release) (c *champion, err error) {
	c = &champion{release: used, published: used.Facts().Date}
	c.run, err = r.recordOf(ctx, used)
	return c, err
}

// predecessor is what a challenger of a model without a champion is compared with: the newest
// release before it, which is what a bare name answered with. nil if there is none: the
// first release of a model has nothing to be worse than.
func (r *refresh) predecessor(ctx context.Context, challenger models.Release) (*champion, error) {
	all, err := models.In(r.Store).Releases(ctx, r.model)
	if err != nil {
		return nil, err
	}
	for _, x := range slices.Backward(all) {
		if x.Version >= challenger.Version {
			continue
		}
		r.out.Predecessor = shown(x)
		r.note("%s has no alias %s: the challenger is compared with %s, the release before it", r.model, models.Champion, r.out.Predecessor.Ref)
		return r.from(ctx, x)
	}
	return nil, nil
}

// leaveOutJoined leaves out of the champion's rows those that corrections brought from
// earlier windows: reviewers chose them, so beside a window they would look like drift.
func (r *refresh) leaveOutJoined(ctx context.Context, c *champion) error {
	fetched := map[string]bool{}
	for _, st := range c.run.Stages {
		out, ok := st.Outputs["articles"]
		if !ok || st.Kind != "fetch" {
			continue
		}
		part, _, err := labels.Rows(ctx, r.Store, storage.Artifact{Name: "articles", Digest: out.Digest, Size: out.Size})
		if storage.MissingOrDamaged(err) {
			return nil // which rows were fetched is not known
		}
		if err != nil {
			return err
		}
		for _, x := range part {
			fetched[rows.Identity(x)] = true
		}
	}
	if len(fetched) == 0 {
		return nil
	}
	joined := func(x rows.Row) bool { return !fetched[rows.Identity(x)] }
	c.trained, c.held = slices.DeleteFunc(c.trained, joined), slices.DeleteFunc(c.held, joined)
	return nil
}

// recordOf is the record of the run that published a release; nil if it is gone.
func (r *refresh) recordOf(ctx context.Context, x models.Release) (*runs.Record, error) {
	id := runOf(x)
	if id == "" {
		r.note("nobody knows which run published %s@%d: what it was trained on is not known", x.Name, x.Version)
		return nil, nil
	}
	record, err := runs.LoadRecord(ctx, r.Store, id)
	if storage.MissingOrDamaged(err) {
		r.note("the record of run %s, which published %s@%d, is gone: what it was trained on is not known", id, x.Name, x.Version)
		return nil, nil
	}
	return &record, err
}

// output reads rows that a stage of a kind made in a run; nil if they are gone.
func (r *refresh) output(ctx context.Context, of *runs.Record, kind, name string) ([]rows.Row, error) {
	a, ok := artifactOf(of.Stages, kind, name)
	if !ok {
		return nil, nil
	}
	out, _, err := labels.Rows(ctx, r.Store, a)
	if storage.MissingOrDamaged(err) {
		return nil, nil
	}
	return out, err
}

// artifactOf finds what the last stage of a kind made under a name.
func artifactOf(all []runs.StageResult, kind, name string) (storage.Artifact, bool) {
	for _, st := range slices.Backward(all) {
		if out, ok := st.Outputs[name]; ok && st.Kind == kind {
			return storage.Artifact{Name: name, Digest: out.Digest, Size: out.Size}, true
		}
	}
	return storage.Artifact{}, false
}

// goldOf is the digest of the gold set on which a run verified; empty if nobody knows.
func (r *refresh) goldOf(ctx context.Context, of *runs.Record) string {
	for _, st := range slices.Backward(of.Stages) {
		if st.Kind != "verify" || st.Key == "" {
			continue
		}
		m, err := r.Store.Manifest(ctx, st.Kind, st.Key)
		if err != nil {
			return ""
		}
		var p key.Preimage
		if json.Unmarshal(m.Preimage, &p) != nil {
			return ""
		}
		gold, _ := p.External["gold"].(string)
		return gold
	}
	return ""
}
