package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

// The children of TestKill and TestKillMoves work in the folder with the plan that these name.
const (
	dirEnv  = "FAULTSTORE_TEST_DIR"
	planEnv = "FAULTSTORE_TEST_PLAN"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		plan, err := faults.Parse(os.Getenv(planEnv))
		switch {
		case err != nil:
		case os.Getenv(movesEnv) != "":
			err = moves(context.Background(), dir, faults.New(plan))
		default:
			_, err = work(context.Background(), dir, faults.New(plan))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(inmemory.Run(m))
}

const key = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

// work is a small job as the stages do it: a lease, a checkpoint, outputs, the
// manifest last, a release with its alias. It goes on where an earlier one
// stopped and returns the digest of the release.
func work(ctx context.Context, dir string, injector *faults.Injector) (string, error) {
	s, err := storage.Open(ctx, dir, &storage.Options{Backoff: time.Microsecond, Around: injector.Around})
	if err != nil {
		return "", err
	}
	defer s.Close()
	l, err := s.Acquire(ctx, "train/"+key, storage.Self(), time.Hour, "")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Release(ctx) }()
	m, err := s.Manifest(ctx, "train", key)
	if errors.Is(err, storage.ErrNotFound) {
		if m, err = train(ctx, s); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	model, ok := m.Output("model")
	if !ok {
		return "", errors.New("the manifest has no model")
	}
	r, err := models.In(s).Publish(ctx, "toy", model, nil)
	if err != nil {
		return "", err
	}
	if err := models.In(s).SetAlias(ctx, "toy", "latest", r.Version); err != nil {
		return "", err
	}
	return r.Digest, nil
}

func train(ctx context.Context, s *storage.Store) (storage.Manifest, error) {
	tmp, err := os.MkdirTemp("", "work-*")
	if err != nil {
		return storage.Manifest{}, err
	}
	defer os.RemoveAll(tmp)
	step, err := s.RestoreCheckpoint(ctx, "train", key, tmp, slog.New(slog.DiscardHandler), nil)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Manifest{}, err
	}
	for ; step < 2; step++ {
		if err := os.WriteFile(filepath.Join(tmp, "weights"), bytes.Repeat([]byte{byte(step + 1)}, 3000), 0o600); err != nil {
			return storage.Manifest{}, err
		}
		if err := s.SaveCheckpoint(ctx, "train", key, step+1, tmp); err != nil {
			return storage.Manifest{}, err
		}
	}
	model, err := storagetest.PutFolder(ctx, s, tmp)
	if err != nil {
		return storage.Manifest{}, err
	}
	model.Name = "model"
	m, _, err := s.Commit(ctx, storage.Manifest{Kind: "train", Key: key, Generation: 1, Preimage: []byte("{}"), Outputs: []storage.Artifact{model}})
	return m, err
}

// wholeStore demands that a store in a folder holds exactly one finished job.
func wholeStore(t *testing.T, dir, want string) {
	t.Helper()
	s, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := models.In(s).Release(t.Context(), "toy", "latest")
	if err != nil || r.Digest != want {
		t.Fatalf("the release is %+v, %v; want %s", r, err, want)
	}
	if err := s.FetchTree(t.Context(), r.Files, t.TempDir()); err != nil {
		t.Error(err)
	}
	if all, err := models.In(s).Releases(t.Context(), "toy"); err != nil || len(all) != 1 {
		t.Errorf("%d releases, %v; want 1", len(all), err)
	}
	if n, err := s.Generation(t.Context(), "train", key); err != nil || n != 1 {
		t.Errorf("%d manifests, %v; want 1", n, err)
	}
}

// reference is the result and the number of operations without any fault.
func reference(t *testing.T) (digest string, ops int) {
	t.Helper()
	injector := faults.New(nil)
	digest, err := work(t.Context(), t.TempDir(), injector)
	if err != nil {
		t.Fatal(err)
	}
	return digest, len(injector.Ops())
}

