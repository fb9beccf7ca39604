package label

import (
	"context"
	"maps"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/chat"
	"github.com/sprint-ml/sprint/stages/question"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// preparer is a source that does better to see all rows at once, before it votes on them
// part by part.
type preparer interface {
	prepare(ctx context.Context, set []*rows.Row) error
}

// prepareAll shows the rows to the sources that want to see them.
func prepareAll(ctx context.Context, sources []source, set []*rows.Row) error {
	for _, s := range sources {
		if p, ok := s.(preparer); ok {
			if err := p.prepare(ctx, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// lackingError is that of a row on which batches brought no answer.
type lackingError struct{ why string }

func (e *lackingError) Error() string {
	if e.why == "" {
		return "no answer was bought: max_calls is reached"
	}
	return e.why
}

// prepare buys by batch what cast will read: an answer for each row, then one more for
// those whose answer is no label.
func (h *httpSource) prepare(ctx context.Context, set []*rows.Row) error {
	o := &h.s.o.HTTP
	if !o.Batch {
		return nil
	}
	h.lacking = map[string]string{}
	left := o.MaxCalls - h.count.Answers
	for try := range 2 {
		set = set[:min(left, len(set))]
		left -= len(set)
		var missing []chat.Question
		if _, err := h.judge(ctx, set, try, func(q chat.Question) { missing = append(missing, q) }); err != nil {
			return err
		}
		lacking, err := h.chat.Buy(ctx, missing, &batchBudget{h})
		h.spent.note(h, false)
		if err != nil {
			return err
		}
		if maps.Copy(h.lacking, lacking); try > 0 {
			return nil
		}
		if set, err = h.judge(ctx, set, try, func(chat.Question) {}); err != nil {
			return err
		}
	}
	return nil
}

// judge returns the rows whose kept answer is no label, and tells of those without one.
func (h *httpSource) judge(ctx context.Context, set []*rows.Row, try int, missing func(chat.Question)) (bad []*rows.Row, err error) {
	type verdict struct {
		question  chat.Question
		none, bad bool
	}
	verdicts := make([]verdict, len(set))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(h.s.o.HTTP.Concurrency)
	for i, row := range set {
		group.Go(func() (err error) {
			v := &verdicts[i]
			if v.question, err = h.question(row, try); err != nil {
				return err
			}
			a, _, err := chat.Kept(reading, h.s.env.Store, v.question.Key)
			if storage.MissingOrDamaged(err) {
				v.none = true
				return nil
			}
			_, wrong := question.Labels(a.Content, h.t)
			v.bad = wrong != nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, v := range verdicts {
		switch {
		case v.none:
			missing(v.question)
		case v.bad:
			bad = append(bad, set[i])
		}
	}
	return bad, nil
}

// batchBudget bounds what batches cost by what the attempt may pay.
type batchBudget struct{ h *httpSource }

// Took counts an answer.
func (b *batchBudget) Took(a chat.Answer) { b.h.spent.took(b.h.priceOf(a)) }

// What an answer is taken to cost before the first one has come.
const (
	bytesPerToken = 3 // of a question: texts of most languages have more
	longAnswer    = 1000
)

// Covers counts the questions that what is left pays for, if each costs as much as the
// dearest so far, or what its length and max_tokens allow.
func (b *batchBudget) Covers(questions []chat.Question) (int, error) {
	o, s, most := &b.h.s.o.HTTP, &b.h.spent, b.h.s.env.MayPay
	s.mu.Lock()
	defer s.mu.Unlock()
	if most <= 0 {
		return len(questions), nil
	}
	out := int64(o.MaxTokens)
	if out == 0 {
		out = longAnswer
	}
	sum := s.paid
	for n, q := range questions {
		each := s.dearest
		if each == 0 {
			each = price(o, int64(len(q.Body)/bytesPerToken), out) * o.BatchPrice
		}
		if sum += each; sum <= most {
			continue
		}
		if n == 0 {
			return 0, stages.Fail(stages.CodeDeadline, "raise max_cost; answers are kept, and the same command continues", "%w: %.4g of the %.4g that labels may cost are paid, and one more answer may cost %.4g", stages.ErrMoney, s.paid, most, each)
		}
		b.h.s.env.Log.Warn("what labels may cost does not cover all rows: the first ones are asked about", "rows", n, "of", len(questions))
		return n, nil
	}
	return len(questions), nil
}
