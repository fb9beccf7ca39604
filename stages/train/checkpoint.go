package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/plainfile"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/storage"
)

// loopState is what a checkpoint keeps of the loop, beside the trainer's state.
type loopState struct {
	History   []Epoch `json:"history"`
	FirstLoss float64 `json:"first_loss"` // of val before the first step
	BestLoss  float64 `json:"best_loss"`
	BestF1    float64 `json:"best_f1"`
	BestSteps int     `json:"best_steps"`
	// CountedLoss is that of the last epoch which got better by what counts, and SinceGain
	// the epochs since it.
	CountedLoss float64     `json:"counted_loss"`
	SinceGain   int         `json:"bad"`
	Stopped     bool        `json:"stopped"`
	Scores      [][]float32 `json:"scores,omitempty"` // of val at the best epoch
	// CheckedOn names the device on which every program of this fit has run.
	CheckedOn string `json:"proved"`
}

// Files of a checkpoint beside the trainer's.
const (
	loopFile = "loop.json"
	bestFile = "best.safetensors"
)

// maxLoop is the most bytes of loopFile, which has a score for each row of val.
const maxLoop = 1 << 30

// save keeps everything that a resume needs.
func (l *loop) save(ctx context.Context) error {
	began := time.Now()
	defer func() { l.saving = time.Since(began) }()
	dir, err := os.MkdirTemp(l.env.Scratch, "checkpoint-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := l.trainer.Save(dir); err != nil {
		return l.explain(err)
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
	if err := l.env.Checkpoints.Save(ctx, int64(l.trainer.StepsDone()), dir); err != nil {
		return fmt.Errorf("save the checkpoint of step %d: %w", l.trainer.StepsDone(), err)
	}
	l.savedAt, l.savedStep = time.Now(), l.trainer.StepsDone()
	return nil
}

// restore goes on from the newest checkpoint, if there is a good one.
func (l *loop) restore(ctx context.Context) (found bool, err error) {
	dir, err := os.MkdirTemp(l.env.Scratch, "restore-*")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	_, err = l.env.Checkpoints.Restore(ctx, dir, func(step int64) error {
		err := l.trainer.Restore(dir)
		if err == nil {
			err = l.readState(dir)
		}
		if errors.Is(err, fit.ErrForeign) {
			return fmt.Errorf("%w: %w", storage.ErrUnusable, err)
		}
		if err != nil {
			return fmt.Errorf("restore the checkpoint of step %d: %w", step, err)
		}
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// readState reads the loop's part of a checkpoint. What cannot be understood is
// of another sprint, since the store has checked the bytes.
func (l *loop) readState(dir string) error {
	b, err := plainfile.Read(filepath.Join(dir, loopFile), maxLoop)
	if err != nil {
		return err
	}
	var state loopState
	if err := json.Unmarshal(b, &state); err != nil {
		return fmt.Errorf("%w: %s: %w", fit.ErrForeign, loopFile, err)
	}
	var best [][]float32
	if state.BestSteps > 0 {
		if best, err = l.readBest(filepath.Join(dir, bestFile)); err != nil {
			return fmt.Errorf("%w: %s: %w", fit.ErrForeign, bestFile, err)
		}
	}
	l.state, l.best = state, best
	return nil
}

func (l *loop) readBest(path string) ([][]float32, error) {
	s, err := encoder.LoadSafetensors(path)
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
