package jobs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// spending is what a run pays: for machines by the hour, and for answers of models. The
// zero value is ready.
type spending struct {
	currency string
	most     money.Amount // 0 is no limit

	mu       sync.Mutex
	spent    money.Amount
	priced   bool                    // something of the run has a price
	reserved map[string]money.Amount // for the tries that go on, by stage
	coming   map[string]money.Amount // for the stages that have not begun
	calls    map[string]money.Amount // of the tries that go on
	early    map[string]string       // what stages said that ended early
}

// priceTime is how long a place may take to say its price.
const priceTime = time.Minute

// unknownShare is the part of max_cost that is kept for a stage of which nobody knows how
// long it will take: one in so many.
const unknownShare = 10

// reckon finds out what the run's stages will cost before any of them runs. It refuses a
// run whose max_cost is too little for what its stages are known to take.
func (r *run) reckon(ctx context.Context, e *evaluate.Evaluation, seconds func() map[string]float64) error {
	s := &r.spending
	s.reserved, s.coming, s.calls, s.early = map[string]money.Amount{}, map[string]money.Amount{}, map[string]money.Amount{}, map[string]string{}
	s.most, s.currency = r.MaxCost.Amount, r.MaxCost.Currency
	named := "max_cost"
	needed, pays := money.Amount(0), false
	for _, node := range r.g.Nodes {
		d := e.Decisions[node.Name]
		if !r.selected[node.Name] || d.State.Final() {
			continue
		}
		pays = pays || paysAnswers(node)
		price, err := r.priceOf(ctx, node, d, false)
		switch {
		case err != nil && s.most > 0:
			return fmt.Errorf("the price of stage %s: %w", node.Name, err)
		case err != nil:
			r.Log.Debug("a price is not known", "stage", node.Name, "error", err)
		}
		if err != nil || price.PerHour <= 0 {
			continue
		}
		if s.currency != "" && s.currency != price.Currency {
			return &diagnostic.UsageError{Message: fmt.Sprintf("stage %s is paid in %s, %s is in %s: they cannot be added", node.Name, price.Currency, named, s.currency), Hint: "write max_cost and all price_per_hour in one currency"}
		}
		if s.currency == "" {
			s.currency, named = price.Currency, "stage "+node.Name
		}
		s.priced = true
		if s.most == 0 {
			continue
		}
		known := time.Duration(seconds()[node.Name] * float64(time.Second))
		switch {
		case known > 0:
			s.coming[node.Name] = money.Of(price.PerHour, known)
			if !endsEarly(node) {
				needed = needed.Plus(s.coming[node.Name])
			}
		case node.Stage.Timeout > 0:
			s.coming[node.Name] = money.Of(price.PerHour, node.Stage.Timeout)
		default:
			s.coming[node.Name] = s.most / unknownShare
		}
		s.coming[node.Name] = min(s.coming[node.Name], s.most/2)
	}
	if s.currency == "" {
		s.currency = money.DefaultCurrency
	}
	if s.most > 0 && !s.priced && !pays {
		r.Log.Warn("max_cost ends nothing in this run: no price is known of what it does; set price_per_hour of its executors")
	}
	if needed > s.most && s.most > 0 {
		return stages.Fail(stages.CodeDeadline, "raise max_cost; `sprint plan` shows what each stage costs", "nothing was begun: %w: its stages cost about %s, and max_cost is %s", stages.ErrMoney, s.price(needed), s.price(s.most))
	}
	return nil
}

// endsEarly reports whether a node's stage ends with what it has when its money is up.
func endsEarly(node *graph.Node) bool {
	return node.Kind.EndsEarly != nil && node.Kind.EndsEarly(node.Options)
}

func paysAnswers(node *graph.Node) bool {
	return node.Kind.Pays != nil && node.Kind.Pays(node.Options)
}

// priceOf is the price of a node's next try, as far as it is known before it. onDemand is
// that of the attempt: a machine that stays is dearer.
func (r *run) priceOf(ctx context.Context, node *graph.Node, d *evaluate.Decision, onDemand bool) (executor.Price, error) {
	a, err := r.newAttempt(node, d, nil, 0)
	if err != nil {
		return executor.Price{}, err
	}
	a.OnDemand = onDemand
	ctx, cancel := context.WithTimeout(ctx, priceTime)
	defer cancel()
	return executor.PriceOf(ctx, r.Executor, a)
}

func (s *spending) price(a money.Amount) money.Price {
	return money.Price{Amount: a, Currency: s.currency}
}

