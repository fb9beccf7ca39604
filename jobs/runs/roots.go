package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

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
	const op = "read what a run uses"
	first, err := loadJSON[ReadSet](ctx, s, op, readSetKey(run))
	if err != nil {
		return nil, err
	}
	digests := first.Digests
	for info, err := range s.List(ctx, Key(run, "used/")) {
		if err != nil {
			return nil, err
		}
		more, err := loadJSON[ReadSet](ctx, s, op, info.Key)
		if err != nil {
			return nil, err
		}
		digests = append(digests, more.Digests...)
	}
	return digests, nil
}

// Pin says that a gc keeps all that a run reached.
type Pin struct {
	By     storage.Holder `json:"by"`
	At     time.Time      `json:"at"`
	Pinned bool           `json:"pinned"` // false: taken back; nothing here needs a delete
	Note   string         `json:"note,omitempty"`
}

const pinPrefix = "pins/runs/"

// SetPin pins a run or takes its pin back.
func SetPin(ctx context.Context, s *storage.Store, run string, pinned bool, note string) error {
	body, err := json.Marshal(Pin{By: storage.Self(), At: time.Now().UTC(), Pinned: pinned, Note: note})
	if err != nil {
		return err
	}
	for range 20 {
		_, version, err := s.Read(ctx, pinPrefix+run)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !(errors.Is(err, storage.ErrCorrupt) && version != "") {
			return err
		}
		if _, err = s.Swap(ctx, pinPrefix+run, version, body); !errors.Is(err, storage.ErrStale) {
			return err
		}
	}
	return &storage.Error{Op: "pin", Key: pinPrefix + run, Class: storage.ErrTransient}
}

// LoadPins returns the pinned runs. A record that cannot be read counts as a pin:
// to keep too much does no harm.
func LoadPins(ctx context.Context, s *storage.Store) (map[string]Pin, error) {
	out := map[string]Pin{}
	for info, err := range s.List(ctx, pinPrefix) {
		if err != nil {
			return nil, err
		}
		p, err := loadJSON[Pin](ctx, s, "read pin", info.Key)
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			p.Pinned = true
		case err != nil && !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
		if p.Pinned {
			out[strings.TrimPrefix(info.Key, pinPrefix)] = p
		}
	}
	return out, nil
}
