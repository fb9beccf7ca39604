// Package jobstest is what the tests of the runner's packages share: toy kinds
// whose outputs are a function of their key, a bench with a plan and a store, and
// the worker process that a test binary plays.
package jobstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Options are options of every toy kind.
type Options struct {
	Text  string            `yaml:"text" default:"x"`
	Times int               `yaml:"times" default:"1" min:"1" max:"9"`
	Rate  float64           `yaml:"rate" default:"0.5"`
	Tags  []string          `yaml:"tags"`
	Extra map[string]string `yaml:"extra"`
	File  string            `yaml:"file" path:"true"`
	Pace  time.Duration     `yaml:"pace" default:"0s" key:"-"`
	Reads []string          `yaml:"reads"` // of kind node
	Makes string            `yaml:"makes"`
	Noise int               `yaml:"noise" default:"0" key:"-"`    // megabytes of log
	Keep  bool              `yaml:"keep" default:"false" key:"-"` // a checkpoint after every piece
	End   string            `yaml:"end" default:"done" key:"-" enum:"done|fail|lost|verdict|drop|panic|short|flaky"`
}

// Check refuses the text bad.
func (o *Options) Check() []stages.Problem {
	if o.Text == "bad" {
		return []stages.Problem{{Path: "text", Message: "must not be bad", Hint: "try good"}}
	}
	return nil
}

// Resolve takes the digest of a file that the options name.
func (o *Options) Resolve(ctx context.Context, look stages.Lookup) (stages.External, error) {
	if o.File == "" {
		return nil, nil
	}
	info, err := look.File(ctx, o.File)
	return stages.External{"file": info.Digest}, err
}

// Counter counts how often each stage ran, over all runners of a test.
type Counter struct {
	mu sync.Mutex
	N  map[string]int // runs by stage
	// Before, if set, is called when a stage begins.
	Before func(stage string, attempt int)
}

func (c *Counter) ran(stage string, attempt int) {
	c.mu.Lock()
	if c.N == nil {
		c.N = map[string]int{}
	}
	c.N[stage]++
	before := c.Before
	c.mu.Unlock()
	if before != nil {
		before(stage, attempt)
	}
}

// SetBefore replaces Before while stages may begin.
func (c *Counter) SetBefore(before func(stage string, attempt int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Before = before
}

// String lists the counts.
func (c *Counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.N)
}

// toy concatenates its inputs and its own text: outputs are a function of the
// key. Its partial work is a file with the number of pieces written so far.
type toy struct {
	o     *Options
	env   stages.Env
	reads []string
	makes []string
	count *Counter
}

func (s toy) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	s.count.ran(s.env.Stage, s.env.Attempt)
	var text strings.Builder
	if err := s.read(ctx, in, &text); err != nil {
		return err
	}
	if err := s.pieces(ctx, &text); err != nil {
		return err
	}
	for line := strings.Repeat("noise ", 170); s.o.Noise > 0; s.o.Noise-- {
		for range 1 << 10 {
			s.env.Log.Info("noise", "text", line)
		}
	}
	s.env.Note("device", "toy")
	s.env.Log.Info("wrote", "bytes", text.Len())
	for _, name := range s.makes {
		if s.o.End == "short" {
			break
		}
		w, err := out.Create(ctx, name, "text/plain")
		if err != nil {
			return err
		}
		defer w.Abort()
		fmt.Fprintf(w, "%s:%s", name, text.String())
		if err := w.Commit(); err != nil {
			return err
		}
	}
	return s.end()
}

// read appends the inputs that are there to the text.
func (s toy) read(ctx context.Context, in stages.Inputs, text *strings.Builder) error {
	for _, name := range s.reads {
		if _, ok := in.Artifact(name); !ok {
			continue
		}
		r, err := in.Open(ctx, name)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		text.Write(b)
	}
	return nil
}

// pieces appends the stage's own text piece by piece, from its checkpoint on.
func (s toy) pieces(ctx context.Context, text *strings.Builder) (err error) {
	from := 0
	if s.o.Keep {
		if from, err = s.restore(ctx, text); err != nil {
			return err
		}
	}
	for i := from; i < s.o.Times; i++ {
		select {
		case <-ctx.Done():
			if s.o.End == "drop" {
				return ctx.Err() // nothing is kept
			}
			if s.o.Keep {
				return stages.ErrInterrupted // all is kept already
			}
			dir := filepath.Join(s.env.Scratch, "keep")
			_ = os.MkdirAll(dir, 0o755)
			_ = os.WriteFile(filepath.Join(dir, "done"), []byte(strconv.Itoa(i)), 0o644)
			if err := s.env.Checkpoints.Save(context.WithoutCancel(ctx), int64(i), dir); err != nil {
				return err
			}
			return stages.ErrInterrupted
		case <-time.After(s.o.Pace):
		}
		text.WriteString(s.o.Text)
		if s.o.Keep {
			if err := s.keep(ctx, i+1, text.String()); err != nil {
				return err
			}
		}
		s.env.Log.Info("piece", "number", i+1)
		s.env.Progress(stages.Progress{Done: int64(i + 1), Total: int64(s.o.Times), Unit: "rows"})
	}
	return nil
}

