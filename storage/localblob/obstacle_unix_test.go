//go:build unix

package localblob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sys/unix"
)

// obstacles put something else than a file at a path.
var obstacles = map[string]func(path string) error{
	"folder": func(path string) error { return os.MkdirAll(filepath.Join(path, "000007"), 0o755) },
	"link":   func(path string) error { return os.Symlink("/etc/passwd", path) },
	"pipe":   func(path string) error { return unix.Mkfifo(path, 0o644) },
}

// TestObstacles: whatever lies in the place of an object is nothing to a reader, and
// a writer sets it aside, whole, and writes.
func TestObstacles(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	b := openBucket(t, dir)
	for what, put := range obstacles {
		for how, o := range map[string]*blob.WriterOptions{"create": {IfNotExist: true}, "write": nil} {
			key := "a/" + what + "/" + how
			if err := b.WriteAll(ctx, "a/"+what+"/beside", nil, nil); err != nil {
				t.Fatal(err)
			}
			if err := put(filepath.Join(dir, key)); err != nil {
				t.Fatal(err)
			}
			_, err := b.ReadAll(ctx, key)
			if kind := (*KindError)(nil); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &kind) {
				t.Errorf("%s: read: %v", key, err)
			}
			if err := b.WriteAll(ctx, key, []byte("new"), o); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			if data, err := b.ReadAll(ctx, key); err != nil || string(data) != "new" {
				t.Errorf("%s is %q, %v", key, data, err)
			}
		}
	}
	found := map[string]int{}
	err := Irregular(ctx, dir, func(key string, mode fs.FileMode) {
		if strings.HasPrefix(key, tmpDir) {
			found[KindOf(mode)]++
		}
	})
	// A write replaces links and pipes by itself.
	if want := map[string]int{"a folder": 2, "a symbolic link": 1, "a named pipe": 1}; err != nil || !maps.Equal(found, want) {
		t.Errorf("set aside are %v, %v; want %v", found, err, want)
	}
	whole, err := filepath.Glob(filepath.Join(dir, tmpDir, asidePrefix+"*", "000007"))
	if err != nil || len(whole) != 2 {
		t.Errorf("of the folders set aside %q is left, %v", whole, err)
	}
}

// TestCreateBesideObstacle: of many writers that find a pipe in the place of an
// object exactly one creates it, and nobody moves its file away.
func TestCreateBesideObstacle(t *testing.T) {
	dir := t.TempDir()
	buckets := []*blob.Bucket{openBucket(t, dir), openBucket(t, dir)}
	for round := range 20 {
		key := "k/" + string(rune('a'+round))
		if err := os.MkdirAll(filepath.Join(dir, "k"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := obstacles["pipe"](filepath.Join(dir, key)); err != nil {
			t.Fatal(err)
		}
		won := make(chan string, 8)
		for i := range cap(won) {
			go func() {
				name := string(rune('0' + i))
				if err := buckets[i%2].WriteAll(t.Context(), key, []byte(name), &blob.WriterOptions{IfNotExist: true}); err != nil {
					name = ""
				}
				won <- name
			}()
		}
		winners := ""
		for range cap(won) {
			winners += <-won
		}
		if data, err := buckets[0].ReadAll(t.Context(), key); err != nil || string(data) != winners {
			t.Fatalf("%s is %q, %v; %q created it", key, data, err, winners)
		}
	}
}

// TestObstacleOnTheWay: what is no folder where one must be is named, for a reader, a
// writer and a list, and nobody waits at a pipe.
func TestObstacleOnTheWay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := openBucket(t, dir)
	obstacles := maps.Clone(obstacles)
	delete(obstacles, "folder")
	for what, put := range obstacles {
		if err := put(filepath.Join(dir, what)); err != nil {
			t.Fatal(err)
		}
		_, read := b.ReadAll(ctx, what+"/k")
		objects := b.List(&blob.ListOptions{Prefix: what + "/"})
		_, list := objects.Next(ctx)
		for op, err := range map[string]error{
			"read": read, "list": list, "write": b.WriteAll(ctx, what+"/k", nil, nil), "write deeper": b.WriteAll(ctx, what+"/k/l", nil, nil),
			"create": b.WriteAll(ctx, what+"/k", nil, &blob.WriterOptions{IfNotExist: true}),
		} {
			if obstacle := (*ObstacleError)(nil); !errors.As(err, &obstacle) || obstacle.Path != what || !strings.Contains(err.Error(), "not a folder") {
				t.Errorf("%s below a %s: %v", op, what, err)
			}
		}
	}
	if err := b.WriteAll(ctx, "file", nil, nil); err != nil {
		t.Fatal(err)
	}
	objects := b.List(&blob.ListOptions{Prefix: "file/"})
	if o, err := objects.Next(ctx); err != io.EOF {
		t.Errorf("below a file there is %v, %v", o, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "[a-z]*"))
	if err != nil || !slices.Equal(left, []string{filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")}) {
		t.Errorf("what lay in the way was touched: %q, %v", left, err)
	}
}
