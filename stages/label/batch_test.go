package label

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
)

// batchServer is a stand-in for an endpoint with batches. Titles set what becomes of a line.
type batchServer struct {
	*endpoint // for the answers
	server    *httptest.Server

	mu      sync.Mutex
	files   map[string][]byte
	batches []map[string]any
	lines   int      // that were answered, and so paid for
	titles  []string // of the lines, in order
	refuses int      // requests that get 429 first
	held    bool     // batches stay in progress
	lose    bool     // the reply to the next batch is lost, and the batch made
	ends    string   // status of batches, completed by default
	absent  bool     // there are no batches
	polls   int
	id      string // of files, in place of a good one
}

func newBatchServer(t *testing.T) *batchServer {
	b := &batchServer{endpoint: newEndpoint(t), files: map[string][]byte{}}
	b.server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.server.Close)
	return b
}

// run runs the stage against it.
func (b *batchServer) run(t *testing.T, c chatCase, titles ...string) (*stagetest.Result, *Report) {
	t.Helper()
	c.o.Batch, c.o.BatchPrice = true, 0.5
	res, _, report := c.run(t, &endpoint{Server: b.server}, titles...)
	return res, report
}

func (b *batchServer) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path, isAPI := strings.CutPrefix(r.URL.Path, "/v1")
	switch {
	case !isAPI || b.absent || r.Header.Get("Authorization") != "Bearer "+theKey:
		http.Error(w, "nothing here", http.StatusNotFound)
	case b.refuses > 0:
		b.refuses--
		w.Header().Set("Retry-After", "0")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case r.Method == http.MethodPost && path == "/files":
		f, _, err := r.FormFile("file")
		if err != nil || r.FormValue("purpose") != "batch" {
			http.Error(w, "not as the API has it", http.StatusBadRequest)
			return
		}
		data, _ := io.ReadAll(f)
		id := fmt.Sprintf("file-%d", len(b.files))
		b.files[id] = data
		json.NewEncoder(w).Encode(map[string]any{"id": cmp.Or(b.id, id)})
	case r.Method == http.MethodPost && path == "/batches":
		var body map[string]string
		json.NewDecoder(r.Body).Decode(&body)
		if body["endpoint"] != "/v1/chat/completions" || body["completion_window"] != "24h" || b.files[body["input_file_id"]] == nil {
			http.Error(w, "no such file", http.StatusBadRequest)
			return
		}
		made := map[string]any{"id": fmt.Sprintf("batch_%d", len(b.batches)), "status": "validating", "input_file_id": body["input_file_id"]}
		b.batches = append(b.batches, made)
		if b.lose {
			b.lose = false
			panic(http.ErrAbortHandler)
		}
		json.NewEncoder(w).Encode(made)
	case path == "/batches":
		json.NewEncoder(w).Encode(map[string]any{"data": b.batches})
	case strings.HasPrefix(path, "/batches/"):
		b.polls++
		for _, one := range b.batches {
			if "/batches/"+one["id"].(string) == path {
				b.advance(one)
				json.NewEncoder(w).Encode(one)
				return
			}
		}
		http.Error(w, "no such batch", http.StatusNotFound)
	case strings.HasSuffix(path, "/content"):
		w.Write(b.files[strings.TrimSuffix(strings.TrimPrefix(path, "/files/"), "/content")])
	default:
		http.NotFound(w, r)
	}
}

// advance lets a batch go on: in progress when first asked about, then its end.
func (b *batchServer) advance(one map[string]any) {
	switch {
	case one["status"] == "validating":
		one["status"] = "in_progress"
	case one["status"] != "in_progress" || b.held:
	case b.ends == "failed":
		one["status"], one["errors"] = "failed", map[string]any{"data": []any{map[string]any{"message": "too many tokens of " + theKey}}}
	default:
		one["status"], one["output_file_id"], one["error_file_id"] = "completed", one["id"].(string)+"-out", one["id"].(string)+"-err"
		if b.ends != "" {
			one["status"] = b.ends
		}
		out, failed := b.answer(b.files[one["input_file_id"].(string)])
		b.files[one["output_file_id"].(string)], b.files[one["error_file_id"].(string)] = out, failed
	}
}

