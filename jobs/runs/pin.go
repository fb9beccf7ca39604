package runs

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

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
		body, _, err := s.Read(ctx, info.Key)
		var p Pin
		switch {
		case err == nil:
			if json.Unmarshal(body, &p) != nil {
				p.Pinned = true
			}
		case errors.Is(err, storage.ErrCorrupt):
			p.Pinned = true
		case errors.Is(err, storage.ErrNotFound):
		default:
			return nil, err
		}
		if p.Pinned {
			out[strings.TrimPrefix(info.Key, pinPrefix)] = p
		}
	}
	return out, nil
}
