//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestKilledServeLeavesNoModel: the copy of a model that a killed process used goes
// when another one opens a model, and that of a live one stays.
func TestKilledServeLeavesNoModel(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	publishRules(t, filepath.Join(dir, "store"), "toy", goodTaxonomy)
	left := func() int {
		entries, err := os.ReadDir(tmp)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	serve := startProgram(t, dir, "serve", "--store", "store", "--model", "toy@1", "--device", "go", "--listen", "127.0.0.1:0")
	serve.says(t, "listening on")
	for _, want := range []int{1, 0} { // while serve lives, and when it is gone
		classify := startProgram(t, dir, "classify", "--store", "store", "--model", "toy@1", "--device", "go", "Blaze in the harbour")
		if code := classify.code(t); code != 0 || !strings.Contains(classify.said.String(), `"top":"fire"`) {
			t.Fatalf("classify ends with %d: %s", code, classify.said.String())
		}
		if n := left(); n != want {
			t.Errorf("%d folders are left, want %d", n, want)
		}
		if want == 1 {
			_ = serve.Process.Kill()
			_ = serve.Wait() // it was killed
		}
	}
}

// publishRules publishes a release of rules alone, which keywords answer for.
func publishRules(t *testing.T, store, name, taxonomy string) {
	t.Helper()
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	var entries []storage.TreeEntry
	for name, text := range map[string]string{"taxonomy.yaml": taxonomy, "thresholds.json": "{}"} {
		a, err := s.Put(t.Context(), strings.NewReader(text), "text/plain")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: name, Digest: a.Digest, Size: a.Size})
	}
	tree, err := s.PutTree(t.Context(), entries)
	if err == nil {
		_, err = models.In(s).Publish(t.Context(), name, tree, []byte("{}"))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestServeByCommand: the program as one starts it: two tokens of a file, one of which is
// taken away, an alias that moves, a log without texts, and an orderly end.
func TestServeByCommand(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	publishRules(t, store, "toy", goodTaxonomy)
	publishRules(t, store, "toy", strings.ReplaceAll(goodTaxonomy, "fire", "flood"))
	move := func(version string) {
		t.Helper()
		if code, _, stderr := exec(t, dir, "promote", "toy@"+version, "--alias", "live", "--store", "store"); code != 0 {
			t.Fatal(stderr)
		}
	}
	move("1")
	write(t, dir, map[string]string{"tokens": "first-token-to-serve\nsecond-token-to-serve\n"})
	p := startProgram(t, dir, "serve", "--store", "store", "--model", "toy@live", "--device", "go", "--listen", "127.0.0.1:0", "--token", "file:tokens", "--poll", "50ms", "--allow-keywords")
	p.says(t, "listening on http://")
	_, url, _ := strings.Cut(p.said.String(), "listening on ")
	url, _, _ = strings.Cut(url, "\n")
	ask := func(token string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/classify", strings.NewReader(`{"title":"Blaze in the harbour"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		b, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, string(b)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not %s:\n%s", what, p.said.String())
			}
		}
	}
	for token, want := range map[string]int{"first-token-to-serve": 200, "second-token-to-serve": 200, "third-token-to-serve": 401} {
		if status, answer := ask(token); status != want || want == 200 && !strings.Contains(answer, `"top":"fire"`) {
			t.Errorf("%s: %d %s", token, status, answer)
		}
	}
	write(t, dir, map[string]string{"tokens": "second-token-to-serve\n"})
	move("2")
	until("revoked", func() bool { status, _ := ask("first-token-to-serve"); return status == 401 })
	until("swapped", func() bool {
		_, answer := ask("second-token-to-serve")
		return strings.Contains(answer, `"top":"flood"`)
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, said := p.code(t), p.said.String()
	if code != 0 {
		t.Errorf("code %d:\n%s", code, said)
	}
	for _, want := range []string{`"msg":"request"`, `"path":"/v1/classify","status":200`, `"status":401`, `"source":"keywords"`, "sprint: another release answers, model toy@2"} {
		if !strings.Contains(said, want) {
			t.Errorf("the log lacks %s:\n%s", want, said)
		}
	}
	for _, word := range []string{"harbour", "-token-to-serve\"", "first-token-to-serve", "second-token-to-serve"} {
		if strings.Contains(said, word) {
			t.Errorf("the log shows %s", word)
		}
	}
}

// TestServeAskedToEnd: asked to end before it is ready it says that, and not what failed so.
func TestServeAskedToEnd(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	publishRules(t, store, "toy", goodTaxonomy)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped by a test"))
	var out, said strings.Builder
	code := execute(ctx, app.NewEnding(), []string{"serve", "--store", store, "--model", "toy", "--device", "go", "--allow-keywords"}, []string{"HOME=" + t.TempDir()}, strings.NewReader(""), &out, &said)
	if code != 75 || out.Len() > 0 || !strings.HasPrefix(said.String(), "sprint: interrupted") || strings.Contains(said.String(), "canceled") {
		t.Errorf("it ends with %d: %s%s", code, out.String(), said.String())
	}
}
