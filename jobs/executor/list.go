package executor

import (
	"context"
	"regexp"
	"time"
)

// Lister is a provider that says which jobs are at its place.
type Lister interface {
	// List returns the jobs of sprint that have not ended there, of whichever run and
	// store: what has their name and, where the place keeps some, their marks. Nothing else
	// there is returned. Of a place that answers in part it returns what it knows, and an
	// error.
	List(ctx context.Context) ([]Listed, error)
}

// Listed is a job that is at a place.
type Listed struct {
	Handle Handle
	ID     string // as Job.ID
	// Run, Stage and Attempt are zero where the place does not keep them.
	Run, Stage string
	Attempt    int
	Status     Status
	// Since is when it was submitted, by the place's clock; zero if nobody says.
	Since time.Time
}

var jobID = regexp.MustCompile(`^sprint-[a-z0-9-]{1,24}-[0-9]{1,9}-[0-9a-f]{16}$`)

// IsJobID reports whether a name is one that JobID makes.
func IsJobID(name string) bool { return jobID.MatchString(name) }
