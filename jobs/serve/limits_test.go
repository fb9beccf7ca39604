package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/classify"
)

// TestRefusedWhileRead: a request that is too much is refused when that is known,
// not after it was decoded.
func TestRefusedWhileRead(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		read    float64 // bytes
		message string
	}{
		"instances":    {`{"instances":[` + strings.Repeat("{},", 2_790_000) + `{}]}`, 32 << 10, "1024 instances"},
		"a long text":  {`{"title":"` + strings.Repeat("a", 7<<20) + `"}`, 2 << 20, "over 600002 bytes"},
		"a list":       {`{"instances":[{"title":"a"},{"title":[` + strings.Repeat("1,", 3<<20) + `1]}]}`, 32 << 10, "a list"},
		"many bytes":   {`{"instances":[` + strings.Repeat(`{"title":"`+strings.Repeat("a", 90_000)+`"},`, 100) + `{}]}`, 8 << 20, "8388608 bytes"},
		"long nothing": {`{` + strings.Repeat(" ", 7<<20) + `}`, 2 << 20, "over 600002 bytes"},
		"characters":   {`{"title":"` + strings.Repeat("å", 100_001) + `"}`, 1 << 20, "text 1 has 100001 characters, more than 100000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := serve(t, classifier(t), Options{Limits: Limits{Chars: 100_000}})
			status, answer, _ := ask(t, s, "POST", path, c.body)
			if (status != 413 && status != 400) || !strings.Contains(answer, c.message) {
				t.Errorf("%d %s", status, answer)
			}
			if n := counted(t, s, "sprint_read_bytes_total"); n > c.read {
				t.Errorf("%v of %d bytes read", n, len(c.body))
			}
		})
	}
}

// TestAnswersAreNoLarger: what a client sends comes back in its own size, whatever it is of:
// an answer is held until the client has read it.
func TestAnswersAreNoLarger(t *testing.T) {
	_, s := serve(t, classifier(t), Options{})
	id := strings.Repeat("<&>", 1000)
	for path, body := range map[string]string{
		path:                    `{"title":"a","id":"` + id + `"}`,
		"/v2/models/news/infer": `{"id":"` + id + `","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}]}`,
		"/predict":              `{"inputs":"a","<&>":1}`,
	} {
		_, answer, _ := ask(t, s, "POST", path, body)
		if strings.Contains(answer, `\u003c`) || path != "/predict" && !strings.Contains(answer, id) {
			t.Errorf("%s: %.200s", path, answer)
		}
	}
}

// waiting is a model that answers when it is told to.
type waiting struct{ asked, answer chan struct{} }

func (m waiting) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	if texts[0].Title != "news news news news" { // to be warm
		m.asked <- struct{}{}
		<-m.answer
	}
	out := make([]classify.Prediction, len(texts))
	for i := range out {
		out[i] = classify.Prediction{Scores: []float32{1}, Tags: []int32{0}}
	}
	return out, nil
}

// Tokens is the same for all texts, so that one length warms the model.
func (waiting) Tokens(classify.Text) int { return 1 }

// TestTooManyTokens: where texts are not to be cut, one that the model would cut is told so.
func TestTooManyTokens(t *testing.T) {
	c := classifier(t)
	c.Model = words{}
	_, s := serve(t, c, Options{Limits: Limits{Tokens: 3}})
	if status, answer, _ := ask(t, s, "POST", path, `{"instances":[{"title":"a b c"},{"title":"a b c d"}]}`); status != 422 || !strings.Contains(answer, "text 2 has 4 tokens, more than 3") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer, _ := ask(t, s, "POST", path, `{"title":"a b c"}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}

// words is a model whose tokens are words; it is sure of everything.
type words struct{}

func (words) Tokens(t classify.Text) int { return len(strings.Fields(t.Title)) }

func (words) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	out := make([]classify.Prediction, len(texts))
	for i := range out {
		out[i] = classify.Prediction{Scores: []float32{1}, Tags: []int32{0}}
	}
	return out, nil
}

// TestFull: what there is no room for is told to come again, what is not answered in time
// is told so, and the others are answered.
func TestFull(t *testing.T) {
	c := classifier(t)
	model := waiting{make(chan struct{}, 10), make(chan struct{})}
	c.Model = model
	server, err := Open(t.Context(), Options{Timeout: time.Minute}, reload.Options{Source: fixed{c: c}, Batch: batch.Options{MaxWaiting: 4}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server.ready.Store(true)
	s := httptest.NewServer(server.Handler())
	defer s.Close()
	var clients sync.WaitGroup
	send := func() {
		clients.Go(func() {
			if status, answer, _ := ask(t, s, "POST", path, `{"title":"Fire"}`); status != 200 {
				t.Errorf("one of those before: %d %s", status, answer)
			}
		})
	}
	send()
	<-model.asked
	for n := range 4 {
		send()
		for counted(t, s, "sprint_queue_texts") != float64(n+1) {
			time.Sleep(time.Millisecond)
		}
	}
	for _, body := range []string{`{"title":"Fire"}`, `{"instances":[{"title":"Fire"}]}`} {
		status, answer, h := ask(t, s, "POST", path, body)
		if status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
			t.Errorf("one too many: %d %s", status, answer)
		}
	}
	if status, answer, _ := ask(t, s, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthz: %d %s", status, answer)
	}
	close(model.answer)
	clients.Wait()
	if n := counted(t, s, "sprint_queue_texts"); n != 0 || server.budget.Held() != 0 {
		t.Errorf("%v texts wait, %d bytes are held", n, server.budget.Held())
	}
}

// TestDeadline: a request that is not answered in time is told so, and one whose client has
// left waits no more.
func TestDeadline(t *testing.T) {
	c := classifier(t)
	model := waiting{make(chan struct{}, 10), make(chan struct{})}
	c.Model = model
	server, s := serve(t, c, Options{Timeout: 50 * time.Millisecond})
	if status, answer, _ := ask(t, s, "POST", path, `{"title":"Fire"}`); status != http.StatusGatewayTimeout || !strings.Contains(answer, "no answer within 50ms") {
		t.Errorf("%d %s", status, answer)
	}
	<-model.asked // the model still has it
	ctx, leave := context.WithCancel(t.Context())
	server.o.Timeout = time.Minute
	left := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(ctx, "POST", s.URL+path, strings.NewReader(`{"title":"Fire"}`))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
			_, err = s.Client().Do(r)
		}
		left <- err
	}()
	waits := func(texts float64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); counted(t, s, "sprint_queue_texts") != texts; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not %v texts wait", texts)
			}
		}
	}
	waits(1)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waits(0)
	close(model.answer)
}

// TestMemoryIsShared: requests that are being read hold what they have sent, and
// one for which nothing is left is told to come again.
func TestMemoryIsShared(t *testing.T) {
	server, s := serve(t, classifier(t), Options{})
	other := body.New(strings.NewReader(""), &server.budget, 1)
	if err := other.Hold(maxHeld - 100); err != nil {
		t.Fatal(err)
	}
	if status, answer, _ := ask(t, s, "POST", path, `{"title":"Fire"}`); status != 200 {
		t.Errorf("one that fits: %d %s", status, answer)
	}
	for _, body := range []string{`{"title":"` + strings.Repeat("a", 200) + `"}`, `{"instances":[{"title":"Fire"}]}`} {
		status, answer, h := ask(t, s, "POST", path, body)
		if status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
			t.Errorf("%d %s", status, answer)
		}
	}
	if held := server.budget.Held(); held != maxHeld-100 {
		t.Errorf("%d bytes are held", held)
	}
	other.Release()
}
