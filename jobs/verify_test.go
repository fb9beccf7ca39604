package jobs_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// unvouched are the objects that nothing rests on, so that nothing vouches for
// them: what was logged, marks, and the pointers by which explain finds what to
// compare with.
var unvouched = []string{"/logs/", "/events/", "last/", "kept/", "quarantine/"}

// harms are what may happen to stored bytes. swap gets those of another object of
// the same kind.
var harms = map[string]func(data, other []byte, at int) []byte{
	"flip":   func(data, _ []byte, at int) []byte { data[at/8%len(data)] ^= 1 << (at % 8); return data },
	"cut":    func(data, _ []byte, at int) []byte { return data[:at%len(data)] },
	"extend": func(data, _ []byte, _ int) []byte { return append(data, '\n') },
	"swap":   func(_, other []byte, _ int) []byte { return other },
}

// TestEveryObjectChecked damages every object of two finished runs of sixPlan,
// which have blobs, manifests, checkpoints, leases, a release each with an alias,
// and the records of the runs: each damage is found by an audit before anything
// is done with it. The next runs end as the first, or with an integrity error that
// names the object; and after them all that a result rests on is whole again.
func TestEveryObjectChecked(t *testing.T) {
	origin, dir := filepath.Join(t.TempDir(), "store"), t.TempDir()
	again := func(store string, force bool) (out [2]sixReport) {
		for i := range out {
			var err error
			out[i], err = runSix(t.Context(), dir, store, faults.New(nil), func(b *jobstest.Bench) {
				b.Set = [][]string{nil, {"make.text=y"}}[i] // a second of each, to swap with
				b.Tweak = func(r *jobs.Runner) {
					r.Parallel = 1
					if force {
						r.Select.Force = []string{"ship"}
					}
				}
			})
			if err != nil {
				out[i].Code, out[i].Error = executor.Code(err), err.Error()
			}
		}
		return out
	}
	want := again(origin, false)
	s, err := storage.Open(t.Context(), origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, err := runs.List(t.Context(), s, 9)
	if err != nil || len(ids) != 2 || want[0].Code+want[1].Code != 0 {
		t.Fatalf("%d runs, %v; %+v", len(ids), err, want)
	}
	for _, err := range []error{
		runs.SetPin(t.Context(), s, ids[0], true, ""), runs.SetPin(t.Context(), s, ids[1], false, ""),
		models.In(s).SetAlias(t.Context(), "toy", "other", 1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if bad := audit(t, origin); len(bad) != 0 {
		t.Fatalf("an undisturbed store has damages %q", bad)
	}
	keys, content := objects(t, s), map[string][]byte{}
	outputs := map[string]bool{}
	for _, report := range want {
		for _, digest := range report.Digests {
			key, err := storage.BlobKey(digest)
			if err != nil {
				t.Fatal(err)
			}
			outputs[key] = true
		}
	}
	for _, key := range keys {
		if content[key], err = os.ReadFile(filepath.Join(origin, filepath.FromSlash(key))); err != nil {
			t.Fatal(err)
		}
	}
	step, seed := []int{9, 1, 1}[jobstest.Tier], int(time.Now().UnixNano()%(1<<40))
	if text := os.Getenv("AUDIT_SEED"); text != "" { // a replay
		if seed, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var tried, found, right, refused, free int
	for i := seed % step; i < len(keys)*len(harms); i += step {
		key, harm := keys[i/len(harms)], slices.Sorted(maps.Keys(harms))[i%len(harms)]
		if slices.ContainsFunc(unvouched, func(p string) bool { return strings.Contains(key, p) }) {
			free++
			continue
		}
		tried++
		what := fmt.Sprintf("%s of %s (AUDIT_SEED=%d)", harm, key, seed)
		bad := harms[harm](bytes.Clone(content[key]), content[partner(key, keys, content)], seed+17*i)
		if bytes.Equal(bad, content[key]) {
			t.Errorf("%s: nothing was harmed", what)
			continue
		}
		store := filepath.Join(t.TempDir(), "store")
		if err := os.CopyFS(store, os.DirFS(origin)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(store, filepath.FromSlash(key)), bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if injector := audit(t, store); slices.Equal(injector, []string{key}) {
			found++
		} else {
			t.Errorf("%s: the audit finds %q", what, injector)
		}
		whole := true
		for i, got := range again(store, strings.HasPrefix(key, "models/")) {
			switch {
			case got.Code == 9 && strings.Contains(got.Error, key):
				whole = false
			case got.Code != 0 || !maps.Equal(got.Digests, want[i].Digests):
				whole = false
				t.Errorf("%s: the next run ends with %d %s, %v", what, got.Code, got.Error, got.Digests)
			}
		}
		if !whole {
			refused++
			continue
		}
		right++
		// Of the blobs those that a manifest names: checkpoints and what a toy
		// put beside its outputs nobody makes again.
		rested := []string{"manifests/", "models/toy/1/", "models/toy/2/", "models/toy/aliases/latest"}
		if left := audit(t, store); len(left) > 0 && (outputs[key] || slices.ContainsFunc(rested, func(p string) bool { return strings.HasPrefix(key, p) })) {
			t.Errorf("%s: after the next run %q are damaged", what, left)
		}
	}
	t.Logf("%d objects: %d damages tried, %d found; the next run was right after %d and refused %d; %d damages of logs, journals and marks, which nothing rests on",
		len(keys), tried, found, right, refused, free)
	if found != tried || tried < 300/step {
		t.Errorf("%d of %d damages were found", found, tried)
	}
}

// partner is another object to swap with, of the same kind if one has other bytes.
func partner(key string, keys []string, content map[string][]byte) (other string) {
	like := func(k string) string {
		if rest, ok := strings.CutPrefix(k, "runs/"); ok {
			_, name, _ := strings.Cut(rest, "/")
			return "runs/" + name
		}
		if rest, ok := strings.CutPrefix(k, "models/toy/"); ok {
			of, name, _ := strings.Cut(rest, "/")
			if of != "aliases" {
				return "models/" + name
			}
			return "aliases"
		}
		parts := strings.Split(k, "/")
		return strings.Join(parts[:min(2, len(parts)-1)], "/")
	}
	for _, k := range keys {
		switch {
		case bytes.Equal(content[k], content[key]):
		case like(k) == like(key):
			return k
		default:
			other = k
		}
	}
	return other
}

// audit lists the damaged objects of a store.
func audit(t *testing.T, url string) (bad []string) {
	t.Helper()
	s, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := integrity.Checker{Store: s, Read: integrity.Everything()}.Whole(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Faults {
		bad = append(bad, f.Key)
	}
	return bad
}
