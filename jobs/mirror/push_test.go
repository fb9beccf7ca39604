package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// shelf is a registry in memory: versions by alias.
type shelf map[string]int

func (s shelf) Push(_ context.Context, r mirror.Release) error {
	s[fmt.Sprint("version ", r.Version)] = r.Version
	return nil
}

func (s shelf) Point(_ context.Context, alias string, r mirror.Release) (string, error) {
	s[alias] = r.Version
	return "", nil
}

// TestChecked: what is refused is shown nowhere, and holds no other version back.
func TestChecked(t *testing.T) {
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for version, alias := range []string{models.Champion, models.Latest} {
		a, err := store.Put(t.Context(), strings.NewReader(alias), "")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := store.PutTree(t.Context(), []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := models.In(store).Publish(t.Context(), "news", tree, nil); err != nil {
			t.Fatal(err)
		}
		if err := models.In(store).SetAlias(t.Context(), "news", alias, version+1); err != nil {
			t.Fatal(err)
		}
	}
	shown := shelf{}
	p := mirror.Pusher{
		Store: store, Log: slog.New(slog.DiscardHandler), Open: func(stages.Mirror) (mirror.Registry, error) { return shown, nil },
		Check: func(_ context.Context, r models.Release) error {
			if r.Version == 2 {
				return fmt.Errorf("nobody signed %s@%d", r.Name, r.Version)
			}
			return nil
		},
	}
	got, err := p.Push(t.Context(), "news", []stages.Mirror{{To: "oci://registry.example/news", Timeout: time.Minute}})
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Error, "nobody signed news@2") || !maps.Equal(got[0].Aliases, map[string]int{models.Champion: 1}) {
		t.Errorf("%+v %v", got, err)
	}
	if want := (shelf{"version 1": 1, models.Champion: 1}); !maps.Equal(shown, want) {
		t.Errorf("shown are %v, want %v", shown, want)
	}
}

// stuck is a registry that takes a request and answers when it is given up.
type stuck struct{ asked chan struct{} }

func (s stuck) Push(ctx context.Context, _ mirror.Release) error {
	close(s.asked)
	<-ctx.Done()
	return ctx.Err()
}

func (s stuck) Point(context.Context, string, mirror.Release) (string, error) {
	return "", errors.New("it is asked after its lease was taken")
}

// TestTaken: whoever loses the lease of a mirror ends its work there, and leaves the state of
// the mirror to who took it.
func TestTaken(t *testing.T) {
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a, err := store.Put(t.Context(), strings.NewReader("model"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := store.PutTree(t.Context(), []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}})
	if err == nil {
		_, err = models.In(store).Publish(t.Context(), "news", tree, nil)
	}
	if err == nil {
		err = models.In(store).SetAlias(t.Context(), "news", models.Latest, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	const to = "oci://registry.example/news"
	at := stuck{make(chan struct{})}
	p := mirror.Pusher{Store: store, Log: slog.New(slog.DiscardHandler), TTL: 400 * time.Millisecond, Open: func(stages.Mirror) (mirror.Registry, error) { return at, nil }}
	go func() {
		<-at.asked
		for stale := ""; ; {
			_, err := store.Acquire(t.Context(), "mirror/news."+mirror.ID(to), storage.Self(), time.Minute, stale)
			held, ok := errors.AsType[*storage.HeldError](err)
			if !ok {
				return
			}
			stale = held.Version
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := p.Push(ctx, "news", []stages.Mirror{{To: to, Timeout: time.Minute}})
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Error, "another process took it over") {
		t.Errorf("%+v %v", got, err)
	}
	if kept, err := mirror.States(t.Context(), store, "news"); err != nil || len(kept) > 0 {
		t.Errorf("it wrote over the state of who took it: %+v %v", kept, err)
	}
}

// TestHeld: a mirror on which another works without end holds nobody up for longer than the
// plan lets one try take.
func TestHeld(t *testing.T) {
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const to = "oci://registry.example/news"
	lease, err := store.Acquire(t.Context(), "mirror/news."+mirror.ID(to), storage.Self(), 200*time.Millisecond, "")
	if err != nil {
		t.Fatal(err)
	}
	p := mirror.Pusher{Store: store, Log: slog.New(slog.DiscardHandler), TTL: 400 * time.Millisecond, Open: func(stages.Mirror) (mirror.Registry, error) { return shelf{}, nil }}
	targets := []stages.Mirror{{To: to, Timeout: time.Second}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := p.Push(ctx, "news", targets)
	if err != nil || len(got) != 1 || got[0].Target != to || !strings.Contains(got[0].Error, "another process works on it") {
		t.Errorf("%+v %v", got, err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Push(ctx, "news", targets); err != nil || len(got) != 1 || got[0].Error != "" {
		t.Errorf("after that: %+v %v", got, err)
	}
}
