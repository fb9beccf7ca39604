//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestRollbackByCommand: rollback loads the version before, moves the alias and keeps the
// reason; to a version with a damaged byte nothing moves.
func TestRollbackByCommand(t *testing.T) {
	dir := t.TempDir()
	publishToy(t, filepath.Join(dir, "store"), "a")
	publishToy(t, filepath.Join(dir, "store"), "b") // and is champion
	code, stdout, stderr := exec(t, dir, "rollback", "toy", "--device", "go", "--why", "misses storms", "--store", "store")
	if code != 0 || !strings.Contains(stdout, "toy@champion is now version 1, was 2") {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	history := func() (all []struct {
		To       int
		Why      string
		Rollback bool
	}) {
		t.Helper()
		code, stdout, stderr := exec(t, dir, "models", "history", "toy", "--store", "store", "-o", "json")
		if code != 0 {
			t.Fatal(stderr)
		}
		for line := range strings.Lines(stdout) {
			var m struct {
				To       int
				Why      string
				Rollback bool
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	}
	if all := history(); len(all) != 3 || all[0].To != 1 || all[0].Why != "misses storms" || !all[0].Rollback || all[1].Rollback {
		t.Errorf("the history says %+v", all)
	}
	if code, _, stderr := exec(t, dir, "promote", "toy@2", "--store", "store"); code != 0 {
		t.Fatal(stderr)
	}
	s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := models.In(s).Release(t.Context(), "toy", "1")
	if err != nil {
		t.Fatal(err)
	}
	config := ""
	for _, f := range r.Files {
		if f.Path == "config.json" {
			config = f.Digest
		}
	}
	key, err := storage.BlobKey(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "store", filepath.FromSlash(key))
	data, err := os.ReadFile(path)
	if err == nil {
		data[0] ^= 1
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = exec(t, dir, "rollback", "toy", "--device", "go", "--store", "store")
	if code != 9 || stdout != "" || !strings.Contains(stderr, "the alias stays") || !strings.Contains(stderr, config) {
		t.Errorf("to a damaged release: code %d: %s%s", code, stdout, stderr)
	}
	if all := history(); len(all) != 4 || all[0].To != 2 {
		t.Errorf("the history says %+v", all)
	}
}

// killedPromotions is how many promotions and rollbacks are killed.
const killedPromotions = 40

// TestKilledPromotions kills promote and rollback at times of all kinds: the history has no
// gap, and the champion is its last move, to a release that is whole.
func TestKilledPromotions(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	publishToy(t, store, "a")
	publishToy(t, store, "b")
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := func() int {
		t.Helper()
		all, err := models.In(s).History(t.Context(), "toy", models.Champion, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range all {
			from := 0
			if i+1 < len(all) {
				from = all[i+1].Version
			}
			if m.Number != len(all)-i || m.From != from || m.Version == from {
				t.Fatalf("move %d of %d is %+v", len(all)-i, len(all), m)
			}
		}
		r, err := models.In(s).Release(t.Context(), "toy", models.Champion)
		if err == nil {
			err = s.FetchTree(t.Context(), r.Files, t.TempDir())
		}
		if err != nil || r.Version != all[0].Version {
			t.Fatalf("the champion is %d, its last move %+v: %v", r.Version, all[0], err)
		}
		return all[0].Version
	}
	run := func(wait time.Duration) (took time.Duration, killed bool) {
		t.Helper()
		to, words := fmt.Sprint(3-before()), []string{"--store", "store", "--why", "killed"}
		words = append([]string{"promote", "toy@" + to}, words...)
		if to == "1" {
			words = append([]string{"rollback", "toy", "--to", to, "--device", "go"}, words[2:]...)
		}
		began := time.Now()
		p := startProgram(t, dir, words...)
		if wait >= 0 {
			time.AfterFunc(wait, func() { _ = p.Process.Kill() })
		}
		code := p.code(t)
		if code > 0 {
			t.Fatalf("%v: code %d: %s", words, code, p.said.String())
		}
		return time.Since(began), code < 0
	}
	longest := [2]time.Duration{}
	for i := range longest {
		longest[i], _ = run(-1)
	}
	moved, killed := 0, 0
	for n := range killedPromotions {
		at := before()
		// The last third of a command is where it moves.
		whole := longest[at%2]
		if _, dead := run(whole/2 + whole*time.Duration(n%16)/20); dead {
			killed++
		}
		if before() != at {
			moved++
		}
	}
	t.Logf("%d of %d were killed, %d moved the alias", killed, killedPromotions, moved)
	if killed == 0 || moved == 0 {
		t.Errorf("%d of %d were killed, %d moved the alias", killed, killedPromotions, moved)
	}
	run(-1)
	before()
}

// TestNoModelIsCalledACommand: what stands below `sprint models` is no name that publish takes.
func TestNoModelIsCalledACommand(t *testing.T) {
	seen := 0
	for _, c := range newRoot(&app.App{}).Commands() {
		if c.Name() != "models" {
			continue
		}
		for _, sub := range c.Commands() {
			seen++
			o := &publish.Options{Name: sub.Name(), Alias: "latest"}
			if problems := o.Check(); len(problems) != 1 || !strings.Contains(fmt.Sprint(problems), "is a command of `sprint models`") {
				t.Errorf("a model may be called %s: %v", sub.Name(), problems)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d commands", seen)
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "rows.jsonl": goodRows(), "plan.yaml": "name: demo\ntaxonomy: taxonomy.yaml\nstages:\n  - name: publish\n    needs: []\n    with: {name: history}\n"})
	if code, _, stderr := exec(t, dir, "validate", "plan.yaml"); code != 3 || !strings.Contains(stderr, `"history" is a command`) || !strings.Contains(stderr, "call it otherwise, as history-news") {
		t.Errorf("code %d: %s", code, stderr)
	}
}
