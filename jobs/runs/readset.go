package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/storage"
)

// ReadSet lists the outputs that a run found done and may read: nobody may
// delete them while the run is live.
type ReadSet struct {
	Plan    string   `json:"plan"`
	Command string   `json:"command,omitempty"`
	Digests []string `json:"digests"`
}

// Add adds the outputs of a manifest.
func (r *ReadSet) Add(m *storage.Manifest) {
	for _, a := range m.Outputs {
		r.Digests = append(r.Digests, a.Digest)
	}
}

// SaveReadSet stores what a run reads when it begins, once.
func SaveReadSet(ctx context.Context, s *storage.Store, run string, r ReadSet) error {
	err := createJSON(ctx, s, readSetKey(run), r)
	if errors.Is(err, storage.ErrExists) { // nobody else has this run's id
		return &storage.Error{Op: "create", Key: readSetKey(run), Class: storage.ErrCorrupt, Err: errors.New("it was written by half")}
	}
	return err
}

// AddReadSet stores what a run found done later: one generation of a stage.
// Storing the same twice is no error.
func AddReadSet(ctx context.Context, s *storage.Store, run, stage string, generation int, r ReadSet) error {
	err := createJSON(ctx, s, Key(run, fmt.Sprintf("used/%s/%d", stage, generation)), r)
	if errors.Is(err, storage.ErrExists) {
		return nil
	}
	return err
}

func readSetKey(run string) string { return Key(run, "uses") }

// LoadReadSet lists the digests of the outputs that a run found done. The error
// is storage.ErrNotFound if it began no work, or does not exist.
func LoadReadSet(ctx context.Context, s *storage.Store, run string) ([]string, error) {
	digests, err := loadDigests(ctx, s, readSetKey(run))
	if err != nil {
		return nil, err
	}
	for info, err := range s.List(ctx, Key(run, "used/")) {
		if err != nil {
			return nil, err
		}
		more, err := loadDigests(ctx, s, info.Key)
		if err != nil {
			return nil, err
		}
		digests = append(digests, more...)
	}
	return digests, nil
}

func loadDigests(ctx context.Context, s *storage.Store, key string) ([]string, error) {
	body, _, err := s.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	var r ReadSet
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, &storage.Error{Op: "read what a run uses", Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return r.Digests, nil
}
