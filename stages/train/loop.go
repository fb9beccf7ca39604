package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/losses"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// loop drives a trainer: epochs, early stop, checkpoints.
type loop struct {
	*stage
	trainer   *fit.Trainer
	names     []string
	texts     []string // of the training examples, to name bad ones
	device    string   // identity of the device and its plugin
	t         *taxonomy.Taxonomy
	dev       *device.Device
	val       []rows.Row  // that count, with the fields that the text has
	truth     truth       // of val
	targets   [][]float32 // of val, of a single model
	fired     float64     // share of val rows on which a rule fires, of a single model
	gold      []rows.Row  // the part that calibrates
	state     loopState
	best      [][]float32
	started   time.Time
	epochs    int
	last      bool // the last epoch is kept, whatever val says
	rows      int  // since started
	firstStep int  // the step that this process began after
	savedAt   time.Time
	savedStep int // step of the last checkpoint
	losses    losses.Sparkline
	// What the money of the attempt paid for when it was asked first, and what comes after
	// the last step: a pass over val, and a checkpoint.
	allowed, validating, saving time.Duration
	missing                     bool // programs are compiled that were not kept
	// compileModel is what the time to compile a program depends on, beside the device.
	compileModel string
	meanLoss     float64 // of the last losses, the later the heavier
}

// A fit whose mean loss is diverged times that before the first step will not
// come back; the mean is over about 1/fresh steps.
const (
	divergence = 20
	lossDecay  = 0.1
)

// saveEpochAfter is the time without a checkpoint after which the end of an
// epoch is one.
const saveEpochAfter = 10 * time.Second

func (l *loop) run(ctx context.Context) error {
	if err := l.prepare(ctx); err != nil {
		return l.interrupted(ctx, err, false)
	}
	l.savedAt, l.started = time.Now(), time.Now()
	l.firstStep = l.trainer.StepsDone()
	l.savedStep = l.firstStep
	up := false
	for !l.trainer.Done() && !l.state.Stopped {
		for !l.trainer.EpochOver() {
			if ctx.Err() != nil {
				return l.interrupted(ctx, ctx.Err(), true)
			}
			if up = l.moneyUp(); up {
				break
			}
			if err := l.step(ctx); err != nil {
				return err
			}
		}
		if up {
			if err := l.endEarly(ctx); err != nil {
				return err
			}
			break
		}
		if err := l.endEpoch(ctx); err != nil {
			return l.interrupted(ctx, err, true)
		}
		if time.Since(l.savedAt) > saveEpochAfter && !l.trainer.Done() && !l.state.Stopped {
			if err := l.save(ctx); err != nil {
				return l.interrupted(ctx, err, true)
			}
		}
	}
	if !l.last && l.state.BestLoss >= l.state.FirstLoss {
		l.env.Log.Warn("the model learned nothing: its loss on val is no better than before training; lower learning_rate, or train for more epochs",
			"val_loss", round(l.state.BestLoss), "before", round(l.state.FirstLoss))
	}
	l.env.Log.Info("trained", "steps", l.trainer.StepsDone(), "rows_per_second", math.Round(l.rate()*10)/10,
		"padding", fmt.Sprintf("%.1f %%", 100*(1-float64(l.trainer.Tokens)/float64(max(l.trainer.Padded, 1)))))
	l.env.Note("train", map[string]any{"steps": l.trainer.StepsDone(), "rows_per_second": math.Round(l.rate()*10) / 10, "micro_batches": l.trainer.AccumulationSteps()})
	return nil
}

// step makes one step, and a checkpoint when it is time.
func (l *loop) step(ctx context.Context) error {
	loss, n, err := l.trainer.Step()
	if full, ok := errors.AsType[*device.OutOfMemoryError](err); ok {
		return l.retrySmaller(ctx, full)
	}
	if err != nil {
		return l.explain(err)
	}
	l.rows += n
	l.reportProgress(loss)
	if err := l.checkDivergence(loss); err != nil {
		return err
	}
	if l.trainer.StepsDone()-l.savedStep >= l.o.Checkpoint || time.Since(l.savedAt) > time.Duration(l.o.CheckpointMinutes*float64(time.Minute)) {
		return l.save(ctx)
	}
	return nil
}

// checkDivergence ends a fit that gets worse and worse instead of letting it run for
// hours.
func (l *loop) checkDivergence(loss float64) error {
	first := l.state.FirstLoss
	if l.meanLoss == 0 {
		l.meanLoss = first
	}
	l.meanLoss += lossDecay * (loss - l.meanLoss)
	if first <= 0 || l.meanLoss < divergence*first {
		return nil
	}
	return stages.Fail(stages.CodeStage, "lower learning_rate, or set warmup or clip", "the training diverges: at step %d (epoch %d) the loss is %.4g on average, before the first step it was %.4g%s",
		l.trainer.StepsDone(), l.trainer.Epoch()+1, l.meanLoss, first, l.keptCheckpoint())
}

