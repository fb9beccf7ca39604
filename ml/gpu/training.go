package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/train"
)

// batchShape is rows by tokens.
type batchShape struct{ Rows, Length int }

func (b batchShape) String() string { return fmt.Sprintf("%dx%d", b.Rows, b.Length) }

// shapesOf are the batches whose steps are timed.
func (s settings) shapesOf() []batchShape {
	if s.Small {
		return []batchShape{{8, 16}}
	}
	return []batchShape{{32, 24}, {32, 128}, {256, 32}}
}

// examples are texts with random targets.
func examples(n, length int, m *bert.Model) []train.Example {
	rng := rand.New(rand.NewPCG(9, 9)) //nolint:gosec // the same rows on every machine
	out := make([]train.Example, n)
	for i, t := range texts(n, length, m.Spec.Encoder.VocabSize, 6) {
		e := train.Example{IDs: t.IDs}
		for range m.Spec.Categories {
			e.Score = append(e.Score, []float32{0, 0.8}[rng.IntN(2)])
			e.Tag = append(e.Tag, int32(rng.IntN(6))) //nolint:gosec // six tags
			e.Weight = append(e.Weight, 1)
		}
		out[i] = e
	}
	return out
}

func fitOptions(b batchShape, half bool) train.Options {
	return train.Options{Epochs: 1000, BatchSize: b.Rows, BatchTokens: b.Rows * b.Length, MaxShapes: 1, LearningRate: 2e-5, HeadScale: 1, LayerDecay: 1, Warmup: 0.1,
		Schedule: "linear", WeightDecay: 0.01, Clip: 1, ScoreWeight: 0.5, TagWeight: 0.5, Seed: 11, Half: half}
}

// trainer of one batch shape.
func newTrainer(m *bert.Model, d *device.Device, b batchShape, batches int, half bool) (*train.Trainer, error) {
	set := examples(b.Rows*batches, b.Length, m)
	return train.New(m, d, set, set[:min(b.Rows, len(set))], fitOptions(b, half))
}

// step makes the next step, over the end of an epoch too.
func step(t *train.Trainer) (float64, error) {
	if t.EpochOver() {
		t.NextEpoch()
	}
	loss, _, err := t.Step()
	return loss, err
}

// timeSteps is the median of steps in milliseconds, after some that are not counted.
func timeSteps(ctx context.Context, t *train.Trainer, n int) (float64, error) {
	var ms []float64
	for i := range n + 3 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := step(t); err != nil {
			return 0, err
		}
		if i >= 3 {
			ms = append(ms, time.Since(began).Seconds()*1000)
		}
	}
	slices.Sort(ms)
	return round(ms[len(ms)/2], 2), nil
}

func smallSteps(ctx context.Context, s settings, say func(figures)) error {
	z := miniLM()
	if s.Small {
		z = tiny()
	}
	return steps(ctx, "steps", z, s, say)
}

func largeSteps(ctx context.Context, s settings, say func(figures)) error {
	if s.Small {
		return skip("a CPU takes seconds for a step of BERT-base")
	}
	return steps(ctx, "large", bertBase(), s, say)
}

// steps times training steps in float32 as the device multiplies by default (TF32 on cards
// that have it), in float32 without TF32, and in bfloat16.
func steps(ctx context.Context, name string, z size, s settings, say func(figures)) error {
	strictly := os.Getenv("NVIDIA_TF32_OVERRIDE") == "0"
	return z.inFolder(func(m *bert.Model, _ string) error {
		d, _, err := s.open(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		f := figures{"encoder": z.Name}
		for _, half := range []bool{false, true} {
			precision := "default"
			if half {
				precision = "bf16"
			}
			if strictly && half {
				continue
			}
			for _, b := range s.shapesOf() {
				t, err := newTrainer(m, d, b, 4, half)
				if err != nil {
					return err
				}
				ms, err := timeSteps(ctx, t, 20)
				compile := t.CompileTime
				t.Close()
				if err != nil {
					return err
				}
				f[fmt.Sprintf("ms_%s_%s", precision, b)] = ms
				f[fmt.Sprintf("compile_s_%s_%s", precision, b)] = round(compile.Seconds(), 1)
				say(f)
			}
		}
		if s.Device == device.CUDA && !strictly {
			other, err := again(ctx, name, s, strict)
			for _, b := range s.shapesOf() {
				f["ms_strict_fp32_"+b.String()] = other["ms_default_"+b.String()]
			}
			say(f)
			return err
		}
		return nil
	})
}

// again runs a part in a child with more environment and returns its figures.
func again(ctx context.Context, name string, s settings, env string) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-part", name, "-device", s.Device, "-cache", s.Cache)
	cmd.Env = append(os.Environ(), env)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	err = cmd.Run()
	said := lastLine(out.Bytes())
	if err != nil {
		err = fmt.Errorf("%s with %s: %w: %s", name, env, err, said.Error)
	}
	return said.Figures, err
}

