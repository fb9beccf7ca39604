//go:build e2e && unix

package hf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// program is this test's binary, which plays the worker, at a signed address.
var program = sync.OnceValues(func() (executor.Program, error) {
	f, err := os.Open(os.Args[0])
	if err != nil {
		return executor.Program{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return executor.Program{Digest: hex.EncodeToString(h.Sum(nil)), Size: n, Platform: runtime.GOOS + "/" + runtime.GOARCH}, err
})

// TestConformance runs what every executor must do over the stand-in for the hub.
func TestConformance(t *testing.T) {
	hub := hftest.New(t)
	programs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, os.Args[0]) }))
	t.Cleanup(programs.Close)
	dir := t.TempDir()
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			variables := map[string]string{executor.EnvProgramDir: dir}
			for _, kv := range env {
				k, v, _ := strings.Cut(kv, "=")
				variables[k] = v
			}
			return &remote.Executor{
				Name: "rented", Provider: provider(t, hub), Store: store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Env: variables,
				Program: func(context.Context) (executor.Program, error) {
					p, err := program()
					p.URL = func(context.Context, time.Duration) (string, error) { return programs.URL, nil }
					return p, err
				},
			}
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
