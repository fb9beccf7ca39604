package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// Question is a request whose answer is bought by batch. Key is where the answer is kept.
type Question struct {
	Key  string
	Body []byte
}

// Budget bounds what batches cost.
type Budget interface {
	// Covers returns how many of the questions, the first ones, may be sent; at least one,
	// or an error.
	Covers(questions []Question) (int, error)
	// Took is told of every answer that was paid for.
	Took(a Answer)
}

// Limits of one batch. Those of OpenAI are 50,000 questions and 200 MB.
const (
	maxQuestions  = 20_000
	maxBatchBytes = 64 << 20
)

// batchTries is how often a question is sent whose line fails or is missing.
const batchTries = 2

// longestBatch is the age at which a batch without an end is given up: endpoints promise a day.
const longestBatch = 48 * time.Hour

// Buy buys the answers to questions that have none kept, and keeps them. Batches that an
// earlier attempt sent, and that hold some of them, are waited for first: nothing is bought
// twice. lacking says of the questions that stay without an answer why. A stop leaves
// batches to their endpoint, and the next Buy continues them.
func (c *Client) Buy(ctx context.Context, questions []Question, budget Budget) (lacking map[string]string, err error) {
	need := map[string]bool{}
	questions = slices.DeleteFunc(slices.Clone(questions), func(q Question) bool {
		twice := need[q.Key]
		need[q.Key] = true
		return twice
	})
	if len(questions) == 0 {
		return nil, nil
	}
	if c.env.Offline {
		return nil, stages.Fail(stages.CodeEnvironment, "run without --offline, or remove http from source", "not all answers are kept in the store, and --offline forbids to ask endpoint %s", c.name)
	}
	p := &purchase{c: c, need: need, lacking: map[string]string{}, budget: budget}
	if err := p.resume(ctx); err != nil {
		return nil, err
	}
	for range batchTries {
		for left := p.unanswered(questions); len(left) > 0; {
			n, err := budget.Covers(left)
			if err != nil {
				return nil, err
			}
			if err := p.buy(ctx, left[:n]); err != nil {
				return nil, err
			}
			left = left[n:]
		}
	}
	for key := range need {
		if _, told := p.lacking[key]; !told {
			p.lacking[key] = "the batch has no line of it"
		}
	}
	return p.lacking, nil
}

// purchase is one call of Buy.
type purchase struct {
	c       *Client
	need    map[string]bool   // keys without an answer
	lacking map[string]string // why
	budget  Budget
}

func (p *purchase) unanswered(questions []Question) []Question {
	return slices.DeleteFunc(slices.Clone(questions), func(q Question) bool { return !p.need[q.Key] })
}

