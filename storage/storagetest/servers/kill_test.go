package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// TestServerKilled kills the server with SIGKILL under load and starts it
// again: what was acknowledged is there and whole, what is listed is whole or
// found not to be, and every record has one writer.
func TestServerKilled(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *server{"s3": startS3, "gcs": func(t testing.TB) *server { return startGCS(t, "") }} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			url := server.url(server.addr)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var mu sync.Mutex
			blobs := map[string]int64{}     // acknowledged, by digest
			records := map[string]string{}  // key -> body
			swapped, counter := 0, "swaps/" // acknowledged swaps
			var wg sync.WaitGroup
			for w := range 6 {
				s := open(t, url, patient())
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(w), 1))
					for i := 0; ctx.Err() == nil; i++ {
						size := r.IntN(60_000)
						if i%40 == 39 {
							size = 17<<20 + r.IntN(1<<20) // in parts
						}
						data := make([]byte, size)
						for j := 0; j+8 <= len(data); j += 4096 {
							copy(data[j:], strconv.FormatUint(r.Uint64(), 36))
						}
						if a, err := s.Put(ctx, bytes.NewReader(data), ""); err == nil {
							mu.Lock()
							blobs[a.Digest] = a.Size
							mu.Unlock()
						} else if ctx.Err() == nil {
							t.Errorf("writer %d: put: %v", w, err)
						}
						key, body := fmt.Sprintf("records/%d/%06d", w, i), fmt.Sprint(r.Uint64())
						if err := s.Create(ctx, key, []byte(body)); err == nil {
							mu.Lock()
							records[key] = body
							mu.Unlock()
						} else if ctx.Err() == nil {
							t.Errorf("writer %d: create %s: %v", w, key, err)
						}
						if increment(ctx, s, counter+strconv.Itoa(w)) == nil {
							mu.Lock()
							swapped++
							mu.Unlock()
						}
					}
				})
			}
			for range kills {
				time.Sleep(time.Duration(100+rand.IntN(200)) * time.Millisecond)
				if err := server.kill(); err != nil {
					t.Fatal(err)
				}
				if err := server.start(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(100 * time.Millisecond)
			stop()
			wg.Wait()
			if len(blobs) == 0 || len(records) == 0 || swapped == 0 {
				t.Fatalf("acknowledged %d blobs, %d records, %d swaps: there was no load", len(blobs), len(records), swapped)
			}
			s := open(t, url, nil)
			lost, partial := 0, 0
			for digest, size := range blobs {
				switch err := readAll(t, s, digest, size); {
				case errors.Is(err, storage.ErrNotFound):
					lost++
				case err != nil:
					partial++
					t.Log(err)
				}
			}
			for key, body := range records {
				switch got, _, err := s.Read(t.Context(), key); {
				case errors.Is(err, storage.ErrNotFound):
					lost++
				case err != nil || string(got) != body:
					partial++
					t.Logf("%s: %q, %v; want %q", key, got, err, body)
				}
			}
			sum := 0
			for w := range 6 {
				body, _, err := s.Read(t.Context(), counter+strconv.Itoa(w))
				if err != nil && !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("counter %d: %v", w, err)
				}
				n, _ := strconv.Atoi(string(body))
				sum += n
			}
			// A swap that nobody was told of may have landed, none that was told
			// may be missing. fake-gcs-server is no witness: it writes an object's
			// attributes after its bytes, and one that it was replacing when it
			// died is gone.
			if sum < swapped && name != "gcs" {
				t.Errorf("%d swaps acknowledged, the counters say %d", swapped, sum)
			}
			if lost+partial > 0 {
				t.Errorf("%d lost, %d partial", lost, partial)
			}
			t.Logf("%d kills: %d blobs, %d records and %d swaps acknowledged, %d lost, %d partial", kills, len(blobs), len(records), swapped, lost, partial)
		})
	}
}

// increment adds one to a counter that only the caller writes.
func increment(ctx context.Context, s *storage.Store, key string) error {
	body, version, err := s.Read(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	n, _ := strconv.Atoi(string(body)) // none yet: 0
	_, err = s.Swap(ctx, key, version, []byte(strconv.Itoa(n+1)))
	return err
}

func readAll(t *testing.T, s *storage.Store, digest string, size int64) error {
	r, err := s.Get(t.Context(), digest, size)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}
