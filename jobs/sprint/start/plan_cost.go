package start

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// foreseenCost is what plan says of the cost of a stage.
type foreseenCost struct {
	// Total is absent if nobody knows how long the stage takes.
	Total    money.Amount `json:"total,omitempty"`
	Currency string       `json:"currency"`
	PerHour  money.Amount `json:"price_per_hour"`
	Executor string       `json:"executor"`
	// Basis is what the estimate is made of, for people.
	Basis string `json:"basis"`
}

// priceTime is how long places are asked for their prices.
const priceTime = 10 * time.Second

// foreseeCosts finds what the stages that would run cost, where a price is known. Nothing
// is begun anywhere, and a place that cannot be asked has no price.
func foreseeCosts(ctx context.Context, a *app.App, c *app.Compiled, e *evaluate.Evaluation, took map[string]estimate.Stage, seconds map[string]float64) map[string]*foreseenCost {
	if len(c.Config.Executors) == 0 || c.Config.Offline {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, priceTime)
	defer cancel()
	elsewhere, err := places.New(places.Options{Config: c.Config, Store: c.Store, Environ: a.Env, Log: a.Log()}, c.Graph)
	if err != nil {
		level := slog.LevelDebug // a run says it, which needs the place
		if mistake := (*diagnostic.UsageError)(nil); errors.As(err, &mistake) {
			level = slog.LevelWarn
		}
		a.Log().Log(ctx, level, "what stages cost is not known", "error", err)
		return nil
	}
	defer func() {
		if err := elsewhere.Close(); err != nil {
			a.Log().Debug("a connection did not end", "error", err)
		}
	}()
	out := map[string]*foreseenCost{}
	for _, name := range e.Work() {
		node, _ := c.Graph.Node(name)
		price, err := executor.PriceOf(ctx, elsewhere, &runs.Attempt{Stage: name, Device: node.Device})
		if err != nil {
			a.Log().Debug("a price is not known", "stage", name, "error", err)
		}
		if err != nil || price.PerHour <= 0 {
			continue
		}
		known := time.Duration(seconds[name] * float64(time.Second))
		cost := &foreseenCost{Total: money.Of(price.PerHour, known), Currency: price.Currency, PerHour: price.PerHour, Executor: elsewhere.Where()[name]}
		at := fmt.Sprintf("%s an hour on %s (price: %s)", money.Price{Amount: price.PerHour, Currency: price.Currency}, cost.Executor, price.Basis)
		if cost.Basis = at + "; how long it takes is not known"; known > 0 {
			cost.Basis = fmt.Sprintf("%s, by %s, at %s", estimate.About(known), took[name].Basis(), at)
		}
		out[name] = cost
	}
	return out
}

// costInAll is the sum of what is known; ok is false if that of a stage is not, or if they
// are in several currencies.
func costInAll(costs map[string]*foreseenCost) (sum money.Price, ok bool) {
	for _, c := range costs {
		if c.Total == 0 || cmp.Or(sum.Currency, c.Currency) != c.Currency {
			return sum, false
		}
		sum.Amount, sum.Currency = sum.Amount.Plus(c.Total), c.Currency
	}
	return sum, len(costs) > 0
}

// showCosts says what stages cost, and why.
func showCosts(a *app.App, c *app.Compiled, costs map[string]*foreseenCost) {
	if len(costs) == 0 {
		return
	}
	fmt.Fprintln(a.Stdout)
	for _, name := range c.Graph.Names() {
		cost := costs[name]
		if cost == nil {
			continue
		}
		about := ""
		if cost.Total > 0 {
			about = fmt.Sprintf("about %s: ", money.Price{Amount: cost.Total, Currency: cost.Currency})
		}
		fmt.Fprintf(a.Stdout, "%s costs %s%s\n", name, about, cost.Basis)
	}
	if sum, ok := costInAll(costs); ok && len(costs) > 1 {
		fmt.Fprintf(a.Stdout, "about %s in all\n", sum)
	}
	if c.Config.MaxCost.Amount > 0 {
		fmt.Fprintf(a.Stdout, "max_cost is %s\n", c.Config.MaxCost)
	}
}
