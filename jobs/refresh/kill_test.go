package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "play-refresh" {
		os.Exit(playRefresh(context.Background(), os.Args[2]))
	}
	os.Exit(inmemory.Run(m))
}

// playRefresh is a process that refreshes the world of a folder in its second month. It
// prints how many operations on the store that took.
func playRefresh(ctx context.Context, dir string) int {
	injector, err := faults.Open(os.Getenv(faults.Env))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s, err := storage.Open(ctx, filepath.Join(dir, "store"), &storage.Options{Around: injector.Around})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out, err := place{dir: dir, store: s}.refresh(ctx, &toyRuns{rows: world{drift: 1}.window(5, 200)}, month(2))
	s.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(len(injector.Ops()), out.Decision)
	return 0
}

// child runs playRefresh with a fault; killed says that it died of it.
func child(t *testing.T, dir, fault string) (ops int, decision string, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "play-refresh", dir)
	cmd.Env = append(os.Environ(), faults.Env+"="+fault)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == -1 && fault != "":
		return 0, "", true
	case err != nil:
		t.Errorf("%s: %v: %s", fault, err, stderr.String())
		return 0, "", false
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	ops, err = strconv.Atoi(first)
	if err != nil {
		t.Errorf("%s: it said %q", fault, out)
	}
	return ops, rest, false
}

// wholeRegistry holds that nothing of the model is doubled or halved: two releases, all
// bytes of each, latest at the second, and one decision on it.
func wholeRegistry(t *testing.T, what, dir, decision string) {
	t.Helper()
	s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	registry := models.In(s)
	releases, err := registry.Releases(t.Context(), "world")
	if err != nil || len(releases) != 2 {
		t.Errorf("%s: %d releases, %v", what, len(releases), err)
		return
	}
	for _, r := range releases {
		for _, f := range r.Files {
			if _, err := s.Verify(t.Context(), f.Digest, f.Size); err != nil {
				t.Errorf("%s: %s@%d: %v", what, r.Name, r.Version, err)
			}
			if digest, _, err := s.Digest(t.Context(), models.FileKey(r.Name, r.Version, f.Path)); err != nil || digest != f.Digest {
				t.Errorf("%s: the copy of %s of %s@%d is %s, %v", what, f.Path, r.Name, r.Version, digest, err)
			}
		}
	}
	if v, err := registry.AliasVersion(t.Context(), "world", models.Latest); err != nil || v != 2 {
		t.Errorf("%s: latest is %d, %v", what, v, err)
	}
	var decided []int
	for _, alias := range []string{models.Champion, refresh.Refused} {
		moves, err := registry.History(t.Context(), "world", alias, 0)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
		for _, m := range moves {
			decided = append(decided, m.Version)
		}
	}
	slices.Sort(decided)
	if !slices.Equal(decided, []int{1, 2}) {
		t.Errorf("%s: decisions on %v, want one on each of 1 and 2", what, decided)
	}
	champion, err := registry.AliasVersion(t.Context(), "world", models.Champion)
	if want := map[string]int{refresh.Promoted: 2, refresh.NotPromoted: 1}[decision]; err != nil || champion != want {
		t.Errorf("%s: the champion is %d, want %d (%v)", what, champion, want, err)
	}
}

// TestKillEveryOperation kills a refresh before, after, and after with a lost reply, of the
// operations on its store: of every one in the longest tier, of some in the shorter ones.
// The next one ends as if nobody had disturbed the first.
func TestKillEveryOperation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a killed process looks like one that ended with 1")
	}
	for name, change := range map[string]string{"promoted": "min_change: -1", "refused": "min_change: 0.9"} {
		t.Run(name, func(t *testing.T) { killEvery(t, change, name) })
	}
}

func killEvery(t *testing.T, rule, decision string) {
	prepared := t.TempDir()
	s, err := storage.Open(t.Context(), filepath.Join(prepared, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlace(prepared, s, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, "+rule, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.refresh(t.Context(), &toyRuns{rows: world{}.window(1, 200)}, month(1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	again := func() string {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(prepared)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	whole := again()
	ops, got, _ := child(t, whole, "")
	if got != decision {
		t.Fatalf("undisturbed: %s, want %s", got, decision)
	}
	wholeRegistry(t, "undisturbed", whole, decision)
	var cases []string
	for n := 1; n <= ops; n++ {
		for _, mode := range []faults.Mode{faults.KillBefore, faults.KillAfter, faults.KillLost} {
			cases = append(cases, fmt.Sprintf("%s@%d", mode, n))
		}
	}
	step := []int{23, 5, 1}[jobstest.Tier]
	var mu sync.Mutex
	var wg sync.WaitGroup
	killed, slots := 0, make(chan struct{}, 2)
	for i := int(time.Now().UnixNano() % int64(step)); i < len(cases); i += step {
		slots <- struct{}{}
		dir, fault := again(), cases[i]
		wg.Go(func() {
			defer func() { <-slots }()
			if _, _, died := child(t, dir, fault); died {
				mu.Lock()
				killed++
				mu.Unlock()
			}
			child(t, dir, "")
			wholeRegistry(t, fault, dir, decision)
		})
	}
	wg.Wait()
	t.Logf("%d operations; %d refreshes were killed", ops, killed)
	if killed == 0 {
		t.Error("no refresh was killed")
	}
}
