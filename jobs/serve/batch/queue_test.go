package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
	"pgregory.net/rapid"
)

// counting is a model whose score of a text is its length; it keeps the batches that it
// was asked, and takes a second for each.
type counting struct {
	mu      sync.Mutex
	batches [][]string
	poison  string
}

func (m *counting) Predict(ctx context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	var titles []string
	out := make([]classify.Prediction, len(texts))
	for i, t := range texts {
		titles = append(titles, t.Title)
		out[i].Scores = []float32{float32(len(t.Title))}
	}
	m.mu.Lock()
	m.batches = append(m.batches, titles)
	m.mu.Unlock()
	time.Sleep(time.Second)
	if m.poison != "" && slices.Contains(titles, m.poison) {
		if m.poison == "panic" {
			panic("out of range")
		}
		return nil, errors.New("poisoned")
	}
	return out, nil
}

func texts(titles ...string) []classify.Text {
	out := make([]classify.Text, len(titles))
	for i, t := range titles {
		out[i].Title = t
	}
	return out
}

// check fails unless each text has its own prediction.
func check(t testing.TB, asked []classify.Text, got []classify.Prediction, err error) {
	t.Helper()
	if err != nil || len(got) != len(asked) {
		t.Errorf("%d predictions for %d texts, %v", len(got), len(asked), err)
		return
	}
	for i, p := range got {
		if p.Scores[0] != float32(len(asked[i].Title)) {
			t.Errorf("text %d has the prediction of another", i)
		}
	}
}

// length is the tokens of a text in tests.
func length(t classify.Text) int { return len(t.Title) }

// TestGathers: a lone request goes at once, and what comes meanwhile goes together, sorted
// by length.
func TestGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &counting{}
		q := New(m, Options{Tokens: length})
		var all sync.WaitGroup
		ask := func(titles ...string) {
			all.Go(func() {
				asked := texts(titles...)
				got, _, err := q.Predict(t.Context(), asked)
				check(t, asked, got, err)
			})
			synctest.Wait()
		}
		began := time.Now()
		ask("lone")
		time.Sleep(time.Second / 2)
		ask("ccc")
		ask("a", "dddd")
		ask("bb")
		all.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v, one batch a second", took)
		}
		q.Close()
		if want := "[[lone] [a bb ccc dddd]]"; fmt.Sprint(m.batches) != want {
			t.Errorf("batches %v, want %s", m.batches, want)
		}
		if _, _, err := q.Predict(t.Context(), texts("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestSmallRequestsPassLargeOnes: a request of one text is answered within two batches,
// however much of another one waits.
func TestSmallRequestsPassLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(&counting{}, Options{MaxTexts: 4})
		var all sync.WaitGroup
		all.Go(func() {
			many := texts(slices.Repeat([]string{"x"}, 400)...)
			got, _, err := q.Predict(t.Context(), many)
			check(t, many, got, err)
		})
		synctest.Wait()
		began := time.Now()
		got, waited, err := q.Predict(t.Context(), texts("small"))
		check(t, texts("small"), got, err)
		if took := time.Since(began); took > 2*time.Second || waited > time.Second {
			t.Errorf("it took %v, of which it waited %v", took, waited)
		}
		all.Wait()
		q.Close()
	})
}

// TestRoom: a queue takes what has room, tells the others when to come again, and forgets
// those that are gone.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &counting{}
		q := New(m, Options{MaxWaiting: 3})
		ask := func(ctx context.Context, n int) chan error {
			end := make(chan error, 1)
			go func() {
				_, _, err := q.Predict(ctx, texts(slices.Repeat([]string{"x"}, n)...))
				end <- err
			}()
			synctest.Wait()
			return end
		}
		first := ask(t.Context(), 1) // the model has it
		gone, leave := context.WithCancel(t.Context())
		large := ask(gone, 5) // none waits, so it is taken
		var full *FullError
		if err := <-ask(t.Context(), 1); !errors.As(err, &full) || full.Retry < time.Second || full.Waiting != 5 {
			t.Errorf("beside 5 of 3: %v", err)
		}
		leave()
		if err := <-large; !errors.Is(err, context.Canceled) || q.Waiting() != 0 {
			t.Errorf("gone: %v, %d wait", err, q.Waiting())
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := <-ask(hasty, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at its deadline: %v", err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		q.Close()
		if len(m.batches) != 1 {
			t.Errorf("the model was asked what nobody waits for: %v", m.batches)
		}
	})
}

// TestFailuresAreTheirOwn: a text on which the model fails, or panics, fails its request
// and no other.
func TestFailuresAreTheirOwn(t *testing.T) {
	for _, poison := range []string{"bad", "panic"} {
		synctest.Test(t, func(t *testing.T) {
			q := New(&counting{poison: poison}, Options{})
			var all sync.WaitGroup
			for _, titles := range [][]string{{"lone"}, {"good"}, {"fine", poison, "x"}, {"well", "y"}} {
				all.Go(func() {
					asked := texts(titles...)
					got, _, err := q.Predict(t.Context(), asked)
					if slices.Contains(titles, poison) {
						if err == nil || !strings.Contains(err.Error(), "p") {
							t.Errorf("%v: %v", titles, err)
						}
						return
					}
					check(t, asked, got, err)
				})
				synctest.Wait()
			}
			all.Wait()
			q.Close()
		})
	}
}

// TestEveryTextOnce: whatever comes when and goes when, each request has its own
// predictions, batches keep their bounds, and nothing is left.
func TestEveryTextOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{MaxTexts: rapid.IntRange(1, 5).Draw(rt, "texts"), MaxTokens: rapid.IntRange(1, 12).Draw(rt, "tokens"), MaxWaiting: 1 << 20, Tokens: length}
		sizes := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(1, 9), 1, 8), 1, 12).Draw(rt, "requests")
		patience := rapid.SliceOfN(rapid.IntRange(0, 40), len(sizes), len(sizes)).Draw(rt, "patience")
		synctest.Test(t, func(t *testing.T) {
			m := &counting{}
			q := New(m, o)
			var all sync.WaitGroup
			for n, request := range sizes {
				var asked []classify.Text
				for _, size := range request {
					asked = append(asked, classify.Text{Title: strings.Repeat("x", size)})
				}
				all.Go(func() {
					time.Sleep(time.Duration(n) * time.Second / 3)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(patience[n]+1)*time.Second/2)
					defer cancel()
					got, _, err := q.Predict(ctx, asked)
					if !errors.Is(err, context.DeadlineExceeded) {
						check(t, asked, got, err)
					}
				})
			}
			all.Wait()
			if q.Waiting() != 0 {
				t.Errorf("%d texts are left", q.Waiting())
			}
			q.Close()
			for _, b := range m.batches {
				if n := len(strings.Join(b, "")); len(b) > o.MaxTexts || len(b) > 1 && n > o.MaxTokens {
					t.Errorf("a batch of %d texts and %d tokens", len(b), n)
				}
			}
		})
	})
}
