package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/metrics"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Epoch is one line of history.json.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	ValLoss   float64 `json:"val_loss"`
	// ValMacroF1 is over the weak labels of val at 0.5, all categories that have
	// a positive there.
	ValMacroF1 float64 `json:"val_macro_f1"`
	Steps      int     `json:"steps"` // done so far
	Best       bool    `json:"best"`
}

// progress of the loop that a checkpoint keeps beside the trainer's state.
type loopState struct {
	History   []Epoch     `json:"history"`
	BestLoss  float64     `json:"best_loss"`
	BestSteps int         `json:"best_steps"`
	Bad       int         `json:"bad"` // epochs since the best
	Stopped   bool        `json:"stopped"`
	Scores    [][]float32 `json:"scores,omitempty"` // of val at the best epoch
}

// loop drives a trainer: epochs, early stop, checkpoints.
type loop struct {
	*stage
	trainer *fit.Trainer
	names   []string
	truth   truth
	state   loopState
	best    [][]float32
	started time.Time
	rows    int // since started
	begun   int // the step that this process began after
	saved   time.Time
}

// saveAfter is the longest time without a checkpoint; saveEpochAfter the time
// after which the end of an epoch is one.
const (
	saveAfter      = 2 * time.Minute
	saveEpochAfter = 10 * time.Second
)

// Files of a checkpoint beside the trainer's.
const (
	loopFile = "loop.json"
	bestFile = "best.safetensors"
)

func (l *loop) run(ctx context.Context) error {
	if err := l.restore(ctx); err != nil {
		return err
	}
	l.saved = time.Now()
	err := l.trainer.Compile(ctx, func(done, total int) {
		l.env.Progress(stages.Progress{Done: int64(done), Total: int64(total), Unit: "programs", Text: "compiling"})
	})
	if err != nil {
		return l.interrupted(ctx, err, false)
	}
	l.env.Log.Info("compiled", "shapes", fmt.Sprint(l.trainer.Shapes()), "seconds", math.Round(l.trainer.CompileTime.Seconds()*10)/10)
	l.started = time.Now()
	last := l.trainer.Step()
	l.begun = last
	for !l.trainer.Done() && !l.state.Stopped {
		for !l.trainer.EpochOver() {
			if ctx.Err() != nil {
				return l.interrupted(ctx, ctx.Err(), true)
			}
			loss, n, err := l.trainer.Next()
			if err != nil {
				return l.broken(err)
			}
			l.rows += n
			l.report(loss)
			if l.trainer.Step()-last >= l.o.Checkpoint || time.Since(l.saved) > saveAfter {
				if err := l.save(ctx); err != nil {
					return err
				}
				last = l.trainer.Step()
			}
		}
		if err := l.endEpoch(ctx); err != nil {
			return l.interrupted(ctx, err, true)
		}
		if time.Since(l.saved) > saveEpochAfter && !l.trainer.Done() && !l.state.Stopped {
			if err := l.save(ctx); err != nil {
				return l.interrupted(ctx, err, true)
			}
			last = l.trainer.Step()
		}
	}
	l.env.Log.Info("trained", "steps", l.trainer.Step(), "rows_per_second", math.Round(l.rate()*10)/10,
		"padding", fmt.Sprintf("%.1f %%", 100*(1-float64(l.trainer.Tokens)/float64(max(l.trainer.Padded, 1)))))
	l.env.Note("train", map[string]any{"steps": l.trainer.Step(), "rows_per_second": math.Round(l.rate()*10) / 10})
	return nil
}

// rate is in rows per second since the first step of this process.
func (l *loop) rate() float64 {
	return float64(l.rows) / math.Max(time.Since(l.started).Seconds(), 1e-3)
}

func (l *loop) report(loss float64) {
	done, total := l.trainer.Step(), l.trainer.Total()
	p := stages.Progress{Done: int64(done), Total: int64(total), Unit: "steps", Rate: l.rate(), Loss: loss, Text: fmt.Sprintf("epoch %d/%d", l.trainer.Epoch()+1, l.o.Epochs)}
	if l.rows > 0 {
		perStep := time.Since(l.started) / time.Duration(max(done-l.begun, 1))
		p.Left = perStep * time.Duration(total-done)
	}
	l.env.Progress(p)
}

// endEpoch measures on val, keeps the best weights and decides to go on.
func (l *loop) endEpoch(ctx context.Context) error {
	e, err := l.trainer.Validate(ctx)
	if err != nil {
		return err
	}
	if math.IsNaN(e.Loss) {
		return l.broken(&fit.NonFinite{Step: l.trainer.Step(), Epoch: l.trainer.Epoch() + 1, Loss: e.Loss})
	}
	x := Epoch{Epoch: l.trainer.Epoch() + 1, TrainLoss: l.trainer.TrainLoss(), ValLoss: e.Loss, ValMacroF1: l.macro(e.Scores), Steps: l.trainer.Step()}
	if x.Best = l.best == nil || e.Loss < l.state.BestLoss; x.Best {
		if l.best, err = l.trainer.Weights(); err != nil {
			return err
		}
		l.state.BestLoss, l.state.BestSteps, l.state.Bad, l.state.Scores = e.Loss, l.trainer.Step(), 0, e.Scores
	} else {
		l.state.Bad++
	}
	l.state.History = append(l.state.History, x)
	l.env.Log.Info("epoch", "epoch", x.Epoch, "train_loss", round(x.TrainLoss), "val_loss", round(x.ValLoss), "val_macro_f1", round(x.ValMacroF1))
	l.trainer.NextEpoch()
	if l.o.Patience > 0 && l.state.Bad >= l.o.Patience && !l.trainer.Done() {
		l.state.Stopped = true
		l.env.Log.Info("stopped early", "epoch", x.Epoch, "best_val_loss", round(l.state.BestLoss))
	}
	return nil
}

