// Package listener tells a program of a plan's choice which release an alias names: it may
// show it in a registry that nothing else here knows, or call for whoever reviews it.
package listener

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/stages/program"
	"github.com/sprint-ml/sprint/storage"
)

// grace is how long a program may take to end when its time is over.
const grace = 5 * time.Second

// maxMetrics caps what is read of a release's figures, in bytes.
const maxMetrics = 16 << 20

// Options are a program, as a plan names it, and its surroundings.
type Options struct {
	Argv    []string
	Env     []string          // names of variables that are passed on
	Secrets map[string]string // variables whose value is a reference
	// Resolve resolves a reference, env:NAME or file:PATH.
	Resolve func(ref string) (string, error)
	Surroundings
}

// Surroundings are the same for all programs of a plan.
type Surroundings struct {
	Dir   string // where they start
	Store string // address of the store, which the programs are told
	Guard string // path of sprint, which guards them; empty if there is none
	Log   *slog.Logger
}

// Event is what a program reads: that an alias names a release.
type Event struct {
	Model     string     `json:"model"`
	Version   int        `json:"version"`
	Alias     string     `json:"alias"`
	Digest    string     `json:"digest"` // of the release's tree
	Run       string     `json:"run,omitempty"`
	Published *time.Time `json:"published"` // null if the publisher did not say
	Store     string     `json:"store"`
	// Metrics are null if the release has none that can be read.
	Metrics *catalog.Figures `json:"metrics"`
}

// Listener is a program that is told. It is a mirror.Registry that cannot be asked.
type Listener struct{ o Options }

// New makes a listener. It starts nothing.
func New(o Options) *Listener { return &Listener{o} }

// Listens is true.
func (*Listener) Listens() bool { return true }

// Push does nothing: a release that no alias names is nobody's news.
func (*Listener) Push(context.Context, mirror.Release) error { return nil }

// Point runs the program and tells it that an alias names a release. It is told anew as often
// as this is called.
func (l *Listener) Point(ctx context.Context, alias string, r mirror.Release) (string, error) {
	facts := r.Facts()
	event := Event{Model: r.Name, Version: r.Version, Alias: alias, Digest: r.Digest, Run: facts.Run, Store: l.o.Store}
	if !facts.Date.IsZero() {
		event.Published = &facts.Date
	}
	var err error
	if event.Metrics, err = figures(ctx, r); err != nil {
		return "", fmt.Errorf("read its figures: %w", err)
	}
	text, err := json.Marshal(event)
	if err != nil {
		return "", err
	}
	log := l.o.Log.With(slog.String("model", fmt.Sprintf("%s@%d", r.Name, r.Version)), slog.String("alias", alias))
	return "", program.Program{
		Argv: l.o.Argv, Passed: l.o.Env, Secrets: l.o.Secrets, Resolve: l.o.Resolve, Mark: "SPRINT_EVENT=" + rand.Text(),
		Dir: l.o.Dir, Stdin: bytes.NewReader(append(text, '\n')), Grace: grace, Guard: l.o.Guard, Log: log,
	}.Run(ctx)
}

// figures reads what verify measured of a release; nil if it has none, or of another form.
func figures(ctx context.Context, r mirror.Release) (*catalog.Figures, error) {
	at := slices.IndexFunc(r.Files, func(e storage.TreeEntry) bool { return e.Path == "metrics.json" })
	if at < 0 || r.Files[at].Size > maxMetrics {
		return nil, nil
	}
	file, err := r.Open(ctx, r.Files[at])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	var metrics document.Metrics
	if json.Unmarshal(text, &metrics) != nil {
		return nil, nil
	}
	found := catalog.FiguresOf(metrics)
	return &found, nil
}
