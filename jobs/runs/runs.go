// Package runs holds what a store knows of a run, to be written by the runner and
// read by everyone else: status, logs, reports, gc. It never needs the runner.
//
//	runs/<id>/plan.yaml, resolved.json   what the run was going to do
//	runs/<id>/uses, used/                what it reads (roots.go)
//	runs/<id>/attempts/<stage>/<n>.json  each try of a stage (attempt.go)
//	runs/<id>/events/, logs/             what happened (journal.go, log.go)
//	runs/<id>/workers/, ends/            what workers elsewhere say (job.go)
//	runs/<id>/left/                      for how long their money pays (cost.go)
//	jobs/<kind>/<key>                    which of them does the work of a key (job.go)
//	runs/<id>/cancel                     the request to end (status.go)
//	runs/<id>/result.json                how it ended (record.go)
//	leases/runs/<id>                     who works on it (status.go)
//	pins/runs/<id>                       that a gc keeps it (roots.go)
//
// Beside these: runs.go names and lists runs, state.go has the words of events and
// results, follow.go prints logs while a run goes on.
package runs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// idTime is how the id of a run begins.
const idTime = "20060102-150405"

// NewID names a run: sortable by time, unique.
func NewID(now time.Time) string {
	var r [4]byte
	_, _ = rand.Read(r[:]) // never fails since Go 1.24
	// Three digits of the second's fraction keep the order of runs that follow
	// each other at once, five tell those of the same moment apart.
	return now.UTC().Format(idTime) + fmt.Sprintf("-%03x%s", now.Nanosecond()/(1_000_000_000/4096+1), hex.EncodeToString(r[:])[:5])
}

// Time is the time at which a run was named; zero if the name tells none.
func Time(run string) time.Time {
	t, _ := time.Parse(idTime, run[:min(len(run), len(idTime))])
	return t
}

// Key is the key of an object of a run in its store.
func Key(run, name string) string { return "runs/" + run + "/" + name }

// List lists the ids of the newest runs, newest first, at most limit.
func List(ctx context.Context, s *storage.Store, limit int) ([]string, error) {
	var ids []string
	for id, err := range s.Folders(ctx, "runs/") {
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids[:min(limit, len(ids))], nil
}

// LeaseName is the name of the lease that a run holds while it works.
func LeaseName(run string) string { return "runs/" + run }

// ValidID reports whether a text may be the id of a run. It keeps what a user
// types from naming another object.
func ValidID(run string) bool {
	return run != "" && !strings.Contains(run, "/") && storage.ValidKey(run)
}
