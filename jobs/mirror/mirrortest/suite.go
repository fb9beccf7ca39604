// Package mirrortest is what every registry that can be a mirror must do, and what must
// come of one that is down, slow, refuses, or has other things under our names. suite.go
// lists it, moving.go kills what moves an alias, fault.go breaks the way to a registry,
// together.go has several bring a mirror up to date, processes.go kills real ones.
package mirrortest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Model is the name of the model that the suite publishes.
const Model = "news"

// Server is a registry of one test. What it tells it reads in another way than the mirror
// under test.
type Server interface {
	// Open makes the registry under test; its requests go through transport.
	Open(t *testing.T, transport http.RoundTripper) mirror.Registry
	// Files are the digests, sha256:HEX, of the files of the release that a version or an
	// alias names, by path; nil if there is no such name.
	Files(t *testing.T, name string) map[string]string
	// Things lists all that could be there twice.
	Things(t *testing.T) []string
	// Foreign puts what is no release of ours under the name of a version. What reports
	// whether it is still there as it was.
	Foreign(t *testing.T, version string) (whole func() bool)
	// Move makes an alias name a version by hand.
	Move(t *testing.T, alias, version string)
}

// Subject is a kind of registry.
type Subject struct {
	To  string                      // a target of a plan of that kind
	New func(t *testing.T) Server   // starts an empty one
	Few bool                        // kill at some operations alone: each is slow
	Own func(path string) (ok bool) // reports the files that the kind itself adds to a release
	Say string                      // in remarks that the kind always makes
}

// Run holds a kind of registry to what every one must do.
func Run(t *testing.T, s Subject) {
	t.Run("Push", s.push)
	t.Run("Again", s.twice)
	t.Run("TwoAtOnce", s.twoAtOnce)
	t.Run("Foreign", s.foreign)
	t.Run("TwoStores", s.twoStores)
	t.Run("MovedByHand", s.movedByHand)
	t.Run("Down", s.down)
	t.Run("Slow", s.slow)
	t.Run("Refuses", s.refuses)
	t.Run("KilledAtEveryOperation", s.killed)
	t.Run("KilledMovingAnAlias", s.killedMoving)
	t.Run("DamagedHere", s.damagedHere)
}

// world is a store with two versions of a model, and a registry.
type world struct {
	store  *storage.Store
	folder string // of a store on the disk
	server Server
	target stages.Mirror
	trees  map[string]map[string]string // digests of files, by version
	own    func(path string) bool
	say    string // in remarks that are no news
}

func (s Subject) world(t *testing.T) *world {
	t.Helper()
	return s.worldOn(t, "mem://")
}

// worldOn is a world whose store is at an address, and empty.
func (s Subject) worldOn(t *testing.T, address string) *world {
	t.Helper()
	w := s.beside(t, address, s.New(t))
	w.publish(t, "1", "one")
	w.publish(t, "2", "two")
	w.alias(t, models.Champion, 1)
	w.alias(t, models.Latest, 2)
	return w
}

// beside is a world without a model, whose store is at an address and shown at a server.
func (s Subject) beside(t *testing.T, address string, server Server) *world {
	t.Helper()
	store, err := storage.Open(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &world{store: store, server: server, target: stages.Mirror{To: s.To, Timeout: time.Minute}, trees: map[string]map[string]string{}, own: s.Own, say: s.Say}
}

// publish publishes a version whose files tell of themselves.
func (w *world) publish(t *testing.T, version, text string) {
	t.Helper()
	var entries []storage.TreeEntry
	w.trees[version] = map[string]string{}
	for path, data := range map[string]string{
		"README.md": "# card of " + text, "config.json": `{"of":"` + text + `"}`, "model.safetensors": strings.Repeat(text, 40_000), "manifest.json": `{"is":"` + text + `"}`,
		"taxonomy.yaml": "the same in all", "deep/er/file.txt": text,
	} {
		a, err := w.store.Put(t.Context(), strings.NewReader(data), "")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: path, Digest: a.Digest, Size: a.Size})
		w.trees[version][path] = a.Digest
	}
	tree, err := w.store.PutTree(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(w.store).Publish(t.Context(), Model, tree, nil); err != nil {
		t.Fatal(err)
	}
}

func (w *world) alias(t *testing.T, alias string, version int) {
	t.Helper()
	if err := models.In(w.store).SetAlias(t.Context(), Model, alias, version); err != nil {
		t.Fatal(err)
	}
}

// push brings the mirror up to date, and returns its state.
func (w *world) push(ctx context.Context, t *testing.T, transport http.RoundTripper) (mirror.State, error) {
	t.Helper()
	p := mirror.Pusher{Store: w.store, Log: slog.New(slog.DiscardHandler), TTL: 2 * time.Second, Open: func(stages.Mirror) (mirror.Registry, error) { return mirror.Hiding(w.server.Open(t, transport)) }}
	states, err := p.Push(ctx, Model, []stages.Mirror{w.target})
	if err != nil {
		return mirror.State{}, err
	}
	return states[0], nil
}

