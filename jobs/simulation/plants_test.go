package simulation

import (
	"context"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/history"
)

// plant is a mistake that the processes of the first user make. It is made where
// they meet the store, beside the shipped code.
type plant string

const (
	// commitBeforeUpload goes on while blobs are still on their way, and so commits
	// what names them.
	commitBeforeUpload plant = "commit-before-upload"
	// leaseNotChecked takes the leases of work without looking who holds them.
	leaseNotChecked plant = "lease-not-checked"
	// leaseWithoutCompare takes a lease that it found free, whoever was faster.
	leaseWithoutCompare plant = "lease-without-compare"
	// aliasWithoutCompare moves an alias that it has read, whoever moved it since.
	aliasWithoutCompare plant = "alias-without-compare"
	// absenceRemembered takes a blob that a gc has deleted for missing ever after,
	// whoever has made it again since.
	absenceRemembered plant = "absence-remembered"
)

// plants have what the violation says that finds them; empty if it may be any.
var plants = map[plant]string{
	commitBeforeUpload: "", leaseNotChecked: "", leaseWithoutCompare: "", aliasWithoutCompare: "",
	absenceRemembered: onceMoreForOne,
}

// work is the prefix of the leases of stages that are not the last.
const work = "leases/node/"

// infect gives a process a mistake.
func (p *process) infect(m plant) {
	p.plant = m
	switch m {
	case leaseNotChecked:
		p.history.Plant(history.WithoutLooking, work)
	case leaseWithoutCompare:
		p.history.Plant(history.WithoutCompare, work)
	case aliasWithoutCompare:
		p.history.Plant(history.WithoutCompare, "models/")
	}
}

// careless is storage.Options.Around of a process with its mistake.
func (p *process) careless(ctx context.Context, op, key string, call func() error) error {
	blob := strings.HasPrefix(key, "blobs/")
	switch {
	case p.plant == commitBeforeUpload && op == "put" && blob:
		p.w.begin()
		go func() {
			defer p.w.end()
			_ = p.around(context.WithoutCancel(ctx), op, key, call) // nobody waits for it
		}()
		return nil
	case p.plant == absenceRemembered && op == "stat" && blob && p.w.wasDeleted(key):
		return &storage.Error{Op: op, Key: key, Class: storage.ErrNotFound}
	}
	return p.around(ctx, op, key, call)
}

// wasDeleted reports whether a gc has ever deleted a blob.
func (w *world) wasDeleted(blobKey string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.deleted[digestOf(blobKey)].IsZero()
}
