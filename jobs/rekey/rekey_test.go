package rekey_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/rekey"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/record"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// fill makes a store that holds one of every kind of object.
func fill(t *testing.T, b *jobstest.Bench) {
	t.Helper()
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	b.MustRun(0, "cached cached cached cached")
	b.Set = []string{"slow.text=other", "slow.end=lost"} // its record has another end
	if r, err := b.Run(); err != nil || r.Code == 0 {
		t.Fatal(r, err)
	}
	b.Set = nil
	dir := t.TempDir()
	err := os.WriteFile(dir+"/state", []byte("x"), 0o644)
	tree, treeErr := b.Store.PutTree(b.Ctx, []storage.TreeEntry{{Path: "end", Digest: res.Stages[3].Outputs["end"].Digest, Size: res.Stages[3].Outputs["end"].Size}})
	if err := errors.Join(err, treeErr); err != nil {
		t.Fatal(err)
	}
	_, err = models.In(b.Store).Publish(b.Ctx, "toy", tree, nil)
	_, cancelErr := runs.Cancel(b.Ctx, b.Store, *res.Run, "")
	if err := errors.Join(err, cancelErr,
		models.In(b.Store).SetAlias(b.Ctx, "toy", "latest", 1),
		b.Store.WriteRecord(b.Ctx, models.MoveKey("toy", "files", 1), []byte(`{"number":1,"version":1}`)), // an alias of that name
		b.Store.SaveCheckpoint(b.Ctx, "slow", strings.Repeat("e", 64), 1, dir),
		b.Store.Bury(b.Ctx, storage.Tombstone{Kind: "slow", Key: strings.Repeat("e", 64), Generation: 1}),
		runs.SetPin(b.Ctx, b.Store, *res.Run, true, ""),
		b.Store.Create(b.Ctx, "answers/aa/a", []byte("{}")),
		runs.AddReadSet(b.Ctx, b.Store, *res.Run, "slow", 1, runs.ReadSet{}),
	); err != nil {
		t.Fatal(err)
	}
}

