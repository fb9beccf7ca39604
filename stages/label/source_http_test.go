package label

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
)

const theKey = "sk-very-secret"

// shows reports whether a text has the key in it: as it is, or encoded.
func shows(text string) bool {
	forms := []string{"very-secret", hex.EncodeToString([]byte("very-secret")), `\u0073k`}
	for before := range 3 {
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + "very-secret"))[4:12])
	}
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// endpoint is a stand-in for a chat endpoint whose mood a title sets: the first
// word of it says how the first requests for it go wrong.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	asked  map[string]int // by title
	key    string         // as sent
	bodies []map[string]any
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{asked: map[string]int{}}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) total() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.asked {
		n += x
	}
	return n
}

func completed(w io.Writer, content string) {
	json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": content}}}, "usage": map[string]any{"prompt_tokens": 100, "completion_tokens": 10}})
}

const good = `{"labels": [{"category": "fire", "score": 0.9, "tag": "big"}]}`

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	var item struct{ Title string }
	messages, _ := body["messages"].([]any)
	last, _ := messages[len(messages)-1].(map[string]any)
	json.Unmarshal([]byte(last["content"].(string)), &item)
	e.mu.Lock()
	n := e.asked[item.Title]
	e.asked[item.Title]++
	e.key, e.bodies = r.Header.Get("Authorization"), append(e.bodies, body)
	e.mu.Unlock()
	mood, _, _ := strings.Cut(item.Title, " ")
	first := n == 0
	switch {
	case r.URL.Path != "/v1/chat/completions" || body["temperature"] != 0.0 || body["model"] != "m1":
		http.Error(w, "not as the API has it", http.StatusNotFound)
	case mood == "limited" && n < 2:
		w.Header().Set("Retry-After", "0")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case mood == "ill" && first:
		http.Error(w, "oops", http.StatusBadGateway)
	case mood == "cut" && first:
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"choices": [`)
		panic(http.ErrAbortHandler)
	case mood == "huge" && first:
		for range 40 {
			io.WriteString(w, strings.Repeat("x", 64<<10))
		}
	case mood == "slow" && first:
		<-r.Context().Done()
	case mood == "portal" || mood == "odd" && first:
		io.WriteString(w, "<html>Welcome to the hotel</html>")
	case mood == "prose":
		completed(w, "Sure, here it is:\n```json\n"+good+"\n```\nAnything else?")
	case mood == "wrong" && first, mood == "liar":
		completed(w, "This is about a fire.")
	case mood == "two":
		completed(w, good+good)
	case mood == "denied":
		http.Error(w, "key "+theKey+" is not valid", http.StatusUnauthorized)
	case mood == "echo":
		echo := base64.StdEncoding.EncodeToString([]byte("Bearer " + theKey))
		w.Header().Set("Retry-After", "0")
		http.Error(w, "bad key "+echo+" or "+hex.EncodeToString([]byte(theKey)), http.StatusUnauthorized)
	case mood == "status":
		conn, _, _ := w.(http.Hijacker).Hijack()
		fmt.Fprintf(conn, "HTTP/1.1 503 no %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", theKey)
		conn.Close()
	case mood == "garbage":
		conn, _, _ := w.(http.Hijacker).Hijack()
		fmt.Fprintf(conn, "%s\r\n\r\n", theKey)
		conn.Close()
	case mood == "answer":
		completed(w, `Your key is \u0073k-very-secret or `+base64.RawURLEncoding.EncodeToString([]byte("x"+theKey))+": "+good)
	case mood == "moved":
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	case mood == "unfit":
		http.Error(w, "no such model", http.StatusBadRequest)
	case mood == "none":
		completed(w, `{"labels": []}`)
	default:
		completed(w, good)
	}
}

// chatCase runs label with the source http over some titles.
type chatCase struct {
	o       HTTP
	store   *storage.Store
	offline bool
	context context.Context
	mayPay  float64
	set     func(o *Options) // further options
	env     func(env *stages.Env)
}

func (c chatCase) run(t *testing.T, e *endpoint, titles ...string) (*stagetest.Result, []rows.Row, *Report) {
	t.Helper()
	t.Setenv("CHAT_KEY", theKey)
	var set []rows.Row
	for i, title := range titles {
		set = append(set, rows.Row{ID: fmt.Sprint(i), Title: title})
	}
	c.o.Endpoint, c.o.Model, c.o.Key, c.o.Text, c.o.Format, c.o.PriceIn, c.o.PriceOut = "chat", "m1", "env:CHAT_KEY", []string{"title"}, "json_schema", 1, 10
	if c.o.Concurrency == 0 {
		c.o.Concurrency = 3
	}
	if c.o.MaxCalls == 0 {
		c.o.MaxCalls = 100
	}
	if c.o.Timeout == 0 {
		c.o.Timeout = time.Minute
	}
	kind := Kind()
	kind.New = func(o any, env stages.Env) stages.Stage {
		return &stage{o: o.(*Options), env: env, pause: time.Millisecond}
	}
	o := &Options{Source: []string{"rules", "http"}, Rules: "taxonomy", Abstain: true, Combine: "chain", Conflict: "max", Empty: "warn", HTTP: c.o}
	if c.set != nil {
		c.set(o)
	}
	res := stagetest.Run(t, stagetest.Case{
		Kind: kind, Options: o, Store: c.store, Offline: c.offline, Context: c.context,
		Inputs: map[string]any{"articles": parquet(t, set, nil)}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyText)},
		Env: func(env *stages.Env) {
			if env.Endpoints, env.MayPay = map[string]string{"chat": e.URL + "/v1"}, c.mayPay; c.env != nil {
				c.env(env)
			}
		},
	})
	if shows(res.Log) || res.Err != nil && (shows(res.Err.Error()) || shows(fmt.Sprintf("%+v", res.Err))) {
		t.Errorf("the key is in the log or the error: %v\n%s", res.Err, res.Log)
	}
	if res.Err != nil {
		return res, nil, nil
	}
	report := &Report{}
	if err := json.Unmarshal(res.File(t, "label_report"), report); err != nil {
		t.Fatal(err)
	}
	list, _, err := rows.DecodeParquet(strings.NewReader(string(res.File(t, "labelled"))))
	if err != nil {
		t.Fatal(err)
	}
	return res, list, report
}

// TestHTTP: whatever goes wrong on the way, rows that no rule decides get the
// label that the endpoint gives in the end; nothing is paid twice.
func TestHTTP(t *testing.T) {
	e := newEndpoint(t)
	store := stagetest.Store(t)
	titles := []string{"fire by rule", "plain", "limited", "ill", "cut", "huge", "odd", "prose", "wrong", "none", "two"}
	c := chatCase{o: HTTP{MaxBad: 0.2}, store: store}
	res, got, report := c.run(t, e, titles...)
	if res.Err != nil {
		t.Fatal(res.Err, res.Log)
	}
	for i, r := range got {
		want := rows.Label{Score: 0.9, Tag: "big"}
		source := "http"
		switch titles[i] {
		case "fire by rule":
			want, source = rows.Label{Score: 0.8}, "rules"
		case "none":
			want = rows.Label{}
		case "two":
			want, source = rows.Label{Abstain: true}, ""
		}
		if r.Labels[0] != want || r.LabelSource != source {
			t.Errorf("%s: %+v by %q", titles[i], r.Labels[0], r.LabelSource)
		}
	}
	if e.key != "Bearer "+theKey || e.asked["fire by rule"] != 0 || e.asked["limited"] != 3 || e.asked["wrong"] != 2 || e.asked["two"] != 2 {
		t.Errorf("key %q, asked %v", e.key, e.asked)
	}
	// 10 rows, wrong and two answered twice; tokens at 1 and 10 a million.
	want := httpCount{Model: "m1", Prompt: 1, Rows: 10, Asked: 10, Answers: 12, Bad: 3, Unlabeled: 1, TokensIn: 1200, TokensOut: 120, Cost: 0.0024}
	if *report.HTTP != want {
		t.Errorf("report %+v, want %+v", report.HTTP, want)
	}
	format, _ := e.bodies[0]["response_format"].(map[string]any)
	if format["type"] != "json_schema" {
		t.Errorf("response_format %v", format)
	}
	// Again, offline even: every answer is kept, and the outputs are the same.
	before := e.total()
	c.offline = true
	again, _, _ := c.run(t, e, titles...)
	if again.Err != nil || e.total() != before {
		t.Errorf("second run: %v, %d requests more", again.Err, e.total()-before)
	}
	if again.Outputs["labelled"].Digest != res.Outputs["labelled"].Digest || again.Outputs["label_report"].Digest != res.Outputs["label_report"].Digest {
		t.Error("a second run gives other outputs")
	}
	if n := again.Notes["http"].(map[string]any); n["calls"] != 0 || n["spent"] != 0.0 || n["kept_answers"] != 12 {
		t.Errorf("note %v", n)
	}
	var f *stages.Failure
	if miss, _, _ := c.run(t, e, "never seen"); !errors.As(miss.Err, &f) || f.Code != stages.CodeEnvironment {
		t.Errorf("offline without an answer: %v", miss.Err)
	}
}

func TestHTTPFailures(t *testing.T) {
	for title, want := range map[string]struct {
		code stages.Code
		lost bool
		text string
	}{
		"denied":  {stages.CodeEnvironment, false, "***"},
		"echo":    {stages.CodeEnvironment, false, "***"},
		"status":  {stages.CodeEnvironment, true, "***"},
		"garbage": {stages.CodeEnvironment, true, "***"},
		"moved":   {stages.CodeEnvironment, false, "redirection"},
		"unfit":   {stages.CodePlan, false, "no such model"},
		"portal":  {stages.CodeEnvironment, true, "no chat completion"},
		"liar":    {stages.CodeStage, false, "1 of 1 rows have no usable answer"},
	} {
		e := newEndpoint(t)
		res, _, _ := chatCase{o: HTTP{MaxBad: 0.5}}.run(t, e, title)
		var f *stages.Failure
		if !errors.As(res.Err, &f) || f.Code != want.code || f.Lost != want.lost || !strings.Contains(f.Error(), want.text) || f.Hint == "" {
			t.Errorf("%s: %v (%+v)", title, res.Err, f)
		}
		if strings.Contains(res.Log, e.URL) || strings.Contains(fmt.Sprint(res.Err), e.URL) {
			t.Errorf("%s: the address is in %v", title, res.Err)
		}
	}
}

// TestKeptAnswersHoldNoKey: an endpoint cannot put the key into the store.
func TestKeptAnswersHoldNoKey(t *testing.T) {
	e := newEndpoint(t)
	store := stagetest.Store(t)
	if res, _, _ := (chatCase{store: store}).run(t, e, "answer 1"); res.Err != nil {
		t.Fatal(res.Err)
	}
	kept := 0
	for info, err := range store.List(t.Context(), "answers/") {
		if err != nil {
			t.Fatal(err)
		}
		kept++
		body, _, err := store.Read(t.Context(), info.Key)
		if err != nil || shows(string(body)) || !bytes.Contains(body, []byte("***")) {
			t.Errorf("%s: %s (%v)", info.Key, body, err)
		}
	}
	if kept == 0 {
		t.Error("no answer was kept")
	}
}

// TestHTTPSlow: a request that gets no answer in time is tried again.
func TestHTTPSlow(t *testing.T) {
	e := newEndpoint(t)
	res, got, _ := chatCase{o: HTTP{Timeout: 300 * time.Millisecond}}.run(t, e, "slow")
	if res.Err != nil || got[0].Labels[0].Score != 0.9 || e.asked["slow"] < 2 {
		t.Errorf("%v, asked %v", res.Err, e.asked)
	}
}

// TestHTTPKilled: the answers before a stop are kept; the next attempt asks for
// the others alone.
func TestHTTPKilled(t *testing.T) {
	e := newEndpoint(t)
	store := stagetest.Store(t)
	ctx, cancel := context.WithCancel(t.Context())
	var titles []string
	for i := range 30 {
		titles = append(titles, fmt.Sprintf("plain %d", i))
	}
	go func() {
		for e.total() < 10 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	res, _, _ := chatCase{store: store, context: ctx, o: HTTP{Concurrency: 1}}.run(t, e, titles...)
	if !errors.Is(res.Err, context.Canceled) {
		t.Skip("it was done before it could be stopped:", res.Err)
	}
	before := e.total()
	res, got, _ := chatCase{store: store, o: HTTP{Concurrency: 1}}.run(t, e, titles...)
	if res.Err != nil || len(got) != 30 {
		t.Fatal(res.Err)
	}
	// The request that was under way was waited for.
	if more := e.total() - before; more != 30-before {
		t.Errorf("%d before, %d after: some were paid twice", before, more)
	}
}

// TestMaxCalls: the cap counts every answer, second tries too, first rows first.
func TestMaxCalls(t *testing.T) {
	e := newEndpoint(t)
	res, got, report := chatCase{o: HTTP{MaxCalls: 3, MaxBad: 1}}.run(t, e, "liar", "plain 1", "plain 2", "plain 3")
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	if e.total() != 3 || report.HTTP.Asked != 3 || report.HTTP.Unlabeled != 1 || got[2].LabelSource != "http" || got[3].LabelSource != "" || !strings.Contains(res.Log, "max_calls") {
		t.Errorf("%d requests, %+v", e.total(), report.HTTP)
	}
}

func TestEndpoints(t *testing.T) {
	env := stages.Env{Secret: func(string) (string, error) { return "", errors.New("the environment variable X is empty") }}
	for address, key := range map[string]string{"": "", "ftp://x": "", "https://user:pw@x/v1": "", "https://x/v1?key=1": "", "https://x/v1": "env:X"} {
		if env.Endpoints = map[string]string{"chat": address}; address == "" {
			env.Endpoints = nil
		}
		_, err := (&HTTP{Endpoint: "chat", Key: key}).client(env, 0)
		var f *stages.Failure
		if !errors.As(err, &f) || f.Code != stages.CodeEnvironment || f.Hint == "" || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