// reserve takes what a try may cost from what is left, less what the stages after it and
// beside it need, and returns what the try may spend.
func (r *run) reserve(node *graph.Node, price executor.Price) (g grant, err error) {
	s := &r.spending
	s.mu.Lock()
	defer s.mu.Unlock()
	pays := paysAnswers(node)
	if s.most == 0 || price.PerHour <= 0 && !pays {
		return g, nil
	}
	free := s.most - s.spent
	for _, held := range s.reserved {
		free -= held
	}
	r.mu.Lock()
	for name, need := range s.coming {
		_, begun := s.reserved[name]
		if state := r.results[name].State; name != node.Name && !begun && (!state.Final() || state == runs.Lost) {
			free -= need
		}
	}
	r.mu.Unlock()
	whole := money.Amount(math.MaxInt64)
	if node.Stage.Timeout > 0 {
		whole = money.Of(price.PerHour, node.Stage.Timeout+price.Grace)
	}
	answers := money.Amount(0)
	switch {
	case pays && price.PerHour > 0:
		answers = free / 2
	case pays:
		answers, whole = free, 0
	}
	granted := min(free-answers, whole)
	limit := granted.Time(price.PerHour) - price.Grace
	hourly := ""
	if price.PerHour > 0 {
		hourly = fmt.Sprintf(" at %s an hour", s.price(price.PerHour))
	}
	if free <= 0 || price.PerHour > 0 && limit <= 0 {
		return g, stages.Fail(stages.CodeDeadline, "raise max_cost; the same command continues", "%w: %s of %s are spent, and what is left does not pay for stage %s%s", stages.ErrMoney, s.price(s.spent), s.price(s.most), node.Name, hourly)
	}
	s.reserved[node.Name] = granted + answers
	if price.PerHour > 0 {
		g.spend = limit
	}
	g.mayPay = answers
	return g, nil
}

// grant is what a try may spend: time of a machine, and money for answers; 0 is no limit.
type grant struct {
	spend    time.Duration
	mayPay   money.Amount
	onDemand bool // a machine that stays, though the stage may be interrupted
}

// paidAttempt makes one attempt for which there is money, and counts what it cost.
func (r *run) paidAttempt(ctx context.Context, node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact, next *int, lease *storage.Lease, onDemand bool) executor.Outcome {
	price, err := r.priceOf(ctx, node, d, onDemand)
	if err != nil && r.spending.most > 0 {
		return r.asInterrupted(ctx, executor.FromError(err))
	}
	granted, err := r.reserve(node, price)
	if err != nil {
		return executor.Outcome{State: runs.Interrupted, Err: err}
	}
	granted.onDemand = onDemand
	o := r.attempt(ctx, node, d, inputs, next, lease, granted)
	if errors.Is(o.Err, stages.ErrMoney) {
		o.State, o.Cause = runs.Interrupted, ""
	}
	r.settle(node, *next-1, price, &o)
	return o
}

// settle counts what a try cost in the place of what was reserved for it.
func (r *run) settle(node *graph.Node, number int, price executor.Price, o *executor.Outcome) {
	s := &r.spending
	s.mu.Lock()
	paid := runs.AttemptCost{
		Attempt: number, State: o.State, Seconds: math.Round(o.Held.Seconds()*1000) / 1000, PerHour: price.PerHour, Basis: price.Basis, Calls: s.calls[node.Name],
	}
	paid.Total = money.Of(price.PerHour, o.Held).Plus(paid.Calls)
	s.spent = s.spent.Plus(paid.Total)
	s.priced = s.priced || price.PerHour > 0 || paid.Calls > 0
	delete(s.reserved, node.Name)
	delete(s.calls, node.Name)
	if why := s.early[node.Name]; why != "" && o.State == runs.Succeeded {
		o.Reason = why
	}
	s.mu.Unlock()
	if price.PerHour <= 0 && paid.Calls == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	res, before := r.results[node.Name], runs.StageCost{Currency: s.currency}
	if res.Cost != nil {
		before = *res.Cost
	}
	res.Cost = before.With(paid)
}

// noted takes what a try notes of money.
func (s *spending) noted(stage, name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case stages.NoteSpent:
		if spent, ok := value.(float64); ok {
			s.calls[stage] = money.FromFloat(spent)
		}
	case stages.NoteEndedEarly:
		if why, ok := value.(string); ok {
			s.early[stage] = why
		}
	}
}

// cost is what the run cost; nil if nothing of it had a price. The lock of the run is held.
func (r *run) cost() *runs.Cost {
	s := &r.spending
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.priced && s.most == 0 {
		return nil
	}
	var results []runs.StageResult
	for _, name := range r.g.Names() {
		results = append(results, *r.results[name])
	}
	out := runs.CostOf(results)
	if out == nil {
		out = &runs.Cost{Currency: s.currency}
	}
	out.Most = s.most
	for _, name := range r.g.Names() {
		if _, ok := s.early[name]; ok || errors.Is(r.errs[name], stages.ErrMoney) {
			out.Ended = append(out.Ended, name)
		}
	}
	return out
}