// standings counts the records and documents of a store, whatever their keys, by
// what a keyring makes of them.
func standings(t *testing.T, b *jobstest.Bench, k *storage.Keyring) map[record.Standing]int {
	t.Helper()
	out := map[record.Standing]int{}
	for _, key := range b.Objects("") {
		data, err := b.Store.ReadFile(b.Ctx, key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		o, err := record.Decode(key, data)
		if err != nil {
			o, err = record.DecodeDocument(key, data)
			if err == nil && !strings.Contains(string(data), `"sealed"`) {
				continue // other JSON
			}
		}
		if err == nil && key != "signed" {
			out[k.Standing(o)]++
		}
	}
	return out
}

// states runs the bench's plan and wants everything cached.
func mustBeCached(b *jobstest.Bench, k *storage.Keyring) {
	b.T.Helper()
	plain := b.Store
	defer func() { b.Store = plain }()
	b.Store = plain.WithKeys(k)
	b.MustRun(0, "cached cached cached cached")
}

// An old store is refused by a runner with a key until it is signed; then all in it
// is signed, and nothing is done again.
func TestRekeyOldStore(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	fill(t, b)
	k := storagetest.Keyring(t, "a")
	plain := b.Store
	b.Store = plain.WithKeys(k)
	if _, err := b.Run(); executor.Code(err) != stages.CodeIntegrity || !strings.Contains(executor.Hint(err), "rekey") {
		t.Errorf("an old store: %v; %s", err, executor.Hint(err))
	}
	b.Store = plain
	before := b.Objects("")
	all := standings(t, b, k)[record.Unsigned]
	if found := unreadable(b, plain.WithKeys(k)); len(found) != all {
		t.Errorf("%d records, a check finds %q", all, found)
	}
	for _, r := range []rekey.Rekeyer{{}, {Unsigned: true}} {
		r.Store = plain.WithKeys(k)
		report, err := r.Run(b.Ctx)
		if err != nil || report.Unsigned != all || report.Current != 0 || (len(report.Refused) == 0) != r.Unsigned {
			t.Errorf("%d records, the dry run says %+v, %v", all, report, err)
		}
	}
	if !slices.Equal(before, b.Objects("")) || standings(t, b, k)[record.Unsigned] != all {
		t.Fatal("a dry run changed the store")
	}
	report, err := rekey.Rekeyer{Store: plain.WithKeys(k), Unsigned: true, Write: true}.Run(b.Ctx)
	if err != nil || report.Unsigned != all || len(report.Refused) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := standings(t, b, k); got[record.Current] != all || len(got) != 1 {
		t.Errorf("after it: %v of %d", got, all)
	}
	mustBeCached(b, k)
	for key, problem := range unreadable(b, plain.WithKeys(k)) {
		t.Errorf("%s: %s", key, problem)
	}
	if err := plain.WithKeys(nil).WriteFile(b.Ctx, "new", nil); !errors.Is(err, storage.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

// unreadable is what a check of the whole store finds.
func unreadable(b *jobstest.Bench, s *storage.Store) map[string]string {
	report, err := integrity.Checker{Store: s}.Whole(b.Ctx)
	if err != nil {
		b.T.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range report.Faults {
		out[f.Key] = string(f.Problem) + ": " + f.Error + "; " + f.Repair
	}
	return out
}

// What a stranger signed, or forged, stays as it is and is named; a check finds it.
func TestRekeyRefuses(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	plain, k := b.Store, storagetest.Keyring(t, "a")
	b.Store = plain.WithKeys(k)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	forged, stranger := b.Objects("manifests/join/")[0], b.Objects("manifests/slow/")[0]
	for key, change := range map[string]func(o record.Object, data []byte) []byte{
		stranger: func(o record.Object, _ []byte) []byte { return storagetest.Keyring(t, "x").Sign(o) },
		forged: func(_ record.Object, data []byte) []byte {
			return storagetest.Forge(t, forged, data, func(body string) string { return strings.Replace(body, `"stage":"join"`, `"stage":"evil"`, 1) })
		},
	} {
		data, err := b.Store.ReadFile(b.Ctx, key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		o, err := record.Decode(key, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Store.WriteFile(b.Ctx, key, change(o, data)); err != nil {
			t.Fatal(err)
		}
	}
	found := unreadable(b, b.Store)
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, []string{forged, stranger}) || !strings.Contains(found[forged], "untrusted: it is not signed; `sprint store rekey` signs") {
		t.Errorf("a check finds %q", found)
	}
	if _, err := b.Run(); executor.Code(err) != stages.CodeIntegrity || !strings.Contains(err.Error(), forged) {
		t.Errorf("a run: %v", err)
	}
	report, err := rekey.Rekeyer{Store: b.Store, Write: true}.Run(b.Ctx)
	if err != nil || len(report.Refused) != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	report, err = rekey.Rekeyer{Store: b.Store, Write: true, Unsigned: true}.Run(b.Ctx)
	if err != nil || !slices.Equal(report.Refused, []string{stranger}) {
		t.Errorf("with --unsigned: %+v, %v", report, err)
	}
}

// While keys are changed a run with both goes on beside the rekey, and one that
// would not believe what is signed anew keeps it from beginning.
func TestRekeyBesideRuns(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	plain := b.Store
	b.Store = plain.WithKeys(storagetest.Keyring(t, "a", "b"))
	fill(t, b)
	for i, c := range []struct {
		runner *storage.Keyring
		refuse bool
	}{{storagetest.Keyring(t, "a", "b"), true}, {storagetest.Keyring(t, "b", "a"), false}} {
		b.Store = plain.WithKeys(c.runner)
		b.Set = []string{fmt.Sprintf("make.text=new%d", i)}
		b.Graph() // it has no mistakes
		began, resume, ended := make(chan struct{}), make(chan struct{}), make(chan string, 1)
		b.Tweak = func(r *jobs.Runner) {
			observer := r.Observer
			var once sync.Once
			r.Observer = jobstest.Observe(func(e runs.Event) {
				observer.Observe(e)
				if e.Stage == "slow" && e.State != nil && *e.State == runs.Running {
					once.Do(func() { close(began); <-resume })
				}
			})
		}
		go func() {
			res, err := b.Run()
			if err == nil {
				err = errors.New(jobstest.States(res))
			}
			ended <- err.Error()
		}()
		select {
		case <-began:
		case end := <-ended:
			t.Fatal("the run ended at once: ", end)
		}
		report, err := rekey.Rekeyer{Store: plain.WithKeys(storagetest.Keyring(t, "b", "a")), Write: true, TTL: 2 * time.Second}.Run(b.Ctx)
		if c.refuse != (executor.Code(err) == stages.CodeLease) || !c.refuse && err != nil {
			t.Errorf("refuse %v: %+v, %v", c.refuse, report, err)
		}
		close(resume)
		if got := <-ended; got != "succeeded succeeded succeeded succeeded" {
			t.Errorf("the run beside it: %s", got)
		}
	}
	// What the run wrote after it was passed over is the new key's too.
	if got := standings(t, b, storagetest.Keyring(t, "b")); len(got) != 1 || got[record.Current] == 0 {
		t.Errorf("after it: %v", got)
	}
}

// A run without a key keeps an old store from being signed, as long as it lives.
func TestRekeyBesideRunWithoutKey(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	const ttl = 600 * time.Millisecond
	if _, err := b.Store.Acquire(b.Ctx, "runs/killed", storage.Holder{Host: "elsewhere", PID: 1}, time.Hour, ""); err != nil { // it renews nothing
		t.Fatal(err)
	}
	lease, err := b.Store.Acquire(b.Ctx, "runs/live", storage.Self(), ttl, "")
	if err != nil {
		t.Fatal(err)
	}
	r := rekey.Rekeyer{Store: b.Store.WithKeys(storagetest.Keyring(t, "a")), Unsigned: true, Write: true, TTL: ttl}
	if _, err := r.Run(b.Ctx); executor.Code(err) != stages.CodeLease || !errors.Is(err, storage.ErrHeld) || !strings.Contains(err.Error(), "runs/live") {
		t.Errorf("beside a live run: %v", err)
	}
	if got := b.Objects("signed"); len(got) != 0 {
		t.Errorf("what was refused left %q", got)
	}
	if err := lease.Release(b.Ctx); err != nil {
		t.Fatal(err)
	}
	if report, err := r.Run(b.Ctx); err != nil || report.Unsigned == 0 || len(report.Refused) != 0 {
		t.Errorf("after its end: %+v, %v", report, err)
	}
}

// A rekey that is cut short at any operation is completed by the next.
func TestRekeyResumes(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	old, now := storagetest.Keyring(t, "a"), storagetest.Keyring(t, "b", "a")
	if _, err := (rekey.Rekeyer{Store: b.Store.WithKeys(old), Unsigned: true, Write: true}).Run(b.Ctx); err != nil {
		t.Fatal(err)
	}
	broke := errors.New("the machine is gone")
	for n := 0; ; n += 7 {
		left := n
		var mu sync.Mutex
		s, err := storage.Open(b.Ctx, b.Store.Source(), &storage.Options{Keys: now, Tries: 1, Around: func(_ context.Context, op, _ string, call func() error) error {
			mu.Lock()
			defer mu.Unlock()
			if left--; left < 0 {
				return broke
			}
			return call()
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = rekey.Rekeyer{Store: s, Write: true}.Run(b.Ctx)
		s.Close()
		mustBeCached(b, now)
		if err == nil {
			break
		}
		if !errors.Is(err, broke) {
			t.Fatal(err)
		}
	}
	if got := standings(t, b, storagetest.Keyring(t, "b")); len(got) != 1 || got[record.Current] == 0 {
		t.Errorf("after it: %v", got)
	}
	mustBeCached(b, storagetest.Keyring(t, "b"))
}
