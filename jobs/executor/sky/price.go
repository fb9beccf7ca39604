package sky

import (
	"context"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Pricer = (*Provider)(nil)

// Price is the most that an hour may cost, since SkyPilot chooses the machine when it
// launches the job; without max_hourly_cost none is known.
func (p *Provider) Price(context.Context, executor.Resources) (executor.Price, error) {
	if p.o.MaxHourlyCost == 0 {
		return executor.Price{}, nil
	}
	return executor.Price{PerHour: money.FromFloat(p.o.MaxHourlyCost), Currency: "USD", Basis: "at most, by max_hourly_cost"}, nil
}
