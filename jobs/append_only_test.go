package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// replaceable are the keys that stay replaceable in an append-only store;
// .github/APPEND-ONLY.md lists them.
var replaceable = regexp.MustCompile(`^/[^/]+/p[0-9]+/(leases|last|kept|quarantine|pins)/|/models/[^/]+/(aliases|mirrors)/`)

// appendOnly is a server of S3 that denies every delete, and every write to a key
// that exists unless the key is replaceable: the condition of a write does not
// count, as with rights that are looked at first.
type appendOnly struct {
	mu     sync.Mutex
	blind  bool                // a look for a blob finds none, as before another's write
	denied map[string][]string // keys by method
}

func (a *appendOnly) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodHead && strings.Contains(q.URL.Path, "/blobs/") && a.unseen() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		writes := q.Method == http.MethodPut || q.Method == http.MethodPost && q.URL.Query().Has("uploadId")
		if q.Method != http.MethodDelete && !writes {
			h.ServeHTTP(w, q)
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		there := httptest.NewRecorder()
		h.ServeHTTP(there, httptest.NewRequest(http.MethodHead, q.URL.Path, nil))
		if q.Method == http.MethodDelete || there.Code == http.StatusOK && !replaceable.MatchString(q.URL.Path) {
			a.denied[q.Method] = append(a.denied[q.Method], q.URL.Path)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
			return
		}
		h.ServeHTTP(w, q)
	})
}

// unseen reports, once after blind was set, that a blob shall not be seen.
func (a *appendOnly) unseen() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.blind
	a.blind = false
	return was
}

// TestAppendOnly: with no right to delete, and none to overwrite but what must stay
// replaceable, a plan with checkpoints and a release runs, is interrupted and
// resumed, and has the outputs that it has in a folder. Only a gc is denied.
func TestAppendOnly(t *testing.T) {
	const plan = jobstest.Plan + "  - name: ship\n"
	options := []string{"refine.times=9", "refine.keep=true", "refine.pace=0s"}
	free := jobstest.NewBench(t, plan)
	free.Set = options
	want := jobstest.Digests(free.MustRun(0, "succeeded succeeded succeeded succeeded succeeded"))

	rights := &appendOnly{denied: map[string][]string{}}
	b := jobstest.NewBench(t, plan)
	s, err := storage.Open(t.Context(), storagetest.S3URL(t, rights.around)(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b.Store = s
	b.Set = append([]string{}, options...)
	b.Set[2] = "refine.pace=50ms" // no part of the key
	ctx, cancel := context.WithCancel(t.Context())
	b.Ctx = ctx
	b.Count.Before = func(stage string, _ int) {
		if stage == "refine" {
			time.AfterFunc(120*time.Millisecond, cancel)
		}
	}
	b.MustRun(75, "succeeded interrupted skipped skipped skipped")
	b.Count.SetBefore(nil)
	b.Ctx, b.Set = t.Context(), options
	if len(b.Objects("checkpoints/")) == 0 {
		t.Error("the interrupted run left no checkpoint")
	}
	if got := jobstest.Digests(b.MustRun(0, "cached succeeded succeeded succeeded succeeded")); !maps.Equal(got, want) {
		t.Errorf("resumed, the outputs are %v, not %v", got, want)
	}
	b.MustRun(0, "cached cached cached cached cached")
	b.Set = append([]string{"slow.text=other"}, options...) // a second release moves the alias
	b.MustRun(0, "cached cached cached succeeded succeeded")
	for method, keys := range rights.denied {
		for _, key := range keys { // a run tries a create on a key of its own, and would sweep it
			if !strings.Contains(key, "/probe/") {
				t.Errorf("the runs asked in vain: %s %s", method, key)
			}
		}
	}
	clear(rights.denied)

	// Who loses a race finds the winner's object, not a missing right.
	for range 2 {
		rights.mu.Lock()
		rights.blind = true
		rights.mu.Unlock()
		if _, err := s.Put(t.Context(), strings.NewReader("the same bytes"), ""); err != nil {
			t.Errorf("a blob that is there: %v", err)
		}
	}
	if len(rights.denied[http.MethodPut]) == 0 {
		t.Error("the second put of a blob was not tried")
	}
	for i, want := range []error{nil, storage.ErrExists} {
		if err := s.Create(t.Context(), "manifests/one", []byte("x")); !errors.Is(err, want) {
			t.Errorf("create %d: %v, want %v", i+1, err, want)
		}
	}

	before := objects(t, s)
	time.Sleep(1100 * time.Millisecond) // the server's clock counts seconds
	_, err = gc.Collector{Store: s, Log: slog.New(slog.DiscardHandler), Settle: time.Millisecond, Delete: true}.Run(t.Context())
	if !errors.Is(err, storage.ErrDenied) || executor.Code(err) != stages.CodeEnvironment || len(rights.denied[http.MethodDelete]) == 0 {
		t.Errorf("gc says %v, code %d", err, executor.Code(err))
	}
	after := strings.Join(objects(t, s), "\n")
	for _, key := range before {
		if !strings.Contains(after, key) {
			t.Errorf("%s is gone", key)
		}
	}
}