func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// macro is the mean F1 at 0.5 over categories with a positive in val.
func (l *loop) macro(scores [][]float32) float64 {
	sum, n := 0.0, 0
	for c := range l.names {
		tp, fp, fn := 0, 0, 0
		for i, s := range scores {
			if !l.truth.known[c][i] {
				continue
			}
			switch predicted, actual := s[c] >= 0.5, l.truth.positive[c][i]; {
			case predicted && actual:
				tp++
			case predicted:
				fp++
			case actual:
				fn++
			}
		}
		if tp+fn > 0 {
			sum += 2 * float64(tp) / float64(2*tp+fp+fn)
			n++
		}
	}
	return sum / math.Max(float64(n), 1)
}

// broken explains a step that failed.
func (l *loop) broken(err error) error {
	var nan *fit.NonFinite
	if errors.As(err, &nan) {
		return stages.Fail(stages.CodeStage, "lower learning_rate, or set clip; the last good checkpoint is kept", "%w", err)
	}
	return err
}

// interrupted saves a checkpoint when the run asked to stop.
func (l *loop) interrupted(ctx context.Context, err error, keep bool) error {
	if ctx.Err() == nil {
		return err
	}
	if keep && l.trainer.Step() > 0 {
		l.env.Log.Info("saving a checkpoint", "step", l.trainer.Step())
		if err := l.save(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return stages.ErrInterrupted
}

// save keeps everything that a resume needs.
func (l *loop) save(ctx context.Context) error {
	dir, err := os.MkdirTemp(l.env.Scratch, "checkpoint-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := l.trainer.Save(dir); err != nil {
		return err
	}
	b, err := json.Marshal(l.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, loopFile), b, 0o644); err != nil {
		return err
	}
	if l.best != nil {
		var tensors []encoder.Tensor
		for i, p := range l.trainer.Trainable() {
			tensors = append(tensors, encoder.Float32Tensor(p.Name, l.best[i], p.Shape...))
		}
		f, err := os.Create(filepath.Join(dir, bestFile))
		if err != nil {
			return err
		}
		err = encoder.WriteSafetensors(f, tensors, nil)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write a checkpoint: %w", err)
		}
	}
	if err := l.env.Checkpoints.Save(ctx, int64(l.trainer.Step()), dir); err != nil {
		return fmt.Errorf("save the checkpoint of step %d: %w", l.trainer.Step(), err)
	}
	l.saved = time.Now()
	return nil
}

// restore goes on from the newest checkpoint, if there is a good one.
func (l *loop) restore(ctx context.Context) error {
	dir, err := os.MkdirTemp(l.env.Scratch, "restore-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	step, err := l.env.Checkpoints.Restore(ctx, dir)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.trainer.Restore(dir); err != nil {
		if errors.Is(err, fit.ErrForeign) {
			l.env.Log.Warn("the checkpoint is not used, training starts afresh", "step", step, "error", err)
			return nil
		}
		return fmt.Errorf("restore the checkpoint of step %d: %w", step, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, loopFile))
	if err == nil {
		err = json.Unmarshal(b, &l.state)
	}
	if err != nil {
		return fmt.Errorf("restore the checkpoint of step %d: %w", step, err)
	}
	if l.state.BestSteps > 0 {
		if l.best, err = l.readBest(filepath.Join(dir, bestFile)); err != nil {
			return fmt.Errorf("restore the checkpoint of step %d: %w", step, err)
		}
	}
	l.env.Note("resumed", fmt.Sprintf("from the checkpoint of step %d of %d", step, l.trainer.Total()))
	return nil
}

func (l *loop) readBest(path string) ([][]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s, err := encoder.ReadSafetensors(f, fi.Size())
	if err != nil {
		return nil, err
	}
	var best [][]float32
	for _, p := range l.trainer.Trainable() {
		t, ok := s.Tensor(p.Name)
		if !ok {
			return nil, fmt.Errorf("tensor %s is missing", p.Name)
		}
		data, err := t.Float32()
		if err != nil {
			return nil, err
		}
		best = append(best, data)
	}
	return best, nil
}

// write commits the best model, the history and the thresholds.
func (l *loop) write(ctx context.Context, out stages.Outputs) error {
	model, err := l.trainer.Export(l.best, l.state.BestSteps)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(l.env.Scratch, "model-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := model.Save(dir); err != nil {
		return err
	}
	if err := writeTree(ctx, out, "model", dir); err != nil {
		return err
	}
	if err := writeJSON(ctx, out, "history", l.state.History); err != nil {
		return err
	}
	thresholds := map[string]float64{}
	for c, name := range l.names {
		var scores []float32
		var positive []bool
		for i, s := range l.state.Scores {
			if l.truth.known[c][i] {
				scores, positive = append(scores, s[c]), append(positive, l.truth.positive[c][i])
			}
		}
		thresholds[name] = metrics.Threshold(scores, positive)
	}
	return writeJSON(ctx, out, "thresholds", thresholds)
}

// copyInto adds a file to a tree.
func copyInto(tree stages.TreeWriter, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := tree.Create(name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Commit()
}
