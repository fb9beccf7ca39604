// Package reload keeps a model that answers, and puts another in its place while requests
// come: the new one is loaded and warmed beside the old one, which goes when the last
// request that it had is answered.
//
//   - model.go: a release that answers, and the slot that it stands in
//   - source.go: a reference to a model of a store, or of a folder
//   - watch.go: what a reference names is looked up again and again
//   - retry.go: what could not answer is tried again, ever less often
//   - warm.go: a model's first answers, before anybody waits for them
package reload

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/ml/classify"
)

// Release is what a reference names.
type Release struct {
	Name    string // of the model
	Version int    // 0 of a folder
	Digest  string // of the release's tree; empty of a folder
}

func (r Release) String() string {
	if r.Version == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s@%d", r.Name, r.Version)
}

// Opened is a release that was opened.
type Opened struct {
	Classifier *classify.Classifier
	// Fallback is why keywords answer in the place of the model; nil if the model does.
	Fallback error
	Close    func() // frees it; called once, when nothing is asked any more
}

// Source is where releases come from.
type Source interface {
	// Resolve says what is named now. It changes nothing.
	Resolve(ctx context.Context) (Release, error)
	// Open opens a release that Resolve has named; strict refuses one whose keywords would
	// answer for it.
	Open(ctx context.Context, r Release, strict bool) (Opened, error)
}

// Model is a release that answers. Its fields do not change.
type Model struct {
	Release
	Classifier *classify.Classifier
	Fallback   error
	Loaded     time.Time

	queue *batch.Queue // nil: keywords answer
	close func()
	users sync.WaitGroup // requests that have it
}

// newModel starts the queue of an opened release. Answered is told of each batch.
func newModel(r Release, o Opened, b batch.Options, answered func(*Model, batch.Batch)) *Model {
	m := &Model{Release: r, Classifier: o.Classifier, Fallback: o.Fallback, Loaded: time.Now(), close: o.Close}
	if o.Classifier.Model == nil {
		return m
	}
	if counts, ok := o.Classifier.Model.(interface{ Tokens(classify.Text) int }); ok {
		b.Tokens = counts.Tokens
	}
	if answered != nil {
		b.Answered = func(x batch.Batch) { answered(m, x) }
	}
	m.queue = batch.New(o.Classifier.Model, b)
	return m
}

// Source is what answers: classify.SourceModel or classify.SourceKeywords.
func (m *Model) Source() string {
	if m.queue == nil {
		return classify.SourceKeywords
	}
	return classify.SourceModel
}

// Tokens is how long a text is for the model; 0 if it does not say.
func (m *Model) Tokens(t classify.Text) int {
	if counts, ok := m.Classifier.Model.(interface{ Tokens(classify.Text) int }); ok {
		return counts.Tokens(t)
	}
	return 0
}

// Waiting is the number of texts that wait for the model.
func (m *Model) Waiting() int {
	if m.queue == nil {
		return 0
	}
	return m.queue.Waiting()
}

// Answer answers for texts, in their order, and says how long they waited. Its errors are
// those of batch.Queue.Predict.
func (m *Model) Answer(ctx context.Context, texts []classify.Text, v classify.View) ([]classify.Answer, time.Duration, error) {
	if m.queue == nil {
		return m.Classifier.Keywords(texts, v), 0, nil
	}
	predictions, waited, err := m.queue.Predict(ctx, texts)
	if err != nil {
		return nil, waited, err
	}
	return m.Classifier.Answers(predictions, v), waited, nil
}

// end frees the model once nobody has it.
func (m *Model) end() {
	m.users.Wait()
	if m.queue != nil {
		m.queue.Close()
	}
	m.close()
}

// Slot is the place of the model that answers. It is safe for concurrent use.
type Slot struct {
	mu    sync.Mutex
	model *Model
}

// Use returns the model that answers now. It stays until the caller has called done, once.
func (s *Slot) Use() (m *Model, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model.users.Add(1)
	return s.model, s.model.users.Done
}

// put puts a model into the slot and returns the one that was there, which requests may
// still have; nil if there was none.
func (s *Slot) put(m *Model) *Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.model
	s.model = m
	return old
}
