package executortest

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
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/storage"
)

// Remote is the executor over a place, whose workers are this test's binary and see the
// variables env. The package's TestMain must be jobstest.Main, which plays the worker.
func Remote(t testing.TB, place executor.Provider, store *storage.Store, env ...string) *remote.Executor {
	t.Helper()
	variables := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		variables[name] = value
	}
	program := ServeProgram(t)
	return &remote.Executor{
		Name: "elsewhere", Provider: place, Store: store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Env: variables,
		Program: func(context.Context) (executor.Program, error) { return program, nil },
	}
}

// ServeProgram is this test's binary, to be copied or to be fetched from an address, which
// answers until the test ends.
func ServeProgram(t testing.TB) executor.Program {
	t.Helper()
	sum, err := digest()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, os.Args[0]) }))
	t.Cleanup(server.Close)
	return executor.Program{
		Digest: sum.digest, Size: sum.size, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		URL:  func(context.Context, time.Duration) (string, error) { return server.URL, nil },
		Open: func(context.Context) (io.ReadCloser, error) { return os.Open(os.Args[0]) },
	}
}

type binary struct {
	digest string
	size   int64
}

// digest reads the binary once: it has a hundred megabytes, and each case asks for it.
var digest = sync.OnceValues(func() (binary, error) {
	f, err := os.Open(os.Args[0])
	if err != nil {
		return binary{}, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	return binary{hex.EncodeToString(sum.Sum(nil)), size}, err
})