// TestEveryOperation makes each operation fail in each way and runs again: the
// error names the operation and its key, and the end is the same.
func TestEveryOperation(t *testing.T) {
	want, ops := reference(t)
	for _, mode := range []faults.Mode{faults.ErrorBefore, faults.ErrorAfter, faults.LostReply, faults.Busy} {
		once := mode == faults.LostReply || mode == faults.Busy
		failed := 0
		for n := 1; n <= ops; n++ {
			dir, injector := t.TempDir(), faults.New(faults.At(n, mode))
			got, err := work(t.Context(), dir, injector)
			log := injector.Ops()
			switch {
			case err == nil && got != want:
				t.Errorf("%s@%d: result %s, want %s", mode, n, got, want)
			case err != nil && once:
				t.Errorf("%s@%d: %v: one lost try must not be seen", mode, n, err)
			case err != nil:
				failed++
				for _, part := range []string{log[n-1].Op, log[n-1].Key, fmt.Sprintf("operation %d ", n)} {
					// A failed create or swap may be told as what the read-back found.
					if !strings.Contains(err.Error(), part) && errors.Is(err, storage.ErrTransient) {
						t.Errorf("%s@%d: %q does not name %q", mode, n, err, part)
					}
				}
			}
			if _, err := work(t.Context(), dir, faults.New(nil)); errors.Is(err, storage.ErrHeld) {
				// The lease of this very process, whose release was what failed:
				// only a dead holder or a ttl ends it.
				continue
			} else if err != nil {
				t.Errorf("%s@%d: the second run: %v", mode, n, err)
				continue
			}
			wholeStore(t, dir, want)
		}
		if !once && failed == 0 {
			t.Errorf("%s: no fault of %d was ever seen", mode, ops)
		}
	}
}

// TestKill kills a child before and after each operation and runs it again.
func TestKill(t *testing.T) {
	if storage.Self().Boot == "" {
		t.Skip("this system does not say when it was started: the next run waits until the lease of the dead ends")
	}
	want, ops := reference(t)
	for n := 1; n <= ops; n++ {
		for _, mode := range []faults.Mode{faults.KillBefore, faults.KillAfter} {
			if testing.Short() && n%5 != 0 {
				continue
			}
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), dirEnv+"="+dir, fmt.Sprintf("%s=%s@%d", planEnv, mode, n))
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.Exited() {
				// A read of nothing fails before it could kill afterwards.
				if mode == faults.KillBefore || err != nil {
					t.Errorf("%s@%d: the child was not killed: %v %s", mode, n, err, out)
				}
			}
			if got, err := work(t.Context(), dir, faults.New(nil)); err != nil || got != want {
				t.Errorf("%s@%d: the next run gave %s, %v; want %s", mode, n, got, err, want)
				continue
			}
			wholeStore(t, dir, want)
		}
	}
}

// TestSeeded: the same seed gives the same faults, another one others.
func TestSeeded(t *testing.T) {
	draw := func(text string) []int {
		plan, err := faults.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var hit []int
		for n := 1; n <= 1000; n++ {
			if plan(n) == faults.LostReply {
				hit = append(hit, n)
			}
		}
		return hit
	}
	a, b, c := draw("lost-reply@0.3/7"), draw("lost-reply@0.3/7"), draw("lost-reply@0.3/8")
	if !slices.Equal(a, b) || slices.Equal(a, c) || len(a) < 250 || len(a) > 350 {
		t.Errorf("%d, %d and %d of 1000 at 0.3", len(a), len(b), len(c))
	}
	if one := draw("lost-reply@17"); !slices.Equal(one, []int{17}) {
		t.Errorf("hit %v, want 17", one)
	}
	for _, bad := range []string{"", "kill", "kill@3", "busy@0", "busy@-1", "busy@x", "busy@2/1", "busy@NaN/1", "busy@0.5/x", "@3"} {
		if _, err := faults.Parse(bad); err == nil {
			t.Errorf("accepted the plan %q", bad)
		}
	}
}

func TestDelay(t *testing.T) {
	injector := faults.New(faults.At(1, faults.Delay))
	injector.Wait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := injector.Around(ctx, "put", "k", func() error { t.Error("done after the cancel"); return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled wait: %v", err)
	}
}
