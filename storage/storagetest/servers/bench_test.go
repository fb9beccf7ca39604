package servers

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// tool moves files between a folder and a prefix of the bucket. To the store it
// is a checkpoint.
type tool struct {
	name string
	up   func(dir, prefix string)
	down func(prefix, dir string)
}

// BenchmarkTransfers times uploads and downloads of one file of 400 MB and of
// 2,000 small ones, beside s5cmd and rclone on the same server, in turns. It
// reports the medians in seconds and how many times as fast as each of them
// the store is. A peer that is not installed is left out.
func BenchmarkTransfers(b *testing.B) {
	server := startS3(b)
	for name, files := range map[string][]int{"1x400MB": {400_000_000}, "2000xsmall": small(2000)} {
		b.Run(name, func(b *testing.B) {
			source := b.TempDir()
			for i, size := range files {
				write(b, filepath.Join(source, fmt.Sprintf("f%04d", i)), uint64(i), size)
			}
			tools := tools(b, server)
			up, down := map[string][]time.Duration{}, map[string][]time.Duration{}
			round := 0
			for b.Loop() {
				// Who begins changes, so that nobody always meets the same cache.
				for i := range tools {
					tool := tools[(i+round)%len(tools)]
					prefix := fmt.Sprintf("%s%d-%d", tool.name, prefixes.Add(1), round)
					began := time.Now()
					tool.up(source, prefix)
					up[tool.name] = append(up[tool.name], time.Since(began))
					out, err := os.MkdirTemp(source+"/..", "out-*")
					if err != nil {
						b.Fatal(err)
					}
					began = time.Now()
					tool.down(prefix, out)
					down[tool.name] = append(down[tool.name], time.Since(began))
					if got := count(b, out); got != len(files) {
						b.Fatalf("%s brought %d of %d files", tool.name, got, len(files))
					}
					if len(files) > 1 {
						// ext4 gives no inode again within a minute: behind
						// thousands of deleted files every new one costs a
						// search, whoever makes it.
						continue
					}
					for _, dir := range []string{out, filepath.Join(server.folder, bucket, prefix)} {
						if err := os.RemoveAll(dir); err != nil {
							b.Fatal(err)
						}
					}
				}
				round++
			}
			b.ReportMetric(0, "ns/op")
			for way, times := range map[string]map[string][]time.Duration{"up": up, "down": down} {
				own := median(times["sprint"])
				b.ReportMetric(own.Seconds(), way+"-s")
				for _, t := range tools[1:] {
					b.ReportMetric(median(times[t.name]).Seconds()/own.Seconds(), way+"-x-"+t.name)
				}
			}
		})
	}
}

func tools(b *testing.B, server *server) []tool {
	run := func(env []string, name string, args ...string) {
		b.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
	}
	at := func(prefix string) *storage.Store {
		return open(b, fmt.Sprintf("s3://%s/%s?endpoint=http://%s&use_path_style=true&region=us-east-1", bucket, prefix, server.addr), nil)
	}
	all := []tool{{
		name: "sprint",
		up: func(dir, prefix string) {
			if err := at(prefix).SaveCheckpoint(b.Context(), "bench", "key", 1, dir); err != nil {
				b.Fatal(err)
			}
		},
		down: func(prefix, dir string) {
			if _, err := at(prefix).RestoreCheckpoint(b.Context(), "bench", "key", dir, slog.New(slog.DiscardHandler), nil); err != nil {
				b.Fatal(err)
			}
		},
	}}
	if s5cmd, err := exec.LookPath("s5cmd"); err == nil {
		base := []string{"--endpoint-url", "http://" + server.addr, "--log", "error", "cp"}
		all = append(all, tool{
			name: "s5cmd",
			up: func(dir, prefix string) {
				run(nil, s5cmd, append(base, dir+"/", "s3://"+bucket+"/"+prefix+"/")...)
			},
			down: func(prefix, dir string) {
				run(nil, s5cmd, append(base, "s3://"+bucket+"/"+prefix+"/*", dir+"/")...)
			},
		})
	}
	if rclone, err := exec.LookPath("rclone"); err == nil {
		env := []string{
			"RCLONE_CONFIG=" + filepath.Join(b.TempDir(), "none"), "RCLONE_CONFIG_B_TYPE=s3", "RCLONE_CONFIG_B_PROVIDER=Other",
			"RCLONE_CONFIG_B_ENDPOINT=http://" + server.addr, "RCLONE_CONFIG_B_ENV_AUTH=true", "RCLONE_CONFIG_B_REGION=us-east-1",
		}
		all = append(all, tool{
			name: "rclone",
			up:   func(dir, prefix string) { run(env, rclone, "copy", dir, "b:"+bucket+"/"+prefix) },
			down: func(prefix, dir string) { run(env, rclone, "copy", "b:"+bucket+"/"+prefix, dir) },
		})
	}
	return all
}

// small returns the sizes of n files of 1 to 32 kB.
func small(n int) []int {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]int, n)
	for i := range out {
		out[i] = 1000 + r.IntN(31_000)
	}
	return out
}

// write makes a file of random bytes.
func write(b *testing.B, path string, seed uint64, size int) {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	r := rand.NewChaCha8(key)
	buf := make([]byte, min(size, 1<<20))
	for left := size; left > 0; left -= len(buf) {
		buf = buf[:min(len(buf), left)]
		_, _ = r.Read(buf) // never fails
		if _, err := f.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func count(b *testing.B, dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	return len(entries)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
