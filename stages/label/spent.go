package label

import (
	"sync"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// noteEvery is the time between two notes of what was paid, so that one who is killed has
// told about it.
const noteEvery = 20 * time.Second

// spent bounds what an attempt pays for answers. It is safe for concurrent use.
type spent struct {
	mu      sync.Mutex
	paid    float64
	dearest float64 // of the answers so far
	noted   time.Time
}

// mayAsk refuses a request whose answer, with those that are under way, may cost more than
// is left. What an answer costs is known from the first on.
func (s *spent) mayAsk(h *httpSource) error {
	most := h.s.env.MayPay
	s.mu.Lock()
	defer s.mu.Unlock()
	if most > 0 && s.paid+s.dearest*float64(h.s.o.HTTP.Concurrency) > most {
		return stages.Fail(stages.CodeDeadline, "raise max_cost; answers are kept, and the same command continues", "%w: %.4g of the %.4g that labels may cost are paid", stages.ErrMoney, s.paid, most)
	}
	return nil
}

func (s *spent) took(price float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paid += price
	s.dearest = max(s.dearest, price)
}

// note tells the run what was paid, now and then, or at the end. Answers without a price
// are not worth a word.
func (s *spent) note(h *httpSource, end bool) {
	s.mu.Lock()
	paid, due := s.paid, end || time.Since(s.noted) > noteEvery
	if due {
		s.noted = time.Now()
	}
	s.mu.Unlock()
	if due && paid > 0 {
		h.s.env.Note(stages.NoteSpent, paid)
	}
}