// resume waits for the batches of earlier attempts.
func (p *purchase) resume(ctx context.Context) error {
	open, err := p.c.openBatches(ctx)
	if err != nil {
		return err
	}
	for _, b := range open {
		if !slices.ContainsFunc(b.Questions, func(name string) bool { return p.need[keyOfName(name)] }) {
			continue // of another plan
		}
		if err := p.c.ensure(ctx, b); unusable(err) {
			p.c.env.Log.Warn("an upload of an earlier attempt is of no use: its questions are sent anew", "error", err)
			if err := p.c.finish(ctx, b, statusGone); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		p.c.env.Log.Log(ctx, stages.LevelNotable, "a batch that an earlier attempt sent is waited for", "batch", b.id, "rows", len(b.Questions))
		if err := p.collect(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// unusable reports whether no batch can be made of a file, by an endpoint that answers.
func unusable(err error) bool {
	f, ok := errors.AsType[*stages.Failure](err)
	return ok && (f.Code == stages.CodePlan || errors.Is(f, errAbsent))
}

// buy sends questions, in as many batches as they need, and waits for all.
func (p *purchase) buy(ctx context.Context, questions []Question) error {
	var sent []*batch
	for len(questions) > 0 {
		n, size := 0, 0
		for n < min(len(questions), maxQuestions) && (n == 0 || size+len(questions[n].Body) < maxBatchBytes) {
			size += len(questions[n].Body)
			n++
		}
		b, err := p.c.send(ctx, questions[:n])
		if err != nil {
			return err
		}
		sent = append(sent, b)
		questions = questions[n:]
	}
	for _, b := range sent {
		if err := p.collect(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// collect waits for a batch and keeps its answers.
func (p *purchase) collect(ctx context.Context, b *batch) error {
	state, err := p.c.wait(ctx, b)
	if err != nil {
		return err
	}
	got := &lines{c: p.c, of: map[string]bool{}, answers: map[string]Answer{}, failed: map[string]string{}}
	for _, name := range b.Questions {
		got.of[name] = true
	}
	for _, file := range []string{state.Output, state.Errors} {
		if file == "" {
			continue
		}
		if err := p.c.fetchLines(ctx, file, got); err != nil {
			return err
		}
	}
	if err := p.keep(ctx, got); err != nil {
		return err
	}
	for name, why := range got.failed {
		p.lacking[keyOfName(name)] = why
	}
	if got.strange > 0 {
		p.c.env.Log.Warn("lines of a batch are no answers to what was asked: left out", "batch", b.id, "lines", got.strange, "example", got.example)
	}
	if err := p.c.finish(context.WithoutCancel(ctx), b, state.Status); err != nil {
		return err
	}
	log := p.c.env.Log.With("batch", b.id, "status", state.Status, "answers", len(got.answers), "of", len(b.Questions))
	if len(got.answers) < len(b.Questions) {
		log.Warn("a batch ended without all answers")
	} else {
		log.Log(ctx, stages.LevelNotable, "a batch ended")
	}
	if state.Status == statusFailed {
		return stages.Fail(stages.CodeEnvironment, "see what the endpoint allows of batches, or set http.batch: false", "endpoint %s refuses batch %s: %s", p.c.name, b.id, cmp.Or(state.why, "it does not say why"))
	}
	return nil
}

// keepers is how many answers are kept at a time.
const keepers = 8

// keep keeps answers, and tells the budget of those that were not there before.
func (p *purchase) keep(ctx context.Context, got *lines) error {
	group, keeping := errgroup.WithContext(context.WithoutCancel(ctx)) // they are paid for
	group.SetLimit(keepers)
	for name, a := range got.answers {
		key := keyOfName(name)
		needed := p.need[key]
		delete(p.need, key)
		delete(p.lacking, key)
		group.Go(func() error {
			_, version, err := Kept(keeping, p.c.env.Store, key)
			if err == nil && !needed {
				return nil
			}
			if err != nil && !storage.MissingOrDamaged(err) {
				return err
			}
			if err := Keep(keeping, p.c.env.Store, key, version, a); err != nil {
				return err
			}
			p.c.count(a)
			p.budget.Took(a)
			return nil
		})
	}
	return group.Wait()
}

// wait asks for the state of a batch until it is final.
func (c *Client) wait(ctx context.Context, b *batch) (batchState, error) {
	pause, told := 2*c.pause, ""
	for {
		state, err := c.state(ctx, b)
		if ctx.Err() != nil {
			c.env.Log.Log(context.WithoutCancel(ctx), stages.LevelNotable, "the batch goes on at its endpoint: the same command waits for it again", "batch", b.id)
			return state, context.Cause(ctx)
		}
		if err != nil {
			return state, err
		}
		if state.final() {
			return state, nil
		}
		if age := time.Since(b.Sent); age > longestBatch {
			c.env.Log.Warn("a batch has no end: it is given up", "batch", b.id, "status", state.Status, "age", age.Round(time.Minute))
			return batchState{Status: statusExpired}, nil
		}
		if state.Status != told {
			told = state.Status
			c.env.Log.Log(ctx, stages.LevelNotable, "a batch is waited for, which may take a day", "batch", b.id, "status", state.Status, "rows", len(b.Questions))
		}
		c.env.Progress(stages.Progress{Done: state.Counts.Completed + state.Counts.Failed, Total: int64(len(b.Questions)), Unit: "rows", Text: "batch " + told})
		select {
		case <-ctx.Done(): // told above
		case <-time.After(pause):
		}
		pause = min(pause*3/2, max(maxWait, 2*c.pause))
	}
}

// final reports whether a batch has ended. A status that nobody knows is waited for.
func (s *batchState) final() bool {
	switch s.Status {
	case statusCompleted, statusFailed, statusExpired, statusCancelled, statusGone:
		return true
	}
	return false
}

// send uploads questions and makes a batch of them, which the store knows of before it can
// begin.
func (c *Client) send(ctx context.Context, questions []Question) (*batch, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	file, err := c.upload(ctx, questions)
	if err != nil {
		return nil, err
	}
	b := &batch{batchRecord: batchRecord{Format: batchFormat, Endpoint: c.place(), File: file, Sent: time.Now().UTC()}}
	for _, q := range questions {
		b.Questions = append(b.Questions, nameOfKey(q.Key))
	}
	if err := c.record(ctx, b); err != nil {
		return nil, err
	}
	if err := c.ensure(ctx, b); err != nil {
		return nil, err
	}
	c.env.Log.Log(ctx, stages.LevelNotable, "a batch is sent", "batch", b.id, "rows", len(questions))
	return b, nil
}

// ensure makes the batch of an uploaded file, unless there is one: the attempt that made it
// may have ended before it could note its id.
func (c *Client) ensure(ctx context.Context, b *batch) (err error) {
	if b.id != "" {
		return nil
	}
	longer, done := withGrace(ctx) // one that is under way is noted
	defer done()
	for try := 0; ; try++ {
		if b.id, err = c.findBatch(longer, b.File); err != nil {
			return err
		}
		if b.id == "" {
			b.id, err = c.create(longer, b.File)
		}
		if b.id != "" {
			return c.recordID(context.WithoutCancel(ctx), b)
		}
		again, lost := err.(*unclearError) //nolint:errorlint // create returns it bare
		if !lost || try == retries {
			return c.end(ctx, err)
		}
		c.env.Log.Info("asking again", "endpoint", c.name, "reason", again.Error())
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(max(c.pause<<try, again.after), maxWait)):
		}
	}
}

// unclearError is that of a request which may have been served all the same, or may be next time.
type unclearError struct {
	why   string
	after time.Duration // as the endpoint asks for
}

func (e *unclearError) Error() string { return e.why }

// end is the error of a call after all tries.
func (c *Client) end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, ok := err.(*unclearError); ok { //nolint:errorlint // call returns it bare
		return stages.Lose(stages.CodeEnvironment, "check the endpoint and run the same command again: answers so far are kept, and a batch that was sent is continued", "endpoint %s does not answer, after %d tries: %w", c.name, retries+1, err)
	}
	return fmt.Errorf("batch at endpoint %s: %w", c.name, err)
}
