package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
)

// place is one text of a request.
type place struct {
	r *request
	i int
}

func (p place) tokens() int { return p.r.tokens[p.i] }

// work asks the model until the queue is closed and empty. A text that comes while the
// worker is idle goes at once; those that come while it works are the next batch.
func (q *Queue) work() {
	defer close(q.done)
	for {
		batch := q.take()
		if batch == nil {
			return
		}
		began := time.Now()
		for _, p := range batch {
			p.r.waited = max(p.r.waited, began.Sub(p.r.came))
		}
		q.answer(batch)
		took := time.Since(began)
		q.pace(took, len(batch))
		if q.o.Answered != nil {
			tokens := 0
			for _, p := range batch {
				tokens += p.tokens()
			}
			q.o.Answered(Batch{Texts: len(batch), Tokens: tokens, Took: took})
		}
	}
}

// pace learns how long a text takes: of the last ten batches or so.
func (q *Queue) pace(took time.Duration, texts int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := took.Seconds() / float64(texts)
	if q.perText == 0 {
		q.perText = now
	}
	q.perText += (now - q.perText) / 10
}

// take waits for texts and returns those of the next batch, sorted by length; nil if the
// queue is closed and none is left.
func (q *Queue) take() []place {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.requests) == 0 {
		if q.closed {
			return nil
		}
		q.changed.Wait()
	}
	batch := q.fill()
	slices.SortStableFunc(batch, func(a, b place) int { return a.tokens() - b.tokens() })
	return batch
}

// fill takes one text of each request in turn, in the order in which they came, so that a
// small request does not wait for all of a large one. It ends at the first text for which
// there is no room: a long one is not passed over again and again.
func (q *Queue) fill() []place {
	var batch []place
	room := q.o.MaxTokens
	for taken := true; taken; {
		taken = false
		for _, r := range q.requests {
			if r.next == len(r.texts) {
				continue
			}
			if n := r.tokens[r.next]; len(batch) > 0 && (n > room || len(batch) == q.o.MaxTexts) {
				return q.keep(batch)
			}
			room -= r.tokens[r.next]
			batch = append(batch, place{r, r.next})
			r.next++
			q.waiting--
			taken = true
		}
	}
	return q.keep(batch)
}

// keep leaves the requests in the queue that have texts left.
func (q *Queue) keep(batch []place) []place {
	q.requests = slices.DeleteFunc(q.requests, func(r *request) bool { return r.next == len(r.texts) })
	return batch
}

// answer asks the model. If it fails, the requests of the batch are asked one by one: what
// is wrong with one is not told to the others.
func (q *Queue) answer(batch []place) {
	err := q.predict(batch)
	if err == nil {
		q.settle(batch, nil)
		return
	}
	var parts [][]place
	at := map[*request]int{}
	for _, p := range batch {
		i, ok := at[p.r]
		if !ok {
			i = len(parts)
			at[p.r], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], p)
	}
	for _, part := range parts {
		if len(parts) > 1 {
			err = q.predict(part)
		}
		q.settle(part, err)
	}
}

// predict puts the model's predictions into their places.
func (q *Queue) predict(batch []place) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the model panicked: %v", p)
		}
	}()
	texts := make([]classify.Text, len(batch))
	for i, p := range batch {
		texts[i] = p.r.texts[p.i]
	}
	out, err := q.model.Predict(context.Background(), texts)
	if err == nil && len(out) != len(texts) {
		err = fmt.Errorf("the model gave %d predictions for %d texts", len(out), len(texts))
	}
	if err != nil {
		return err
	}
	for i, p := range batch {
		p.r.out[p.i] = out[i]
	}
	return nil
}

// settle ends the requests that have all their predictions, or failed.
func (q *Queue) settle(batch []place, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range batch {
		if p.r.err != nil {
			continue // told already
		}
		if p.r.left--; err != nil {
			q.remove(p.r)
			p.r.err = err
			close(p.r.done)
		} else if p.r.left == 0 {
			close(p.r.done)
		}
	}
}
