package executor

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Price is what an hour of a machine costs, all of it that a job is given.
type Price struct {
	PerHour  money.Amount
	Currency string
	// Basis says where the price is from, for people: "config", "a10g-small of the hub".
	Basis string
	// Grace is how long a job that is asked to end may still go on, which is paid too.
	Grace time.Duration
}

// Pricer is a provider that knows its prices. A config that names one is asked first.
type Pricer interface {
	// Price is that of a machine for a job which demands this. One of no PerHour is
	// not known, which is no error.
	Price(ctx context.Context, r Resources) (Price, error)
}

// Priced is an executor that says what an hour of an attempt costs.
type Priced interface {
	PriceOf(ctx context.Context, a *runs.Attempt) (Price, error)
}

// PriceOf is the price of an attempt; that of one which costs nothing is the zero value.
func PriceOf(ctx context.Context, e Executor, a *runs.Attempt) (Price, error) {
	if p, ok := e.(Priced); ok {
		return p.PriceOf(ctx, a)
	}
	return Price{}, nil
}
