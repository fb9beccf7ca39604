// Package batch gathers the texts of many requests into the batches in which a model
// answers fastest.
//
//   - queue.go: requests that wait, and how long the next one would
//   - worker.go: the one goroutine that asks the model, and which texts it takes next
package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
)

// Model predicts for texts, in their order.
type Model interface {
	Predict(ctx context.Context, texts []classify.Text) ([]classify.Prediction, error)
}

// Options bound what waits and what is asked at once. Zero values are the defaults.
type Options struct {
	// MaxWaiting is the most texts that wait, 4096 if 0. A request that comes when none
	// waits is taken whatever its size.
	MaxWaiting int
	// MaxTexts and MaxTokens bound a batch, 256 and 512 if 0. One text is always taken.
	MaxTexts, MaxTokens int
	// Tokens is how long a text is; nil counts each as one.
	Tokens func(classify.Text) int
	// Answered, if not nil, is told of each batch. It must not block.
	Answered func(Batch)
}

// Batch is one that was answered.
type Batch struct {
	Texts, Tokens int
	Took          time.Duration
}

// ErrClosed is that of a queue which takes no requests any more.
var ErrClosed = errors.New("the model is being unloaded")

// FullError is that of a queue in which too many texts wait.
type FullError struct {
	Waiting int
	// Retry is when there is likely to be room again.
	Retry time.Duration
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%d texts wait to be answered; try again in %v", e.Waiting, e.Retry)
}

// Queue is requests that wait for a model. It is safe for concurrent use.
type Queue struct {
	model Model
	o     Options

	mu       sync.Mutex
	changed  sync.Cond // a request came, or the queue was closed
	requests []*request
	waiting  int     // texts that no batch has taken
	perText  float64 // seconds, of late
	closed   bool
	done     chan struct{} // closed when the worker has ended
}

// request is texts that wait together. Its fields are the queue's; out and err are the
// caller's once done is closed.
type request struct {
	texts  []classify.Text
	tokens []int
	came   time.Time
	next   int // the first text that no batch has taken
	left   int // texts without a prediction
	waited time.Duration
	out    []classify.Prediction
	err    error
	done   chan struct{}
}

// New starts the worker of a model. The caller closes the queue.
func New(m Model, o Options) *Queue {
	q := &Queue{model: m, o: o.Filled(), done: make(chan struct{})}
	q.changed.L = &q.mu
	go q.work()
	return q
}

// Filled are the options with the defaults in the place of zeros.
func (o Options) Filled() Options {
	o.MaxWaiting, o.MaxTexts, o.MaxTokens = or(o.MaxWaiting, 4096), or(o.MaxTexts, 256), or(o.MaxTokens, 512)
	return o
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Predict answers for texts, in their order, and says how long the last of them waited.
// A FullError says that there is no room; the context's error that it ended before all
// were answered: texts that no batch had taken by then are dropped.
func (q *Queue) Predict(ctx context.Context, texts []classify.Text) ([]classify.Prediction, time.Duration, error) {
	if len(texts) == 0 {
		return nil, 0, nil
	}
	r := &request{texts: texts, tokens: make([]int, len(texts)), left: len(texts), out: make([]classify.Prediction, len(texts)), done: make(chan struct{})}
	for i, t := range texts {
		r.tokens[i] = 1
		if q.o.Tokens != nil {
			r.tokens[i] = q.o.Tokens(t)
		}
	}
	if err := q.add(ctx, r); err != nil {
		return nil, 0, err
	}
	select {
	case <-r.done:
		return r.out, r.waited, r.err
	case <-ctx.Done():
		q.drop(r)
		return nil, 0, ctx.Err()
	}
}

// add puts a request behind those that wait.
func (q *Queue) add(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.waiting > 0 && q.waiting+len(r.texts) > q.o.MaxWaiting:
		seconds := min(max(q.perText*float64(q.waiting), 1), 60)
		return &FullError{q.waiting, time.Duration(seconds+0.999) * time.Second}
	}
	r.came = time.Now()
	q.requests = append(q.requests, r)
	q.waiting += len(r.texts)
	q.changed.Signal()
	return nil
}

// drop forgets the texts of a request that no batch has taken.
func (q *Queue) drop(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(r)
}

// remove takes a request out; the lock is held.
func (q *Queue) remove(r *request) {
	for i, other := range q.requests {
		if other == r {
			q.requests = append(q.requests[:i], q.requests[i+1:]...)
			q.waiting -= len(r.texts) - r.next
			return
		}
	}
}

// Waiting is the number of texts that no batch has taken.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// Close refuses further requests, lets those that wait be answered, and returns when the
// model is asked nothing any more.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Signal()
	q.mu.Unlock()
	<-q.done
}