// Preflight demands nothing; that it is there lets an attempt be tried before.
func (s toy) Preflight(context.Context) error { return nil }

// end ends the stage as its options say.
func (s toy) end() error {
	switch s.o.End {
	case "fail":
		return stages.Fail(stages.CodeSource, "give it more", "the toy is broken")
	case "lost":
		return stages.Lose(stages.CodeEnvironment, "try later", "the toy is gone")
	case "verdict":
		return &stages.Verdict{Code: stages.CodeGate, Message: "0.3 is below 0.5", Hint: "train more"}
	case "panic":
		panic("toy")
	case "flaky":
		if s.env.Attempt < 3 {
			return errors.New("the toy stumbles")
		}
	}
	return nil
}

// keep saves the text so far, restore brings it back.
func (s toy) keep(ctx context.Context, step int, text string) error {
	dir := filepath.Join(s.env.Scratch, "kept")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o644); err != nil {
		return err
	}
	return s.env.Checkpoints.Save(ctx, int64(step), dir)
}

func (s toy) restore(ctx context.Context, text *strings.Builder) (int, error) {
	dir, err := os.MkdirTemp(s.env.Scratch, "restored-*")
	if err != nil {
		return 0, err
	}
	step, err := s.env.Checkpoints.Restore(ctx, dir, nil)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "text"))
	text.Reset()
	text.Write(b)
	return int(step), err
}

// shipper publishes what it reads as a release of the model "toy".
type shipper struct{ env stages.Env }

func (s shipper) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	r, err := in.Open(ctx, "end")
	if err != nil {
		return err
	}
	model, err := s.env.Store.Put(ctx, r, "")
	r.Close()
	if err != nil {
		return err
	}
	tree, err := s.env.Store.PutTree(ctx, []storage.TreeEntry{{Path: "model", Digest: model.Digest, Size: model.Size}})
	if err != nil {
		return err
	}
	release, err := models.In(s.env.Store).Publish(ctx, "toy", tree, nil)
	if err != nil {
		return err
	}
	if err := models.In(s.env.Store).SetAlias(ctx, "toy", "latest", release.Version); err != nil {
		return err
	}
	s.env.Note("version", release.Version)
	s.env.Note("digest", release.Digest)
	w, err := out.Create(ctx, "receipt", "text/plain")
	if err != nil {
		return err
	}
	defer w.Abort()
	fmt.Fprint(w, release.Digest)
	return w.Commit()
}

// Kind makes a toy kind that reads and makes the named artifacts.
func Kind(name string, count *Counter, isolated bool, reads []string, optional bool, makes ...string) stages.Kind {
	return stages.Kind{
		Name: name, Version: 1, Doc: "A toy.", Isolated: func(any) bool { return isolated },
		Inputs: func(any) (in []stages.Input) {
			for _, r := range reads {
				in = append(in, stages.Input{Name: r, Optional: optional})
			}
			return in
		},
		Outputs: func(any) (out []stages.Output) {
			for _, m := range makes {
				out = append(out, stages.Output{Name: m, Volatile: m == "times"})
			}
			return out
		},
		Checkpoints: func(o any) bool { return o.(*Options).Keep },
		Options:     func() any { return &Options{} },
		New:         func(o any, env stages.Env) stages.Stage { return toy{o.(*Options), env, reads, makes, count} },
	}
}

// nodeKind is a node of any graph: it reads and makes what its options name.
func nodeKind(count *Counter) stages.Kind {
	k := Kind("node", count, false, nil, false)
	k.Inputs = func(o any) (in []stages.Input) {
		for _, r := range o.(*Options).Reads {
			in = append(in, stages.Input{Name: r})
		}
		return in
	}
	k.Outputs = func(o any) []stages.Output { return []stages.Output{{Name: o.(*Options).Makes}} }
	k.New = func(o any, env stages.Env) stages.Stage {
		t := o.(*Options)
		return toy{t, env, t.Reads, []string{t.Makes}, count}
	}
	return k
}

func shipKind(count *Counter) stages.Kind {
	k := Kind("ship", count, false, []string{"end"}, false, "receipt")
	k.New = func(_ any, env stages.Env) stages.Stage { return counted{shipper{env}, env, count} }
	k.Published = func(m storage.Manifest) (models.Publication, bool) {
		version, _ := m.Notes["version"].(float64)
		digest, _ := m.Notes["digest"].(string)
		return models.Publication{Name: "toy", Version: int(version), Digest: digest, Alias: "latest"}, true
	}
	return k
}

type counted struct {
	stages.Stage
	env   stages.Env
	count *Counter
}

func (c counted) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	c.count.ran(c.env.Stage, c.env.Attempt)
	return c.Stage.Run(ctx, in, out)
}

// Kinds is a registry of make -> refine -> join, and what reads all.
func Kinds(count *Counter) stages.Registry {
	return stages.Registry{
		Kind("make", count, false, nil, false, "raw"),
		Kind("refine", count, false, []string{"raw"}, false, "fine", "times"),
		Kind("join", count, false, []string{"fine", "raw"}, true, "all"),
		Kind("slow", count, true, []string{"all"}, true, "end"),
		shipKind(count), nodeKind(count),
	}
}