// curve fits a tiny encoder for 50 steps, twice on the device and once on the pure-Go
// backend: the losses must fall, be the same both times, and lie near the Go ones.
func curve(ctx context.Context, s settings, say func(figures)) error {
	const n = 50
	return tiny().inFolder(func(m *bert.Model, _ string) error {
		pure, err := device.Open(ctx, device.Go, device.Options{})
		if err != nil {
			return err
		}
		defer pure.Close()
		d, _, err := s.open(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		var all [][]float64
		for _, on := range []*device.Device{d, d, pure} {
			one, err := lossesOf(ctx, m, on, n)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		far := 0.0
		for i := range n {
			far = max(far, math.Abs(all[0][i]-all[2][i]))
		}
		f := figures{"first_epoch": round(mean(all[0][:4]), 4), "last_epoch": round(mean(all[0][n-4:]), 4), "same_twice": slices.Equal(all[0], all[1]), "largest_distance_from_go": far, "losses": all[0]}
		say(f)
		switch {
		case !(mean(all[0][n-4:]) < 0.9*mean(all[0][:4])):
			return errors.New("the loss does not fall by a tenth")
		case far > 0.05:
			return fmt.Errorf("the losses lie up to %.3g from those of the pure-Go backend", far)
		}
		return nil
	})
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// lossesOf returns the losses of the first n steps of a fit of n steps, four to an epoch.
func lossesOf(ctx context.Context, m *bert.Model, d *device.Device, n int) ([]float64, error) {
	b := batchShape{8, 16}
	set := examples(b.Rows*4, b.Length, m)
	o := fitOptions(b, false)
	o.LearningRate, o.Epochs = 3e-3, n/4+1
	t, err := train.New(m, d, set, set[:b.Rows], o)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var losses []float64
	for range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss, err := step(t)
		if err != nil {
			return nil, err
		}
		losses = append(losses, loss)
	}
	return losses, nil
}

// bytesPerText is about what a text of 128 tokens needs in a training step of a 6-layer
// encoder of 384 numbers in float32: (34 L h + 5 a L^2) bytes a layer in half precision
// (Korthikanti et al., arXiv 2205.05198, section 4.1), twice that in float32.
const bytesPerText = 2 * 6 * (34*128*384 + 5*12*128*128)

// memory makes a batch half as large again as the device's memory, and cuts it into parts
// until it fits, as a training does.
func memory(ctx context.Context, s settings, say func(figures)) error {
	if s.Small {
		return skip("a CPU's plugin is ended by the kernel before it says that memory is short")
	}
	return miniLM().inFolder(func(m *bert.Model, dir string) error {
		d, _, err := s.open(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		if d.MemoryBytes == 0 {
			return skip("nobody says how much memory the card has")
		}
		b := batchShape{int(d.MemoryBytes / bytesPerText * 3 / 2), 128} //nolint:gosec // thousands
		t, err := newTrainer(m, d, b, 1, false)
		if err != nil {
			return err
		}
		defer t.Close()
		start := filepath.Join(dir, "start")
		if err := t.Save(start); err != nil {
			return err
		}
		f := figures{"batch": b.String(), "memory_bytes": d.MemoryBytes}
		for {
			_, err := step(t)
			if err == nil {
				break
			}
			full, ok := errors.AsType[*device.OutOfMemoryError](err)
			if !ok {
				return fmt.Errorf("%d parts: want the error of a full memory, got: %w", t.AccumulationSteps(), err)
			}
			f["message"] = full.Error()
			say(f)
			if !t.DoubleAccumulation() {
				return errors.New("not even one text fits")
			}
			if err := t.Restore(start); err != nil {
				return err
			}
		}
		f["parts_that_fit"] = t.AccumulationSteps()
		say(f)
		if t.AccumulationSteps() == 1 {
			return errors.New("the batch fitted at once: the estimate of what a text needs is wrong")
		}
		return nil
	})
}
