package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

const commandPlan = `name: toy
stages:
  - name: gather
    kind: command
    with: {argv: ["mkdir -p $SPRINT_OUTPUTS/rows; echo one > $SPRINT_OUTPUTS/rows/a; echo two > $SPRINT_OUTPUTS/rows/b"], shell: true, outputs: [rows]}
  - name: count
    kind: command
    with: {argv: ["cat $SPRINT_INPUTS/rows/* | wc -l > $SPRINT_OUTPUTS/metrics"], shell: true, inputs: [rows], outputs: [metrics]}
`

// leastRights lets through what Get, Put and List on one prefix allow. Else it
// answers 403 and counts.
func leastRights(prefix func() string, denied *atomic.Int64) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			at := key
			if key == "" && r.Method == http.MethodGet { // a list
				at = r.URL.Query().Get("prefix")
			}
			from, _ := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
			_, source, _ := strings.Cut(strings.TrimPrefix(from, "/"), "/")
			inside := strings.HasPrefix(at, prefix()) && (source == "" || strings.HasPrefix(source, prefix()))
			if r.Method == http.MethodDelete || r.URL.Query().Has("delete") || !inside {
				denied.Add(1)
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

// TestLeastRights: every command works with the rights to get, put and list
// below one prefix; gc alone needs to delete, and says so.
func TestLeastRights(t *testing.T) {
	var prefix string
	var denied atomic.Int64
	raw := storagetest.S3URL(t, leastRights(func() string { return prefix }, &denied))()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	prefix = strings.Trim(u.Path, "/") + "/"
	dir := t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": commandPlan})
	s, err := storage.Open(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	try := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := exec(t, dir, append(args, "--store", raw)...)
		if code != want {
			t.Errorf("%v ends with %d, want %d:\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	try(0, "plan")
	try(0, "run")
	try(0, "run", "--set", "count.argv=echo 5 > $SPRINT_OUTPUTS/metrics")
	try(0, "run")
	file := filepath.Join(dir, "weights")
	if err := os.WriteFile(file, []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := s.PutFile(t.Context(), file, "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "model.safetensors", Digest: a.Digest, Size: a.Size}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRelease(t.Context(), "toy", tree, nil); err != nil {
		t.Fatal(err)
	}
	ids, _ := try(0, "runs", "-o", "json")
	run := strings.Split(ids, `"`)[3]
	for _, args := range [][]string{
		{"promote", "toy", "1", "champion"}, {"status"}, {"status", run}, {"runs"}, {"runs", "pin", run}, {"runs", "unpin", run}, {"logs"}, {"explain", "count"},
		{"diff"}, {"report", run}, {"trace", "gather.rows"}, {"trace", "toy@champion"}, {"artifacts", "ls"}, {"artifacts", "ls", "gather.rows"},
		{"artifacts", "get", "gather.rows", "out"}, {"artifacts", "cat", "count.metrics"}, {"artifacts", "verify"}, {"artifacts", "verify", "--all"},
		{"unlock"}, {"gc"}, {"gc", "--keep-runs", "1", "--older-than", "0s"},
	} {
		try(0, args...)
	}
	// What is asked in vain without any right to delete: the sweeping of probes.
	swept := denied.Load()
	time.Sleep(1100 * time.Millisecond) // the server's clock counts seconds
	out, stderr := try(4, "gc", "--keep-runs", "1", "--older-than", "0s", "--yes")
	if !strings.Contains(stderr, "right to delete") || denied.Load() == swept {
		t.Errorf("gc without the right to delete says %s%s", out, stderr)
	}
	// The probe's big create fails on this server, the rights are enough.
	if out, _ = try(4, "doctor"); strings.Contains(out, "access denied") || strings.Count(out, "BAD ") != 1 {
		t.Errorf("doctor says\n%s", out)
	}
	prefix = "elsewhere/"
	if _, stderr := try(4, "status"); !strings.Contains(stderr, "access denied") || !strings.Contains(stderr, "rights") {
		t.Errorf("without any right: %s", stderr)
	}
}

// TestDoctorFlags: a store that only pretends ends doctor with code 4 and a line
// that says what it breaks.
func TestDoctorFlags(t *testing.T) {
	drop := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			r.Header.Del("If-Match")
			h.ServeHTTP(w, r)
		})
	}
	for name, c := range map[string]struct {
		around func(http.Handler) http.Handler
		want   []string
	}{
		"multipart":     {nil, []string{"20 MiB create twice"}},
		"no conditions": {drop, []string{"create twice", "create race", "20 MiB create twice", "stale swap"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, stderr := exec(t, t.TempDir(), "doctor", "--store", storagetest.S3URL(t, c.around)())
			for _, w := range c.want {
				if !strings.Contains(out, "BAD store     "+w) {
					t.Errorf("%s is not flagged", w)
				}
			}
			if code != 4 || strings.Count(out, "BAD ") != len(c.want) || t.Failed() {
				t.Errorf("code %d:\n%s%s", code, out, stderr)
			}
		})
	}
}
