//go:build unix

package listener_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/listener"
	"github.com/sprint-ml/sprint/jobs/mirror/places"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/program"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

const (
	model  = "news"
	secret = "s3cret-of-the-team"
)

// TestMain lets the test binary guard programs, and be the sprint that one of them kills.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == program.GuardWord {
		os.Exit(program.Guard(os.Args[2:]))
	}
	if folder := os.Getenv("LISTENER_TEST_FOLDER"); folder != "" {
		w := &world{folder: folder, target: target(os.Getenv("LISTENER_TEST_SCRIPT"))}
		store, err := storage.Open(context.Background(), filepath.Join(folder, "store"), nil)
		if err == nil {
			w.store = store
			_, err = w.push(context.Background())
		}
		fmt.Println(err)
		os.Exit(4)
	}
	os.Exit(m.Run())
}

// world is a store with two versions of a model, and a program that is told of them.
type world struct {
	store  *storage.Store
	folder string // where the program starts
	target stages.Mirror
	log    bytes.Buffer
	mu     sync.Mutex // of log
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// hears is a script that notes what it is told.
const hears = `cat >> heard`

func target(script string) stages.Mirror {
	return stages.Mirror{To: "command://team", Timeout: time.Minute, Command: []string{"sh", "-c", script}, Env: []string{"SHOWN"}, Secrets: map[string]string{"TOKEN": "env:TEAM_TOKEN"}}
}

func newWorld(t *testing.T, script string) *world {
	t.Helper()
	w := &world{folder: t.TempDir(), target: target(script)}
	var err error
	if w.store, err = storage.Open(t.Context(), filepath.Join(w.folder, "store"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	for _, f1 := range []string{"0.5", "0.75"} {
		a, err := w.store.Put(t.Context(), strings.NewReader(`{"test":{"rows":40,"macro_f1":`+f1+`,"per_category":{"a":{"f1":`+f1+`}}}}`), "")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := w.store.PutTree(t.Context(), []storage.TreeEntry{{Path: "metrics.json", Digest: a.Digest, Size: a.Size}})
		if err == nil {
			_, err = models.In(w.store).Publish(t.Context(), model, tree, []byte(`{"run":"20261130-120000-abcdef","date":"2026-11-30T12:00:00Z"}`))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.alias(t, models.Latest, 1)
	return w
}

func (w *world) alias(t *testing.T, alias string, version int) {
	t.Helper()
	if err := models.In(w.store).SetAlias(t.Context(), model, alias, version); err != nil {
		t.Fatal(err)
	}
}

// push tells the program what it has not heard.
func (w *world) push(ctx context.Context) (mirror.State, error) {
	open := places.Options{
		Secret: func(ref string) (string, error) {
			if ref != "env:TEAM_TOKEN" {
				return "", errors.New("no such secret")
			}
			return secret, nil
		},
		Listener: listener.Surroundings{Dir: w.folder, Store: "s3://bucket/news", Guard: os.Args[0], Log: slog.New(slog.NewTextHandler(w, nil))},
	}
	p := mirror.Pusher{Store: w.store, Log: slog.New(slog.DiscardHandler), TTL: 2 * time.Second, Open: open.Open}
	states, err := p.Push(ctx, model, []stages.Mirror{w.target})
	if err != nil {
		return mirror.State{}, err
	}
	return states[0], nil
}

func (w *world) mustPush(t *testing.T) mirror.State {
	t.Helper()
	s, err := w.push(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := mirror.States(t.Context(), w.store, model)
	if err != nil || len(kept) != 1 || kept[0].Error != s.Error || kept[0].Tries != s.Tries || !maps.Equal(kept[0].Aliases, s.Aliases) || !maps.Equal(kept[0].Versions, s.Versions) {
		t.Fatalf("the store knows %+v (%v) of %+v", kept, err, s)
	}
	if text := fmt.Sprintf("%+v", kept); strings.Contains(text+w.log.String(), secret) {
		t.Errorf("the secret is repeated: %s, %s", text, w.log.String())
	}
	return s
}

// heard is what the program noted, as ALIAS=VERSION.
func (w *world) heard(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.folder, "heard"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		var e listener.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, fmt.Sprintf("%s=%d", e.Alias, e.Version))
	}
	return out
}

func (w *world) hears(t *testing.T, want ...string) {
	t.Helper()
	if got := w.heard(t); !slices.Equal(got, want) {
		t.Errorf("it heard %v, want %v", got, want)
	}
}

// TestTold: the program reads what happened, once, and again when an alias moves.
func TestTold(t *testing.T) {
	w := newWorld(t, hears)
	if s := w.mustPush(t); s.Error != "" || s.Tries != 0 || s.Remarks != nil || s.Aliases[models.Latest] != 1 {
		t.Errorf("state %+v", s)
	}
	r, err := models.In(w.store).Release(t.Context(), model, "1")
	if err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(filepath.Join(w.folder, "heard"))
	want := `{"model":"news","version":1,"alias":"latest","digest":"` + r.Digest + `","run":"20261130-120000-abcdef","published":"2026-11-30T12:00:00Z","store":"s3://bucket/news","metrics":{"on":"test","rows":40,"macro_f1":0.5}}` + "\n"
	if string(data) != want {
		t.Errorf("it was told %s, want %s", data, want)
	}
	w.mustPush(t)
	w.hears(t, "latest=1")
	w.alias(t, models.Latest, 2)
	w.alias(t, models.Champion, 1)
	if s := w.mustPush(t); s.Remarks != nil || s.Versions[2] == "" {
		t.Errorf("state %+v", s)
	}
	w.hears(t, "latest=1", "champion=1", "latest=2")
	w.alias(t, models.Latest, 1) // a rollback
	w.mustPush(t)
	w.hears(t, "latest=1", "champion=1", "latest=2", "latest=1")
}

// TestAtOnce: of two runs that end at the same time one tells.
func TestAtOnce(t *testing.T) {
	w := newWorld(t, hears+"; sleep 0.3")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if s, err := w.push(t.Context()); err != nil || s.Error != "" {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	both.Wait()
	w.hears(t, "latest=1")
}

// TestFails: a program that fails is behind, which is said without secrets, and is told what it
// did not take, no more, by the next try.
func TestFails(t *testing.T) {
	w := newWorld(t, `if grep -q champion > /dev/null && [ ! -e well ]; then echo "no $TOKEN for champion" >&2; exit 3; fi; echo x >> taken`)
	w.alias(t, models.Champion, 2)
	for tries := 1; tries <= 2; tries++ {
		s := w.mustPush(t)
		if s.Tries != tries || s.Error != "news@2: alias champion: sh ended with exit status 3: no *** for champion" {
			t.Errorf("state %+v, want %d tries", s, tries)
		}
		if _, there := s.Versions[2]; there || !maps.Equal(s.Aliases, map[string]int{models.Latest: 1}) {
			t.Errorf("state %+v", s)
		}
		if behind := s.Behind(map[int][]string{1: {models.Latest}, 2: {models.Champion}}); len(behind) != 1 || behind[0].String() != "champion is not there" {
			t.Errorf("behind is %v", behind)
		}
	}
	if log := w.log.String(); strings.Count(log, `stream=stderr line="no *** for champion"`) != 2 || !strings.Contains(log, "model=news@2 alias=champion") {
		t.Errorf("log: %s", log)
	}
	if err := os.WriteFile(filepath.Join(w.folder, "well"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := w.mustPush(t); s.Error != "" || s.Tries != 0 || s.Aliases[models.Champion] != 2 {
		t.Errorf("state %+v", s)
	}
	if taken, _ := os.ReadFile(filepath.Join(w.folder, "taken")); string(taken) != "x\nx\n" {
		t.Errorf("taken %q times: latest once, champion once", taken)
	}
}

// TestHangs: a program costs the time that the plan gives it, and nothing of it is left.
func TestHangs(t *testing.T) {
	w := newWorld(t, `trap "" TERM; sleep 60 & echo $! > pid; wait; sleep 60`)
	w.target.Timeout = 500 * time.Millisecond
	began := time.Now()
	if s := w.mustPush(t); !strings.Contains(s.Error, "did not end in 500ms") || s.Tries != 1 || len(s.Aliases) != 0 {
		t.Errorf("state %+v", s)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	text, err := os.ReadFile(filepath.Join(w.folder, "pid"))
	var pid int
	if _, scan := fmt.Sscan(string(text), &pid); err != nil || scan != nil {
		t.Fatal(err, scan)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d outlives its time", pid)
		}
	}
	w.target = target(hears)
	if s := w.mustPush(t); s.Error != "" || s.Tries != 0 {
		t.Errorf("state %+v", s)
	}
	w.hears(t, "latest=1")
}

// TestCannotStart: neither a program that is not there nor a secret that is not set is the end
// of anything.
func TestCannotStart(t *testing.T) {
	w := newWorld(t, "")
	for want, change := range map[string]func(*stages.Mirror){
		"cannot start no-such-program-here": func(m *stages.Mirror) { m.Command = []string{"no-such-program-here"} },
		"cannot start ./tell.sh":            func(m *stages.Mirror) { m.Command = []string{"./tell.sh"} },
		"secret TOKEN: no such secret":      func(m *stages.Mirror) { m.Secrets = map[string]string{"TOKEN": "env:OTHER"} },
	} {
		w.target = target(hears)
		change(&w.target)
		if s := w.mustPush(t); !strings.Contains(s.Error, want) || s.Tries == 0 {
			t.Errorf("state %+v, want %s", s, want)
		}
	}
	// It starts in its folder, reads nothing and is told all the same.
	if err := os.WriteFile(filepath.Join(w.folder, "tell.sh"), []byte("#!/bin/sh\nexec echo well > answer\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.target.Command, w.target.Secrets = []string{"./tell.sh"}, nil
	if s := w.mustPush(t); s.Error != "" || s.Tries != 0 || s.Aliases[models.Latest] != 1 {
		t.Errorf("state %+v", s)
	}
	if answer, err := os.ReadFile(filepath.Join(w.folder, "answer")); string(answer) != "well\n" {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestEnvironment: a program gets what the plan passes on, no more.
func TestEnvironment(t *testing.T) {
	t.Setenv("HIDDEN", "no")
	t.Setenv("SHOWN", "yes")
	w := newWorld(t, `echo "hidden=$HIDDEN shown=$SHOWN token=$TOKEN"`)
	if s := w.mustPush(t); s.Error != "" || !strings.Contains(w.log.String(), `line="hidden= shown=yes token=***"`) {
		t.Errorf("state %+v, log %s", s, w.log.String())
	}
}

// TestDamaged: of a release whose figures are not what they were nobody is told.
func TestDamaged(t *testing.T) {
	w := newWorld(t, hears)
	r, err := models.In(w.store).Release(t.Context(), model, "1")
	if err != nil {
		t.Fatal(err)
	}
	key, err := storage.BlobKey(r.Files[0].Digest)
	if err == nil {
		err = w.store.WriteFile(t.Context(), key, bytes.Repeat([]byte("x"), int(r.Files[0].Size)))
	}
	if err != nil {
		t.Fatal(err)
	}
	if s := w.mustPush(t); !strings.Contains(s.Error, "read its figures") || s.Tries != 1 {
		t.Errorf("state %+v", s)
	}
	w.hears(t)
}

// TestKilledBetween: of a sprint that is killed after the program was told, and before that
// was noted, the next one tells the same version again; what was noted before it does not.
func TestKilledBetween(t *testing.T) {
	// The program's parent is its guard, whose parent is sprint.
	w := newWorld(t, hears)
	w.alias(t, models.Champion, 2)
	kills := `tee -a heard | grep -q champion || exit 0; read -r _ _ _ sprint _ < /proc/$PPID/stat; kill -KILL $sprint; sleep 60`
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Logf("without /proc sprint is the program's parent: %v", err)
		kills = `tee -a heard | grep -q champion || exit 0; kill -KILL $PPID; sleep 60`
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LISTENER_TEST_FOLDER="+w.folder, "LISTENER_TEST_SCRIPT="+kills)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	w.hears(t, "latest=1", "champion=2")
	kept, err := mirror.States(t.Context(), w.store, model)
	if err != nil || len(kept) != 1 || !maps.Equal(kept[0].Aliases, map[string]int{models.Latest: 1}) {
		t.Fatalf("the store knows %+v, %v", kept, err)
	}
	if s := w.mustPush(t); s.Error != "" || s.Tries != 0 {
		t.Errorf("state %+v", s)
	}
	w.hears(t, "latest=1", "champion=2", "champion=2")
	w.mustPush(t)
	w.hears(t, "latest=1", "champion=2", "champion=2")
}