func (b *batchServer) answer(questions []byte) (out, failed []byte) {
	for _, text := range bytes.Split(bytes.TrimSpace(questions), []byte("\n")) {
		var q struct {
			ID   string          `json:"custom_id"`
			Body json.RawMessage `json:"body"`
		}
		json.Unmarshal(text, &q)
		title := titleOf(q.Body)
		mood, _, _ := strings.Cut(title, " ")
		b.titles = append(b.titles, title)
		if mood == "missing" || mood == "expires" && len(b.batches) == 1 {
			continue
		}
		if mood == "fails" {
			failed = fmt.Appendf(failed, `{"custom_id": %q, "response": {"status_code": 500, "body": {"error": "oops %s"}}, "error": null}`+"\n", q.ID, theKey)
			continue
		}
		w := httptest.NewRecorder()
		b.endpoint.serve(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", bytes.NewReader(q.Body)))
		b.lines++
		one := fmt.Appendf(nil, `{"custom_id": %q, "response": {"status_code": 200, "body": %s}, "error": null}`+"\n", q.ID, bytes.TrimSpace(w.Body.Bytes()))
		out = append(out, one...)
		switch mood {
		case "double":
			out = append(out, one...)
		case "stranger":
			out = append(out, "hello "+theKey+"\n"+`{"custom_id": "never-asked", "response": {"status_code": 200, "body": {}}}`+"\n"...)
		}
	}
	return out, failed
}

func titleOf(body []byte) string {
	var asked struct {
		Messages []struct{ Content string } `json:"messages"`
	}
	var item struct{ Title string }
	json.Unmarshal(body, &asked)
	json.Unmarshal([]byte(asked.Messages[len(asked.Messages)-1].Content), &item)
	return item.Title
}

// TestBatch: rows get the same labels as from single answers, at the price of batches,
// whatever stands in the files; what fails is sent once more; nothing is bought twice.
func TestBatch(t *testing.T) {
	b := newBatchServer(t)
	b.refuses, b.lose = 2, true
	store := stagetest.Store(t)
	titles := []string{"fire by rule", "plain", "plain", "prose", "wrong", "none", "double", "stranger", "missing", "fails", "expires"}
	c := chatCase{o: HTTP{MaxBad: 0.5}, store: store}
	res, report := b.run(t, c, titles...)
	if res.Err != nil {
		t.Fatal(res.Err, res.Log)
	}
	// plain is one question; wrong is answered twice, in the second batch of its own; missing,
	// fails and expires are sent twice.
	if len(b.batches) != 3 || b.lines != 8 || report.HTTP.Answers != 9 || report.HTTP.Bad != 1 || report.HTTP.Unlabeled != 2 {
		t.Errorf("%d batches, %d lines, %+v\n%v", len(b.batches), b.lines, *report.HTTP, b.titles)
	}
	if want := (900*1.0 + 90*10) / 1e6 / 2; report.HTTP.Cost < want*0.999 || report.HTTP.Cost > want*1.001 {
		t.Errorf("cost %g, want %g", report.HTTP.Cost, want)
	}
	if spent, _ := res.Notes[stages.NoteSpent].(float64); spent < 0.00079 || spent > 0.00081 {
		t.Errorf("noted %v", res.Notes)
	}
	again, _ := b.run(t, c, titles...)
	if again.Err != nil || again.Outputs["labelled"].Digest != res.Outputs["labelled"].Digest {
		t.Errorf("a second run gives other labels: %v", again.Err)
	}
	if n := len(b.titles); b.lines != 8 || n != len(titles)-2+1+3+2*2 {
		t.Errorf("a second run bought more: %d lines, %d sent: %v", b.lines, n, b.titles)
	}
}

// TestBatchKilled: an attempt that is ended while its batch is under way leaves it to the
// next, which makes no other one.
func TestBatchKilled(t *testing.T) {
	for _, lost := range []bool{false, true} {
		b := newBatchServer(t)
		b.held = true
		store := stagetest.Store(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for ctx.Err() == nil {
				b.mu.Lock()
				polls := b.polls
				b.mu.Unlock()
				if polls > 2 {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		res, _ := b.run(t, chatCase{store: store, context: ctx}, "plain 1", "plain 2")
		if !errors.Is(res.Err, context.Canceled) || !strings.Contains(res.Log, "the batch goes on") {
			t.Fatal(res.Err, res.Log)
		}
		b.held = false
		if lost { // killed between the batch and the record of its id
			store = onlyUploads(t, store)
		}
		res, report := b.run(t, chatCase{store: store, mayPay: 1}, "plain 1", "plain 2", "plain 3")
		if res.Err != nil || report.HTTP.Answers != 3 {
			t.Fatal(res.Err, res.Log)
		}
		sent := 0
		for _, one := range b.batches {
			sent += bytes.Count(b.files[one["input_file_id"].(string)], []byte("\n"))
		}
		if len(b.batches) != 2 || b.lines != 3 || sent != 3 {
			t.Errorf("id lost: %v: %d batches, %d lines sent, %d answered: %v", lost, len(b.batches), sent, b.lines, b.titles)
		}
		if spent, _ := res.Notes[stages.NoteSpent].(float64); spent < 0.00029 || spent > 0.00031 {
			t.Errorf("noted %v", res.Notes)
		}
	}
}

// onlyUploads is a store that knows of the uploads of another, and of nothing else.
func onlyUploads(t *testing.T, from *storage.Store) *storage.Store {
	t.Helper()
	to := stagetest.Store(t)
	for info, err := range from.List(t.Context(), "answers/batch/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, ".file") {
			body, _, err := from.Read(t.Context(), info.Key)
			if err := errors.Join(err, to.Create(t.Context(), info.Key, body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// TestBatchFailures: each says what to do, with the code of its class.
func TestBatchFailures(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(b *batchServer)
		code stages.Code
		text string
	}{
		"no batches":   {func(b *batchServer) { b.absent = true }, stages.CodeEnvironment, "status 404"},
		"failed":       {func(b *batchServer) { b.ends = "failed" }, stages.CodeEnvironment, "too many tokens"},
		"expired":      {func(b *batchServer) { b.ends = "expired" }, stages.CodeStage, "1 of 1 rows"},
		"odd id":       {func(b *batchServer) { b.id = "../../admin?x=" + theKey }, stages.CodeEnvironment, "gives a file the id"},
		"never served": {func(b *batchServer) { b.refuses = 1000 }, stages.CodeEnvironment, "status 429"},
	} {
		b := newBatchServer(t)
		c.set(b)
		res, _ := b.run(t, chatCase{}, "missing")
		var f *stages.Failure
		if !errors.As(res.Err, &f) || f.Code != c.code || !strings.Contains(f.Error(), c.text) || f.Hint == "" {
			t.Errorf("%s: %v (%+v)", name, res.Err, f)
		}
	}
}

// TestBatchBudget: no more rows are sent than the budget covers, by the longest answers
// until one is known, then by those that came.
func TestBatchBudget(t *testing.T) {
	b := newBatchServer(t)
	var titles []string
	for i := range 40 {
		titles = append(titles, fmt.Sprintf("plain %d", i))
	}
	// An answer costs 0.0001, and 300 tokens would cost 0.0015 and the question.
	res, _ := b.run(t, chatCase{o: HTTP{MaxTokens: 300}, mayPay: 0.0035}, titles...)
	if !errors.Is(res.Err, stages.ErrMoney) {
		t.Fatal(res.Err)
	}
	if len(b.batches) < 2 || bytes.Count(b.files["file-0"], []byte("\n")) > 3 || b.lines != 35 {
		t.Errorf("%d batches, %d lines, first of %d", len(b.batches), b.lines, bytes.Count(b.files["file-0"], []byte("\n")))
	}
}
