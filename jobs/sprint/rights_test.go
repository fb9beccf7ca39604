package main

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
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

// rights are what a server lets through: requests below a prefix, of the
// methods that are not missing. Else it answers 403 and counts.
type rights struct {
	prefix  string
	missing string // methods, as in "DELETE PUT"
	denied  atomic.Int64
}

func (r *rights) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, key, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
		at := key
		if key == "" && q.Method == http.MethodGet { // a list
			at = q.URL.Query().Get("prefix")
		}
		from, _ := url.PathUnescape(q.Header.Get("X-Amz-Copy-Source"))
		_, source, _ := strings.Cut(strings.TrimPrefix(from, "/"), "/")
		inside := strings.HasPrefix(at, r.prefix) && (source == "" || strings.HasPrefix(source, r.prefix))
		if strings.Contains(r.missing, q.Method) || q.URL.Query().Has("delete") || !inside {
			r.denied.Add(1)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
			return
		}
		h.ServeHTTP(w, q)
	})
}

// storeless are the commands that open no store.
var storeless = []string{"init", "validate", "graph", "schema", "config", "version", "completion", "help", "label-preview", "render", "schedule"}

// TestLeastRights: every command works with the rights to get, put and list
// below one prefix; gc alone needs to delete. Those that only read work without
// the right to put. What lacks a right says so in one line with its next step.
func TestLeastRights(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plan's commands are written for a POSIX shell")
	}
	allowed := &rights{missing: http.MethodDelete}
	raw := storagetest.S3URL(t, allowed.around)()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.Trim(u.Path, "/") + "/"
	allowed.prefix = prefix
	dir := t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": commandPlan, "signed.yaml": "store_key: file:store.key\n", "store.key": strings.Repeat("k", 64)})
	s, err := storage.Open(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tried := map[string]bool{}
	try := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		tried[args[0]] = true
		args = append(args, "--store", raw)
		code, stdout, stderr := exec(t, dir, args...)
		if code != want || code != 4 && strings.Contains(stderr, "denied") {
			t.Errorf("%v ends with %d, want %d:\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	try(0, "plan")
	try(0, "leftovers") // the config names no executor: it reads nothing
	try(0, "run")
	try(0, "run", "--set", "count.argv=echo 5 > $SPRINT_OUTPUTS/metrics")
	try(0, "run")
	a, err := s.Put(t.Context(), strings.NewReader("weights"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "model.safetensors", Digest: a.Digest, Size: a.Size}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(s).Publish(t.Context(), "toy", tree, nil); err != nil {
		t.Fatal(err)
	}
	ids, _ := try(0, "runs", "-o", "json")
	run := strings.Split(ids[strings.LastIndex(ids, `{"run"`):], `"`)[3] // the oldest, which did all
	reads := [][]string{
		{"plan"}, {"status"}, {"status", run}, {"runs"}, {"models"}, {"models", "history", "toy"}, {"models", "verify", "toy"}, {"logs"}, {"logs", run}, {"explain", "count"},
		{"diff"}, {"report", run}, {"trace", "gather.rows"}, {"trace", "toy@champion"}, {"artifacts", "ls"}, {"artifacts", "ls", "gather.rows"},
		{"artifacts", "cat", "count.metrics"}, {"artifacts", "verify"}, {"artifacts", "verify", "--all"},
		{"store", "check"}, {"store", "check", "--read-data"},
		{"unlock"}, {"gc"}, {"gc", "--keep-runs", "1", "--older-than", "0s"}, {"store", "rekey", "--config", "signed.yaml"},
	}
	writes := [][]string{
		{"promote", "toy@1"}, {"runs", "pin", run}, {"runs", "unpin", run}, {"run", "--force"},
	}
	for _, args := range slices.Concat(writes, reads, [][]string{{"artifacts", "get", "gather.rows", "out"}, {"retry", run}}) {
		try(0, args...)
	}
	// These come as far as the store lets them: no run is live, the release has lost
	// files of its model, nothing was labelled, the plan has no taxonomy.
	for want, all := range map[int][][]string{
		2: {{"cancel"}, {"cancel", run}, {"review", "export", run}},
		3: {{"refresh"}},
		9: {{"rollback", "toy", "--to", "1"}, {"classify", "--model", "toy@champion", "--strict", "Fire"}, {"serve", "--model", "toy@champion", "--strict"}},
	} {
		for _, args := range all {
			if _, stderr := try(want, args...); strings.Contains(stderr, "denied") {
				t.Errorf("%v says %s", args, stderr)
			}
		}
	}
	for _, c := range newRoot(&app.App{}).Commands() {
		if !tried[c.Name()] && !c.Hidden && !slices.Contains(storeless, c.Name()) && c.Name() != "doctor" {
			t.Errorf("the command %s is not tried", c.Name())
		}
	}
	// What is asked in vain without any right to delete: the sweeping of probes.
	swept := allowed.denied.Load()
	time.Sleep(1100 * time.Millisecond) // the server's clock counts seconds
	out, stderr := try(4, "gc", "--keep-runs", "1", "--older-than", "0s", "--yes")
	if !strings.Contains(stderr, "right to delete") || allowed.denied.Load() == swept {
		t.Errorf("gc without the right to delete says %s%s", out, stderr)
	}
	if out, _ = try(0, "doctor"); strings.Contains(out, "access denied") || strings.Contains(out, "BAD ") {
		t.Errorf("doctor says\n%s", out)
	}
	allowed.missing = "DELETE PUT POST"
	for _, args := range reads {
		try(0, args...)
	}
	lacking := func(what string, args []string) {
		t.Helper()
		_, stderr := try(4, args...)
		if lines := strings.Count(stderr, "\n"); !strings.Contains(stderr, "access denied") || !strings.Contains(stderr, "rights") || lines > 2 {
			t.Errorf("%s %v says, in %d lines:\n%s", what, args, lines, stderr)
		}
	}
	for _, args := range writes {
		if args[0] == "promote" {
			args = []string{"promote", "toy@1", "--alias", "other"}
		}
		lacking("without the right to put", args)
	}
	lacking("without the right to put", []string{"store", "rekey", "--config", "signed.yaml", "--unsigned", "--yes"})
	allowed.prefix = "elsewhere/"
	for _, args := range slices.Concat(reads, writes, [][]string{
		{"artifacts", "get", "gather.rows", "out2"}, {"retry", run}, {"cancel"}, {"cancel", run}, {"classify", "--model", "toy@champion", "Fire"}, {"serve", "--model", "toy@champion"},
	}) {
		lacking("without any right", args)
	}
}

// TestDoctorFlags: a store that only pretends ends doctor with code 4 and a line
// that says what it breaks.
func TestDoctorFlags(t *testing.T) {
	for name, c := range map[string]struct {
		around func(http.Handler) http.Handler
		want   []string
	}{
		"multipart":     {storagetest.Unconditional(true), []string{"20 MiB create twice"}},
		"no conditions": {storagetest.Unconditional(false), []string{"create twice", "create race", "20 MiB create twice", "stale swap"}},
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
