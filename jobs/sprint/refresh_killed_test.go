//go:build unix

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// refreshedFolder is a folder whose plan is refreshed by that block, in its second window,
// with a champion of the first.
func refreshedFolder(t *testing.T, block string, env ...string) *exampleFolder {
	t.Helper()
	e := prepareFolder(t)
	e.env = append(e.env, env...)
	plan, err := os.ReadFile(filepath.Join(e.dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	articles, err := os.ReadFile(filepath.Join(e.dir, "articles.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSpace(string(articles))+"\n", "\n")
	write(t, e.dir, map[string]string{"plan.yaml": string(plan) + "refresh: " + block + "\n", "articles.jsonl": strings.Join(lines[:200], "")})
	if out := e.one(t, "sprint refresh plan.yaml --store store -o json 2>/dev/null"); !strings.Contains(out, `"decision":"promoted"`) {
		t.Fatal(out)
	}
	write(t, e.dir, map[string]string{"articles.jsonl": strings.Join(lines[100:], "")})
	return e
}

// copied is the folder once more.
func (e *exampleFolder) copied(t *testing.T) *exampleFolder {
	t.Helper()
	out := &exampleFolder{dir: t.TempDir(), env: e.env}
	if err := os.CopyFS(out.dir, os.DirFS(e.dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// refresh runs the program until its end, or until it is killed with all that it started
// after some time, unless that is 0. The code is -1 if it was.
func (e *exampleFolder) refresh(t *testing.T, kill time.Duration) (code int, said string) {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), "sprint", "refresh", "plan.yaml", "--store", "store", "-o", "json")
	if program, err := filepath.Abs(os.Args[0]); err != nil {
		t.Fatal(err)
	} else {
		cmd.Path, cmd.Err = program, nil
	}
	var stdout, stderr strings.Builder
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = e.dir, e.env, &stdout, &stderr, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kill > 0 {
		end := time.AfterFunc(kill, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer end.Stop()
	}
	err := cmd.Wait()
	if exit := (*osexec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String() + stderr.String()
}

// decided is what the store holds of the model: digests of its releases, what each alias
// names, and all moves of both aliases by which refreshes decide.
func (e *exampleFolder) decided(t *testing.T) string {
	t.Helper()
	s, err := storage.Open(t.Context(), filepath.Join(e.dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	registry := models.In(s)
	all, err := registry.Releases(t.Context(), "quickstart")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, r := range all {
		fmt.Fprintf(&out, "%d is %s\n", r.Version, r.Digest)
	}
	for _, alias := range []string{models.Latest, models.Champion, refresh.Refused} {
		moves, err := registry.History(t.Context(), "quickstart", alias, 0)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", alias, err)
		}
		for _, m := range slices.Backward(moves) {
			fmt.Fprintf(&out, "%s: %d to %d\n", alias, m.From, m.Version)
		}
	}
	return out.String()
}

// TestRefreshKilled kills the program at random moments of a refresh, its workers with it.
// Run again until it ends it leaves what an undisturbed one leaves, to the digest: no release
// and no decision twice, and the champion moved by the gate alone.
func TestRefreshKilled(t *testing.T) {
	for decision, block := range map[string]string{
		refresh.Promoted:    "{max_age: 0, rows: 1, cooldown: 0, min_change: -1}",
		refresh.NotPromoted: "{max_age: 0, rows: 1, cooldown: 0, min_change: 0.9}",
	} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			prepared := refreshedFolder(t, block)
			whole := prepared.copied(t)
			began := time.Now()
			code, said := whole.refresh(t, 0)
			took := time.Since(began)
			want := whole.decided(t)
			champion := map[string]string{refresh.Promoted: "champion: 1 to 2\n", refresh.NotPromoted: "champion: 0 to 1\nrefused: 0 to 2\n"}[decision]
			if !strings.Contains(said, `"decision":"`+decision+`"`) || !strings.HasSuffix(want, champion) {
				t.Fatalf("undisturbed: code %d, %s\n%s", code, said, want)
			}
			killed := 0
			limit := []time.Duration{4, 15, 60}[jobstest.Tier] * time.Second
			for trial := 0; trial < 2 || (killed == 0 || time.Since(began) < limit) && trial < 12; trial++ {
				e := prepared.copied(t)
				var moments []time.Duration
				for try := 0; ; try++ {
					moment := time.Duration(0)
					if try < 3 {
						moment = time.Millisecond + time.Duration(rand.Int64N(int64(took)))
					}
					moments = append(moments, moment)
					got, said := e.refresh(t, moment)
					if got == -1 && try < 3 {
						killed++
						continue
					}
					if got != code && !strings.Contains(said, `"decision":"not due"`) {
						t.Errorf("%v: it ends with %d, want %d: %s", moments, got, code, said)
					}
					break
				}
				if got := e.decided(t); got != want {
					t.Errorf("%v left\n%s\nwant\n%s", moments, got, want)
				}
				e.ends(t, "0", "sprint store check --store store")
			}
			t.Logf("a refresh takes %s; %d were killed", took.Round(time.Millisecond), killed)
			if killed == 0 {
				t.Error("none was killed")
			}
		})
	}
}
