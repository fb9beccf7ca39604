package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/storage"
)

// Cost is what a run cost.
type Cost struct {
	Currency string       `json:"currency"`
	Total    money.Amount `json:"total"`
	// Calls are the part of the total that was paid for answers of models.
	Calls money.Amount `json:"calls,omitempty"`
	// Most is the max_cost of the run; 0 is none.
	Most money.Amount `json:"max_cost,omitempty"`
	// Ended names the stages that the end of the money ended early, in the plan's order.
	Ended []string `json:"ended,omitempty"`
}

// String says it in a line for people.
func (c *Cost) String() string {
	text := fmt.Sprintf("cost %s", money.Price{Amount: c.Total, Currency: c.Currency})
	if c.Calls > 0 {
		text += fmt.Sprintf(", of which %s for answers of models", c.Calls.Show())
	}
	if c.Most > 0 {
		text += fmt.Sprintf("; max_cost is %s", c.Most.Show())
	}
	if len(c.Ended) > 0 {
		text += ", which ended early: " + strings.Join(c.Ended, ", ")
	}
	return text
}

// CostOf is the sum of what stages cost; nil if nothing of them had a price.
func CostOf(stages []StageResult) *Cost {
	var out *Cost
	for _, st := range stages {
		if st.Cost == nil {
			continue
		}
		if out == nil {
			out = &Cost{Currency: st.Cost.Currency}
		}
		out.Total, out.Calls = out.Total.Plus(st.Cost.Total), out.Calls.Plus(st.Cost.Calls)
	}
	return out
}

// StageCost is what a stage cost, every try of it. All stages of a run have one currency.
type StageCost struct {
	Currency string        `json:"currency"`
	Total    money.Amount  `json:"total"`
	Calls    money.Amount  `json:"calls,omitempty"`
	Tries    []AttemptCost `json:"tries"`
}

// AttemptCost is what one try cost.
type AttemptCost struct {
	Attempt int `json:"attempt"`
	// State is how the try ended.
	State State `json:"state"`
	// Seconds are those from when a machine was given until it was taken back, by the
	// runner's clock, as often as the place did so; waiting in a queue is not among them.
	Seconds float64      `json:"seconds"`
	PerHour money.Amount `json:"price_per_hour"`
	Basis   string       `json:"basis,omitempty"` // of the price
	Calls   money.Amount `json:"calls,omitempty"`
	Total   money.Amount `json:"total"`
}

// With is the cost with one more try. The tries of c are left as they are.
func (c StageCost) With(a AttemptCost) *StageCost {
	c.Tries = append(c.Tries[:len(c.Tries):len(c.Tries)], a)
	c.Calls, c.Total = c.Calls.Plus(a.Calls), c.Total.Plus(a.Total)
	return &c
}

func leftKey(run, stage string, attempt int) string {
	return fmt.Sprintf("runs/%s/left/%s/%d.json", run, stage, attempt)
}

// SaveLeft tells the worker of an attempt for how long its money still pays, from now. It
// replaces what was told before.
func SaveLeft(ctx context.Context, s *storage.Store, run, stage string, attempt int, left time.Duration) error {
	return swapJSON(ctx, s, leftKey(run, stage, attempt), struct {
		Left time.Duration `json:"left_ns"`
	}{left})
}

// LoadLeft reads what was told last, and its version; storage.ErrNotFound if nothing was.
func LoadLeft(ctx context.Context, s *storage.Store, run, stage string, attempt int) (left time.Duration, version string, err error) {
	key := leftKey(run, stage, attempt)
	body, version, err := s.Read(ctx, key)
	if err != nil {
		return 0, "", err
	}
	var said struct {
		Left time.Duration `json:"left_ns"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Left < 0 {
		return 0, "", &storage.Error{Op: "read what is left", Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return said.Left, version, nil
}
