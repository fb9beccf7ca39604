package mirror_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// TestDropped: a mirror is dropped by the plan that listed it last and no other, from the
// first run that lists it no more until one lists it again; one that was forgotten is in no
// list, until a plan lists it.
func TestDropped(t *testing.T) {
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const one, two = "oci://registry.example/one", "oci://registry.example/two"
	push := func(plan string, targets ...string) {
		t.Helper()
		p := mirror.Pusher{Store: store, Plan: plan, Log: slog.New(slog.DiscardHandler), Open: func(stages.Mirror) (mirror.Registry, error) { return shelf{}, nil }}
		var all []stages.Mirror
		for _, to := range targets {
			all = append(all, stages.Mirror{To: to, Timeout: time.Minute})
		}
		if _, err := p.Push(t.Context(), "news", all); err != nil {
			t.Fatal(err)
		}
	}
	known := func() (all, dropped []string) {
		t.Helper()
		states, err := mirror.States(t.Context(), store, "news")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			all = append(all, s.Target)
			if !s.Dropped.IsZero() {
				dropped = append(dropped, s.Target)
			}
		}
		return all, dropped
	}
	push("daily", one, two)
	push("weekly") // it never listed one
	if _, dropped := known(); dropped != nil {
		t.Errorf("dropped by another plan: %v", dropped)
	}
	push("daily", one)
	if _, dropped := known(); !slices.Equal(dropped, []string{two}) {
		t.Errorf("dropped are %v", dropped)
	}
	push("weekly", two)
	if _, dropped := known(); dropped != nil {
		t.Errorf("dropped, and listed by another plan since: %v", dropped)
	}
	p := mirror.Pusher{Store: store, TTL: 400 * time.Millisecond}
	if err := p.Forget(t.Context(), "news", two); err != nil {
		t.Fatal(err)
	}
	if all, _ := known(); !slices.Equal(all, []string{one}) {
		t.Errorf("known are %v", all)
	}
	push("weekly", two)
	if all, _ := known(); !slices.Equal(all, []string{one, two}) {
		t.Errorf("known are %v", all)
	}
	// Nothing is forgotten of a mirror on which somebody works: it would be written again.
	lease, err := store.Acquire(t.Context(), "mirror/news."+mirror.ID(two), storage.Self(), time.Minute, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release(context.WithoutCancel(t.Context())) }()
	p.TTL = time.Minute
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	err = p.Forget(ctx, "news", two)
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeLease || !strings.Contains(err.Error(), two) {
		t.Errorf("a mirror that is worked on: %v", err)
	}
	if all, _ := known(); !slices.Equal(all, []string{one, two}) {
		t.Errorf("known are %v", all)
	}
}