// keptCheckpoint says which checkpoint a failed training leaves.
func (l *loop) keptCheckpoint() string {
	if l.savedStep == 0 {
		return ""
	}
	return fmt.Sprintf("; the checkpoint of step %d is kept", l.savedStep)
}

// retrySmaller goes back to the last checkpoint with batches in smaller parts: the
// step that failed took the state with it.
func (l *loop) retrySmaller(ctx context.Context, full *device.OutOfMemoryError) error {
	if err := l.reduceBatch(full); err != nil {
		return err
	}
	found, err := l.restore(ctx)
	if err == nil && !found {
		err = full
	}
	return err
}

// reduceBatch halves the micro-batch and says so.
func (l *loop) reduceBatch(full *device.OutOfMemoryError) error {
	if !l.trainer.DoubleAccumulation() {
		return stages.Fail(stages.CodeMemory, "lower max_length, batch_tokens or freeze layers, or use a device with more memory", "%w, with one row at a time", full)
	}
	l.env.Log.Warn("out of memory: batches are cut into smaller parts, whose gradients are summed", "micro_batches", l.trainer.AccumulationSteps(), "error", full)
	return nil
}

// rate is in rows per second since the first step of this process.
func (l *loop) rate() float64 {
	return float64(l.rows) / math.Max(time.Since(l.started).Seconds(), 1e-3)
}

func (l *loop) reportProgress(loss float64) {
	done, total := l.trainer.StepsDone(), l.trainer.Total()
	l.losses.Add(loss)
	p := stages.Progress{Done: int64(done), Total: int64(total), Unit: "steps", Rate: l.rate(), Loss: loss, Text: fmt.Sprintf("epoch %d/%d %s", l.trainer.Epoch()+1, l.epochs, l.losses)}
	if l.rows > 0 {
		perStep := time.Since(l.started) / time.Duration(max(done-l.firstStep, 1))
		p.Left = perStep * time.Duration(total-done)
	}
	l.env.Progress(p)
}

// explain explains a step that failed.
func (l *loop) explain(err error) error {
	nan, ok := errors.AsType[*fit.NonFiniteError](err)
	if !ok {
		return err
	}
	var texts []string
	for _, e := range nan.Examples[:min(3, len(nan.Examples))] {
		texts = append(texts, fmt.Sprintf("%.80q", l.texts[e]))
	}
	if len(nan.Examples) > 3 {
		texts = append(texts, "...")
	}
	batch := ""
	if len(texts) > 0 {
		batch = "; the batch holds " + strings.Join(texts, ", ")
	}
	return stages.Fail(stages.CodeStage, "lower learning_rate, or set clip", "%w%s%s", err, batch, l.keptCheckpoint())
}

// interrupted saves a checkpoint when the run asked to stop.
func (l *loop) interrupted(ctx context.Context, err error, keep bool) error {
	if ctx.Err() == nil {
		return err
	}
	if keep && l.trainer.StepsDone() > 0 {
		l.env.Log.Log(ctx, stages.LevelNotable, "saving a checkpoint", "step", l.trainer.StepsDone())
		if err := l.save(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return stages.ErrInterrupted
}

// write commits the best model, the history and the thresholds.
func (l *loop) write(ctx context.Context, out stages.Outputs) error {
	model, err := l.trainer.Export(l.best, l.state.BestSteps)
	if err != nil {
		return err
	}
	if err := l.halve(ctx, model); err != nil {
		return l.interrupted(ctx, err, false)
	}
	calibration, err := l.calibrate(ctx, model)
	if err != nil {
		return l.interrupted(ctx, err, false)
	}
	if err := l.addRulesBeside(ctx, model); err != nil {
		return l.interrupted(ctx, err, false)
	}
	return l.stage.write(ctx, out, model, l.state.History, calibration, l.thresholds(model, calibration))
}

// write commits a model and what belongs to it.
func (s *stage) write(ctx context.Context, out stages.Outputs, model *bert.Model, history []Epoch, calibration *release.Calibration, thresholds map[string]float64) error {
	dir, err := os.MkdirTemp(s.env.Scratch, "model-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := model.Save(dir); err != nil {
		return err
	}
	if err := storeio.WriteTree(ctx, out, "model", dir); err != nil {
		return err
	}
	if err := storeio.WriteJSON(ctx, out, "history", history); err != nil {
		return err
	}
	var by []losses.Epoch
	for _, e := range history {
		by = append(by, losses.Epoch{Epoch: e.Epoch, TrainLoss: e.TrainLoss, ValLoss: e.ValLoss, Best: e.Best})
	}
	if err := storeio.WriteFile(ctx, out, "curve", "image/svg+xml", losses.Chart(by)); err != nil {
		return err
	}
	if err := storeio.WriteJSON(ctx, out, "calibration", calibration); err != nil {
		return err
	}
	return storeio.WriteJSON(ctx, out, "thresholds", thresholds)
}