func (w *world) mustPush(t *testing.T, transport http.RoundTripper) mirror.State {
	t.Helper()
	s, err := w.push(t.Context(), t, transport)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := mirror.States(t.Context(), w.store, Model)
	if err != nil || len(kept) != 1 || kept[0].Error != s.Error || kept[0].Tries != s.Tries {
		t.Fatalf("the store knows %+v (%v) of %+v", kept, err, s)
	}
	s.Remarks = slices.DeleteFunc(s.Remarks, func(text string) bool { return w.say != "" && strings.Contains(text, w.say) })
	if len(s.Remarks) == 0 {
		s.Remarks = nil
	}
	return s
}

// shows demands that names there have the files of versions of ours; of "" nothing.
func (w *world) shows(t *testing.T, want map[string]string) {
	t.Helper()
	for name, version := range want {
		files := w.server.Files(t, name)
		if w.own != nil {
			maps.DeleteFunc(files, func(path, _ string) bool { return w.own(path) })
		}
		if version == "" && files != nil || version != "" && !maps.Equal(files, w.trees[version]) {
			t.Errorf("%s shows %v there, want version %q", name, files, version)
		}
	}
}

// ours demands that the store's own aliases are where they were put.
func (w *world) ours(t *testing.T, champion, latest int) {
	t.Helper()
	for alias, want := range map[string]int{models.Champion: champion, models.Latest: latest} {
		if got, err := models.In(w.store).AliasVersion(t.Context(), Model, alias); err != nil || got != want {
			t.Errorf("our alias %s names version %d (%v), want %d", alias, got, err, want)
		}
	}
}

var both = map[string]string{"1": "1", "2": "2", models.Champion: "1", models.Latest: "2"}

// push: versions and aliases are there; an alias that moves here moves there.
func (s Subject) push(t *testing.T) {
	w := s.world(t)
	if got := w.mustPush(t, nil); got.Error != "" || got.Tries != 0 || !maps.Equal(got.Aliases, map[string]int{models.Champion: 1, models.Latest: 2}) || got.Remarks != nil {
		t.Errorf("state %+v", got)
	}
	w.shows(t, both)
	w.alias(t, models.Champion, 2)
	if got := w.mustPush(t, nil); got.Error != "" || got.Remarks != nil {
		t.Errorf("state %+v", got)
	}
	w.shows(t, map[string]string{"1": "1", "2": "2", models.Champion: "2", models.Latest: "2"})
	w.alias(t, models.Champion, 1) // a rollback
	if got := w.mustPush(t, nil); got.Error != "" || got.Remarks != nil {
		t.Errorf("state %+v", got)
	}
	w.shows(t, both)
}

// twice: what is there is not there twice, also where the store has forgotten that it is.
func (s Subject) twice(t *testing.T) {
	w := s.world(t)
	w.mustPush(t, nil)
	before := w.server.Things(t)
	w.mustPush(t, nil)
	if after := w.server.Things(t); !reflect.DeepEqual(after, before) {
		t.Errorf("there are %v after the second push, before %v", after, before)
	}
	w.forget(t)
	if got := w.mustPush(t, nil); got.Error != "" || got.Remarks != nil {
		t.Errorf("state %+v", got)
	}
	if after := w.server.Things(t); !reflect.DeepEqual(after, before) {
		t.Errorf("there are %v after the third push, before %v", after, before)
	}
}

