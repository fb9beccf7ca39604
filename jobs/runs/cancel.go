package runs

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sprint-ml/sprint/storage"
)

// Cancellation is the record that asks a run to end.
type Cancellation struct {
	By     storage.Holder `json:"by"`
	Reason string         `json:"reason,omitempty"`
}

// CancelledError is the cause of a context that a cancellation ended.
type CancelledError struct{ Cancellation }

func (e *CancelledError) Error() string {
	text := "cancelled by " + e.By.String()
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// LoadCancellation reads who asked a run to end; ErrNotFound if nobody did.
func LoadCancellation(ctx context.Context, s *storage.Store, run string) (Cancellation, error) {
	var c Cancellation
	body, _, err := s.Read(ctx, Key(run, "cancel"))
	if err == nil {
		if err = json.Unmarshal(body, &c); err != nil {
			err = &storage.Error{Op: "read cancellation", Key: Key(run, "cancel"), Class: storage.ErrCorrupt, Err: err}
		}
	}
	return c, err
}

// Cancel asks a run to checkpoint and end, wherever it is. Asking twice is the
// same as asking once: earlier is the request that was there before, nil if none.
func Cancel(ctx context.Context, s *storage.Store, run, reason string) (earlier *Cancellation, err error) {
	err = createJSON(ctx, s, Key(run, "cancel"), Cancellation{By: storage.Self(), Reason: reason})
	if !errors.Is(err, storage.ErrExists) {
		return nil, err
	}
	c, err := LoadCancellation(ctx, s, run)
	if errors.Is(err, storage.ErrCorrupt) { // it ends the run all the same
		err = nil
	}
	return &c, err
}
