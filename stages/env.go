package stages

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Env is what a stage gets from its surroundings. None of it enters a key.
type Env struct {
	// Run, Stage and Attempt identify the attempt in logs and provenance.
	Run, Stage string
	Attempt    int
	// Taxonomy is the plan's taxonomy file; empty if the plan names none.
	Taxonomy Source
	// External is what the options' Resolve returned for this attempt.
	External External
	// Device is the demanded device: auto, cpu, cuda or go.
	Device string
	// CacheDir holds encoders, plugins and compiled programs; shared by all
	// runs of a user, safe to delete.
	CacheDir string
	// Offline forbids every network access but the store's.
	Offline bool
	// Endpoints are the addresses of services by the name that plans use.
	Endpoints map[string]string
	// Scratch is an empty private folder, removed after the attempt.
	Scratch string
	// Store is the run's store; stages read inputs and write outputs through
	// Inputs and Outputs, and use Store only for what is not an artifact
	// (publish writes releases there).
	Store *storage.Store
	Log   *slog.Logger
	// Progress reports how far the stage is; cheap, callable at any rate from
	// any goroutine. Never nil.
	Progress func(Progress)
	// Note records a fact about the attempt (device, plugin digest, rows
	// dropped) in the manifest. Never nil.
	Note func(name string, value any)
	// Files opens the files that Resolve named, verified against the digests
	// found then.
	Files Files
	// Checkpoints keeps the stage's partial work under its key.
	Checkpoints Checkpoints
	// Left is for how long the attempt may still run, where the money of its run bounds
	// that; limited is false elsewhere. A kind that ends early has then written its outputs.
	// Never nil.
	Left func() (left time.Duration, limited bool)
	// MayPay is what the attempt may pay for answers of models, in units of the currency of
	// the run; 0 is no limit. A stage that would pay more fails with ErrMoney.
	MayPay float64
	// Origin is what a stage that publishes may state of its work; empty elsewhere.
	Origin Origin
	// Secret resolves a reference (env:NAME or file:PATH).
	Secret func(ref string) (string, error)
	// Program is the path of the sprint binary, which guards other programs;
	// empty if there is none.
	Program string
}

// Origin is where the work of an attempt comes from.
type Origin struct {
	Plan       string // its name
	PlanDigest string
	Key        string // of the attempt
	Version    string // of sprint
	// Before is the work that the stage needs, directly or not, in an order in which each
	// comes after what it needs.
	Before []Work
}

// Work is a stage that is done: its manifest is under its kind and key.
type Work struct {
	Stage string `json:"stage"`
	Kind  string `json:"kind"`
	Key   string `json:"key"`
}

// LevelNotable is the level of log records that everybody who watches a run wants
// to see, such as the end of an epoch. Records of LevelInfo are shown on request.
// In stored logs and events it is called INFO too.
const LevelNotable = slog.LevelInfo + 2

// Source is a named text held in memory.
type Source struct {
	Name string // as messages show it, relative to the working directory
	Data []byte
}

// Progress is one report of a running stage. Zero fields are unknown.
type Progress struct {
	Done  int64         `json:"done"`
	Total int64         `json:"total,omitempty"`
	Unit  string        `json:"unit,omitempty"` // "rows", "steps", "bytes"
	Rate  float64       `json:"rate,omitempty"` // units per second
	Loss  float64       `json:"loss,omitempty"`
	Left  time.Duration `json:"left_ns,omitempty"`
	Text  string        `json:"text,omitempty"` // "epoch 2/3"
}

// Lookup answers questions about the outside world while keys are computed.
type Lookup interface {
	// File returns the digest and size of a local file or of an object at a
	// store URL. A missing local file is a Failure with CodePlan.
	File(ctx context.Context, path string) (FileInfo, error)
	// Glob expands a pattern to sorted paths; a path without a pattern is
	// returned as it is. No match is a Failure with CodePlan.
	Glob(ctx context.Context, pattern string) ([]string, error)
	// Pin returns the value kept under name in sprint.lock, or calls resolve
	// once and keeps its answer.
	Pin(ctx context.Context, name string, resolve func(context.Context) (string, error)) (string, error)
	// Now is the time at which this run began, the same for all its stages.
	Now() time.Time
	Taxonomy() Source
	Offline() bool
	CacheDir() string
}

// FileInfo is a file's content in short. Digest is "sha256:" and 64 hex digits.
type FileInfo struct {
	Path   string
	Digest string
	Size   int64
}

// Files opens external files by the path that Resolve passed to Lookup.
type Files interface {
	// Open returns the file's bytes. The reader fails with
	// storage.ErrCorrupt at its end if they are not those that the key holds.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
}

// Checkpoints keeps partial work of one key. Steps only grow.
type Checkpoints interface {
	// Save stores the files of folder dir as the checkpoint of step and
	// returns after it is durable.
	Save(ctx context.Context, step int64, dir string) error
	// Restore fetches the newest checkpoint whose bytes verify into dir, an
	// empty folder, and returns its step. usable, if not nil, is asked about it. Broken
	// ones, and those that usable refuses with storage.ErrUnusable, are skipped
	// with a warning. Without any it returns storage.ErrNotFound.
	Restore(ctx context.Context, dir string, usable func(step int64) error) (step int64, err error)
}
