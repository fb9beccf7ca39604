// Package rekey signs the records of a store with the store's key: those of before
// it had one, and those that the key before it signed.
package rekey

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/record"
	"golang.org/x/sync/errgroup"
)

// Rekeyer signs the records of a store that are not signed with its signing key.
// It may be ended and begun again at any time.
type Rekeyer struct {
	// Store has the keys: what one that is accepted signed is signed anew.
	Store *storage.Store
	// Unsigned signs what has no signature too, whoever wrote it.
	Unsigned bool
	// Write does it; else it is only counted.
	Write bool
	// TTL is that of the leases of runs; 0 means runs.LeaseTTL.
	TTL time.Duration
	// Watching is told once of a lease that is watched for a ttl, because only
	// that tells whether its holder lives; nil is not told.
	Watching func(storage.LeaseState)
}

// Report counts the records of a store by what its keys made of them.
type Report struct {
	Key      string `json:"key"`      // ID of the one that signs
	Written  bool   `json:"written"`  // what is to be signed was
	Current  int    `json:"current"`  // signed with that key before
	Accepted int    `json:"accepted"` // signed with another key of the store
	Unsigned int    `json:"unsigned"`
	Damaged  int    `json:"damaged"`
	// Refused are the keys in the store of records that no key vouches for and that
	// are not signed: they stay as they are.
	Refused []string `json:"refused"`
}

// parallel is how many records are looked at at once: a store far away answers
// each slowly.
const parallel = 32

// Run looks at all records of the store and, with Write, signs them. The error is a
// *storage.HeldError while a run goes on that signs with another key, or with none:
// what it wrote meanwhile nobody would believe.
func (r Rekeyer) Run(ctx context.Context) (*Report, error) {
	report := &Report{Key: r.Store.Keys().ID(), Written: r.Write, Refused: []string{}}
	if r.Write {
		if err := r.awaitOthers(ctx); err != nil {
			return nil, err
		}
		if err := r.Store.BeginSigning(ctx); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	group, walking := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for info, err := range r.Store.List(walking, "") {
		if err != nil {
			return nil, errors.Join(group.Wait(), err)
		}
		believed, document := sortOf(info.Key)
		if !believed {
			continue
		}
		group.Go(func() error {
			standing, err := r.sign(walking, info.Key, document)
			mu.Lock()
			defer mu.Unlock()
			return report.add(info.Key, standing, r.signs(standing), err)
		})
	}
	return report, group.Wait()
}

// sortOf says whether an object is a record or a document, by its key. All else
// decides nothing, or is named by its digest.
func sortOf(key string) (believed, document bool) {
	parts := strings.Split(key, "/")
	switch parts[0] {
	case "manifests", "checkpoints", "leases", "tombstones", "pins", "answers", "embeddings":
		return true, false
	case "models":
		return len(parts) > 3 && (parts[2] == "history" || parts[3] != "files"), false
	case "runs":
		if len(parts) < 3 {
			return false, false
		}
		switch parts[2] {
		case "result.json", "resolved.json":
			return true, true
		case "uses", "used", "cancel", "attempts":
			return true, false
		}
	}
	return false, false
}

// signs reports whether an object of that standing is signed.
func (r Rekeyer) signs(s record.Standing) bool {
	return s == record.Accepted || s == record.Unsigned && r.Unsigned
}

// sign signs one object if it is to be. What changes meanwhile is looked at again.
func (r Rekeyer) sign(ctx context.Context, key string, document bool) (standing record.Standing, err error) {
	for range 20 {
		standing, err = r.Store.Standing(ctx, key, document, func(s record.Standing) bool { return r.Write && r.signs(s) })
		if !errors.Is(err, storage.ErrStale) {
			return standing, err
		}
	}
	return standing, err
}

// add counts an object.
func (p *Report) add(key string, standing record.Standing, signed bool, err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound): // a gc took it meanwhile
		return nil
	case errors.Is(err, storage.ErrCorrupt):
		p.Damaged++
		return nil
	case err != nil:
		return err
	}
	switch standing {
	case record.Current:
		p.Current++
	case record.Accepted:
		p.Accepted++
	case record.Unsigned:
		p.Unsigned++
	}
	if standing == record.Foreign || standing == record.Unsigned && !signed {
		p.Refused = append(p.Refused, key)
	}
	return nil
}

// awaitOthers returns when nobody holds a lease who signs otherwise. A holder that
// renews none for a ttl is dead.
func (r Rekeyer) awaitOthers(ctx context.Context) error {
	ttl := cmp.Or(r.TTL, runs.LeaseTTL)
	before, err := r.others(ctx)
	if err != nil {
		return err
	}
	for _, l := range before {
		if r.Watching != nil {
			r.Watching(l)
		}
	}
	for end := time.Now().Add(ttl); len(before) > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(ttl / 40):
		}
		now, err := r.others(ctx)
		if err != nil {
			return err
		}
		for name, l := range now {
			if before[name].Version != l.Version {
				held := &storage.HeldError{Key: "leases/" + name, Holder: l.Holder, Epoch: l.Epoch, Version: l.Version}
				return stages.Fail(stages.CodeLease, "wait until it ends, or end it with `sprint cancel`; runs that sign with the new key and accept the old one may go on", "%w, which does not sign with key %s", held, r.Store.Keys().ID())
			}
		}
		before = now
	}
	return nil
}

// others are the leases that are held by who does not sign with the store's key.
func (r Rekeyer) others(ctx context.Context) (map[string]storage.LeaseState, error) {
	out := map[string]storage.LeaseState{}
	for l, err := range r.Store.WithKeys(nil).Leases(ctx, "") {
		if err != nil {
			return nil, err
		}
		if l.Free(storage.Self()) {
			continue
		}
		standing, err := r.Store.Standing(ctx, "leases/"+l.Name, false, func(record.Standing) bool { return false })
		switch {
		case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
		case err != nil:
			return nil, err
		case standing != record.Current:
			out[l.Name] = l
		}
	}
	return out, nil
}