// forget deletes what the store knows of its mirrors.
func (w *world) forget(t *testing.T) {
	t.Helper()
	for info, err := range w.store.List(t.Context(), "models/"+Model+"/mirrors/") {
		if err == nil {
			err = w.store.Sweep(t.Context(), info.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// foreign: what others put under our name stays, is said, and holds nothing else back.
func (s Subject) foreign(t *testing.T) {
	w := s.world(t)
	whole := w.server.Foreign(t, "1")
	got := w.mustPush(t, nil)
	if said := got.Error + strings.Join(got.Remarks, " "); !strings.Contains(said, "not ours") {
		t.Errorf("it is said %q", said)
	}
	if !whole() {
		t.Error("what somebody else put there is gone")
	}
	w.shows(t, map[string]string{"2": "2", models.Latest: "2"})
	w.ours(t, 1, 2)
}

// movedByHand: an alias that somebody moved there is said, and is ours again.
func (s Subject) movedByHand(t *testing.T) {
	w := s.world(t)
	w.mustPush(t, nil)
	w.server.Move(t, models.Latest, "1")
	w.shows(t, map[string]string{models.Latest: "1"})
	got := w.mustPush(t, nil)
	if said := strings.Join(got.Remarks, " "); got.Error != "" || !strings.Contains(said, "moved there by somebody else") || !strings.Contains(said, models.Latest) {
		t.Errorf("state %+v", got)
	}
	w.shows(t, both)
	w.ours(t, 1, 2)
	if got := w.mustPush(t, nil); got.Remarks != nil {
		t.Errorf("it is said again: %v", got.Remarks)
	}
}

// down: tries are counted, nothing is lost, and the next one makes up for it.
func (s Subject) down(t *testing.T) {
	w := s.world(t)
	for tries := 1; tries <= 2; tries++ {
		got := w.mustPush(t, downTransport{})
		if got.Tries != tries || !strings.HasPrefix(got.Error, "news@1, news@2: ") || strings.Count(got.Error, "connection refused") != 1 {
			t.Errorf("state %+v, want %d tries, and one reason for both versions", got, tries)
		}
	}
	w.ours(t, 1, 2)
	w.shows(t, map[string]string{"1": "", models.Latest: ""})
	if got := w.mustPush(t, nil); got.Error != "" || got.Tries != 0 {
		t.Errorf("state %+v", got)
	}
	w.shows(t, both)
}

// slow: a registry that does not answer costs the time that the plan gives it.
func (s Subject) slow(t *testing.T) {
	w := s.world(t)
	w.target.Timeout = 300 * time.Millisecond
	began := time.Now()
	if got := w.mustPush(t, slowTransport{}); !strings.Contains(got.Error, "did not end in 300ms") || got.Tries != 1 {
		t.Errorf("state %+v", got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	w.ours(t, 1, 2)
}

// refuses: a registry that wants another account is told from one that is down.
func (s Subject) refuses(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		w := s.world(t)
		if got := w.mustPush(t, refusing{status}); !strings.Contains(got.Error, http.StatusText(status)) && !strings.Contains(got.Error, "status "+http.StatusText(status)) && !strings.Contains(got.Error, digits(status)) || got.Tries != 1 {
			t.Errorf("status %d: state %+v", status, got)
		}
		w.ours(t, 1, 2)
	}
}

// killed: whoever ends at any operation, with its request on the way or done, leaves names
// that name whole releases; the next one completes it, and nothing is there twice.
func (s Subject) killed(t *testing.T) {
	calm := s.world(t)
	counting := &killer{}
	calm.mustPush(t, counting)
	want, total := calm.server.Things(t), counting.count()
	if total < 5 {
		t.Fatalf("a push is %d requests", total)
	}
	step := 1
	if s.Few || testing.Short() {
		step = max(1, total/6)
	}
	tried := 0
	for at := 1; at <= total; at += step {
		for _, delivered := range []bool{false, true} {
			w := s.world(t)
			ctx, kill := context.WithCancel(t.Context())
			if _, err := w.push(ctx, t, &killer{at: at, delivered: delivered, kill: kill}); !errors.Is(err, context.Canceled) {
				t.Fatalf("killed at request %d of %d: %v", at, total, err)
			}
			kill()
			for _, name := range []string{"1", "2", models.Champion, models.Latest} {
				if files := w.server.Files(t, name); files != nil {
					w.shows(t, map[string]string{name: both[name]})
				}
			}
			if got := w.mustPush(t, nil); got.Error != "" || got.Remarks != nil {
				t.Errorf("killed at request %d: state %+v", at, got)
			}
			w.shows(t, both)
			if got := w.server.Things(t); !reflect.DeepEqual(got, want) {
				t.Errorf("killed at request %d (delivered %t): there are %v, want %v", at, delivered, got, want)
			}
			tried++
		}
	}
	t.Logf("killed %d times, at up to %d requests", tried, total)
}

// damagedHere: a release whose bytes are not what they were is not shown elsewhere.
func (s Subject) damagedHere(t *testing.T) {
	w := s.world(t)
	digest := w.trees["2"]["model.safetensors"]
	key, err := storage.BlobKey(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.WriteFile(t.Context(), key, []byte(strings.Repeat("owt", 40_000))); err != nil {
		t.Fatal(err)
	}
	if got := w.mustPush(t, nil); !strings.Contains(got.Error, "news@2") {
		t.Errorf("state %+v", got)
	}
	w.shows(t, map[string]string{"1": "1", models.Champion: "1", "2": "", models.Latest: ""})
}

// Fill shows the suite's model at a registry.
func Fill(t *testing.T, server Server) {
	t.Helper()
	w := Subject{To: "oci://registry.example/team/news", New: func(*testing.T) Server { return server }}.world(t)
	if got := w.mustPush(t, nil); got.Error != "" {
		t.Fatal(got.Error)
	}
}
