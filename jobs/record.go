package jobs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// NewRunID names a run: sortable by time, unique.
func NewRunID(now time.Time) string {
	var r [4]byte
	_, _ = rand.Read(r[:]) // never fails since Go 1.24
	// Three digits of the second's fraction keep the order of runs that follow
	// each other at once, five tell those of the same moment apart.
	return now.UTC().Format("20060102-150405") + fmt.Sprintf("-%03x%s", now.Nanosecond()/(1_000_000_000/4096+1), hex.EncodeToString(r[:])[:5])
}

// RunTime is the time at which a run was named; zero if the name tells none.
func RunTime(run string) time.Time {
	stamp, _, _ := strings.Cut(run[max(0, strings.IndexByte(run, '-'))+1:], "-")
	day, _, _ := strings.Cut(run, "-")
	t, err := time.Parse("20060102-150405", day+"-"+stamp)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Record is the stored end of a run.
type Record struct {
	Plan     string    `json:"plan"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Version  string    `json:"version,omitempty"`
	Command  string    `json:"command,omitempty"`
	Args     []string  `json:"args,omitempty"` // of the command, without the program
	Result
}

func runKey(run, name string) string { return "runs/" + run + "/" + name }

// saveRecord stores a run's end where outside programs may read it.
func saveRecord(ctx context.Context, s *storage.Store, r Record) error {
	key := runKey(*r.Run, "result.json")
	b, err := sealed(key, r)
	if err != nil {
		return err
	}
	return s.WriteFile(ctx, key, b)
}

// LoadRecord reads the end of a run. ErrNotFound means that the run has none
// (yet), or does not exist.
func LoadRecord(ctx context.Context, s *storage.Store, run string) (Record, error) {
	var r Record
	key := runKey(run, "result.json")
	b, err := s.ReadFile(ctx, key, 16<<20)
	if err != nil {
		return r, err
	}
	return r, unseal(key, b, &r)
}

// loadHead reads of a run's end what comes before its stages, which may be many.
// Records whose stages come first are read to their end.
func loadHead(ctx context.Context, s *storage.Store, run string) (Record, error) {
	f, err := s.OpenFile(ctx, runKey(run, "result.json"))
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	if r, err := decodeHead(f); err == nil {
		return r, nil
	}
	return LoadRecord(ctx, s, run) // it says what is wrong, and tries again
}

func decodeHead(f io.Reader) (r Record, err error) {
	fields := map[string]any{
		"plan": &r.Plan, "started": &r.Started, "finished": &r.Finished, "version": &r.Version, "command": &r.Command, "args": &r.Args,
		"run": &r.Run, "code": &r.Code, "class": &r.Class, "retryable": &r.Retryable, "error": &r.Error, "hint": &r.Hint, "continue": &r.Continue,
	}
	d := json.NewDecoder(f)
	if _, err := d.Token(); err != nil {
		return r, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return r, err
		}
		if name == "stages" && !r.Finished.IsZero() {
			return r, nil
		}
		into := fields[fmt.Sprint(name)]
		if into == nil {
			into = new(json.RawMessage)
		}
		if err := d.Decode(into); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Runs lists the ids of the newest runs, newest first, at most limit.
func Runs(ctx context.Context, s *storage.Store, limit int) ([]string, error) {
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

// RunPlan returns the plan that a run saved.
func RunPlan(ctx context.Context, s *storage.Store, run string) ([]byte, error) {
	return s.ReadFile(ctx, runKey(run, "plan.yaml"), 1<<20)
}
