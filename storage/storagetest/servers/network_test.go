package servers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// remotes are the servers, each behind a proxy with a toxic, if any: its URL leads
// through it.
var remotes = map[string]func(t testing.TB, toxic string) (*server, string){
	"s3": func(t testing.TB, toxic string) (*server, string) {
		s := startS3(t)
		front := freeAddr(t)
		startProxy(t, front, s.addr, toxic)
		return s, s.url(front)
	},
	"gcs": func(t testing.TB, toxic string) (*server, string) {
		front := freeAddr(t)
		s := startGCS(t, front)
		startProxy(t, front, s.addr, toxic)
		return s, s.url(front)
	},
}

func open(t testing.TB, url string, o *storage.Options) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// patient tries so often that a bad network is not what ends a test.
func patient() *storage.Options {
	return &storage.Options{Tries: 40, Backoff: 2 * time.Millisecond}
}

// TestLostReplies lets 100 runners claim 20 keys while three of ten
// connections break before the reply is whole: each key has one owner who
// knows it, and each swap of a lease lands once.
func TestLostReplies(t *testing.T) {
	for name, start := range remotes {
		t.Run(name, func(t *testing.T) {
			_, url := start(t, `{"name":"lost","type":"limit_data","stream":"downstream","toxicity":0.3,"attributes":{"bytes":40}}`)
			stores := []*storage.Store{open(t, url, patient()), open(t, url, patient()), open(t, url, patient())}
			const runners, keys = 100, 20
			var owners [keys]atomic.Int32
			var wg sync.WaitGroup
			for r := range runners {
				wg.Go(func() {
					for k := range keys {
						k = (k + r) % keys
						err := stores[r%len(stores)].Create(t.Context(), fmt.Sprint("claims/", k), fmt.Append(nil, r))
						if err == nil {
							owners[k].Add(1)
						} else if !errors.Is(err, storage.ErrExists) {
							t.Errorf("runner %d, key %d: %v", r, k, err)
						}
					}
				})
			}
			wg.Wait()
			for k := range owners {
				if n := owners[k].Load(); n != 1 {
					t.Errorf("key %d has %d owners", k, n)
				}
			}
		})
	}
}

// TestBadNetwork: whatever the network does, what is stored under it is whole
// and what is read is right.
func TestBadNetwork(t *testing.T) {
	toxics := map[string]string{
		"latency": `{"name":"x","type":"latency","stream":"downstream","attributes":{"latency":30,"jitter":20}}`,
		"reset":   `{"name":"x","type":"reset_peer","stream":"downstream","toxicity":0.3,"attributes":{"timeout":5}}`,
		"timeout": `{"name":"x","type":"timeout","stream":"downstream","toxicity":0.3,"attributes":{"timeout":50}}`,
		"lost":    `{"name":"x","type":"limit_data","stream":"downstream","toxicity":0.3,"attributes":{"bytes":100}}`,
		"cut":     `{"name":"x","type":"limit_data","stream":"downstream","toxicity":0.5,"attributes":{"bytes":3000000}}`,
		"stop":    `{"name":"x","type":"limit_data","stream":"upstream","toxicity":0.3,"attributes":{"bytes":2000000}}`,
	}
	small, large := bytes.Repeat([]byte("small "), 3000), make([]byte, 33<<20)
	for i := range large {
		large[i] = byte(i * i >> 7)
	}
	for name, start := range remotes {
		t.Run(name, func(t *testing.T) {
			for how, toxic := range toxics {
				t.Run(how, func(t *testing.T) {
					_, url := start(t, toxic)
					s := open(t, url, patient())
					for i, data := range [][]byte{small, large} {
						a, err := s.Put(t.Context(), bytes.NewReader(data), "")
						if err != nil {
							t.Fatalf("put %d: %v", i, err)
						}
						r, err := s.Get(t.Context(), a.Digest, a.Size)
						if err != nil {
							t.Fatalf("get %d: %v", i, err)
						}
						got, err := io.ReadAll(r)
						if err != nil || !bytes.Equal(got, data) {
							t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
						}
						if err := r.Close(); err != nil {
							t.Error(err)
						}
					}
					version := ""
					for i := range 10 {
						var err error
						if version, err = s.Swap(t.Context(), "lease-"+how, version, fmt.Append(nil, i)); err != nil {
							t.Fatalf("swap %d: %v", i, err)
						}
					}
				})
			}
		})
	}
}

// TestNoServer: a server that is away is a temporary failure, not a missing
// object, and it is found again when it is back.
func TestNoServer(t *testing.T) {
	for name, start := range remotes {
		t.Run(name, func(t *testing.T) {
			server, url := start(t, "")
			s := open(t, url, &storage.Options{Tries: 2, Backoff: time.Millisecond})
			if err := s.Create(t.Context(), "a", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := server.kill(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, storage.ErrTransient) {
				t.Errorf("without a server: %v", err)
			}
			if err := server.start(); err != nil {
				t.Fatal(err)
			}
			if body, _, err := s.Read(t.Context(), "a"); err != nil || string(body) != "x" {
				t.Errorf("with the server again: %q, %v", body, err)
			}
		})
	}
}

// TestCredentials: wrong ones are denied, whatever is asked, and never make an
// object missing. No message holds the secret.
func TestCredentials(t *testing.T) {
	server := startS3(t)
	url := server.url(server.addr)
	if err := open(t, url, nil).Create(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][2]string{
		"wrong secret": {accessKey, "hunter2-hunter2"},
		"unknown key":  {"nobody", "hunter2-hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", env[0])
			t.Setenv("AWS_SECRET_ACCESS_KEY", env[1])
			denied(t, open(t, url, nil))
		})
	}
	t.Run("none", func(t *testing.T) { denied(t, open(t, url+"&anonymous=true", nil)) })
	t.Run("no bucket", func(t *testing.T) {
		s := open(t, strings.Replace(url, bucket, "nowhere", 1), nil)
		for op, err := range operations(t, s) {
			// A HEAD has no body to say what is missing.
			if !errors.Is(err, storage.ErrInvalid) && op != "stat" {
				t.Errorf("%s: %v; want one that is not valid", op, err)
			}
		}
	})
}

func denied(t *testing.T, s *storage.Store) {
	for op, err := range operations(t, s) {
		if op == "stat" && errors.Is(err, storage.ErrNotFound) {
			continue // versitygw answers 404 to a key that it does not know, a HEAD without a word why
		}
		if !errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v; want access denied", op, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v shows the secret", op, err)
		}
	}
}

// operations tries those of a store and returns their errors.
func operations(t *testing.T, s *storage.Store) map[string]error {
	ctx := t.Context()
	out := map[string]error{}
	_, out["get"] = s.Get(ctx, "sha256:"+strings.Repeat("0", 64), -1)
	_, out["put"] = s.Put(ctx, strings.NewReader("x"), "")
	_, out["put large"] = s.Put(ctx, bytes.NewReader(make([]byte, 17<<20)), "")
	_, _, out["read"] = s.Read(ctx, "a")
	_, out["stat"] = s.Stat(ctx, "a")
	out["create"] = s.Create(ctx, "b", nil)
	out["swap"] = func() error { _, err := s.Swap(ctx, "a", "1", nil); return err }()
	for _, out["list"] = range s.List(ctx, "a/") {
	}
	_, out["manifest"] = s.Manifest(ctx, "train", strings.Repeat("0", 64))
	return out
}
