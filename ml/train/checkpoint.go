package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// Files of a checkpoint.
const (
	stateFile = "state.safetensors"
	metaFile  = "trainer.json"
)

// maxMeta is the most bytes of metaFile.
const maxMeta = 4 << 20

// checkpointFormat is bumped when a checkpoint's meaning changes.
const checkpointFormat = 3

// checkpointMeta is the part of a checkpoint that is not tensors.
type checkpointMeta struct {
	Format       int     `json:"format"`
	Step         int     `json:"step"`
	Total        int     `json:"total"`
	Epoch        int     `json:"epoch"`
	Cursor       int     `json:"cursor"`
	LossSum      float64 `json:"sum"`
	Seen         int     `json:"seen"`
	Tokens       int64   `json:"tokens"`
	Padded       int64   `json:"padded"`
	Options      Options `json:"options"`
	MicroBatches int     `json:"micro_batches"`
	Data         string  `json:"data"` // digest of the examples
}

// Save writes the whole state of the fit into folder dir: weights, moments,
// and where in the data it stands. A state that is no number any more
// is not worth keeping: it is a *NonFiniteError that names the last batch.
func (t *Trainer) Save(dir string) error {
	n := len(t.trainable)
	var out []encoder.Tensor
	var broken *NonFiniteError
	err := device.Guard("copy the training state", func() error {
		groups := []string{"w.", "m.", "v."}
		if t.step == 0 {
			groups = groups[:1] // the moments are 0
		}
		for k, group := range groups {
			for i, p := range t.trainable {
				data := tensors.MustCopyFlatData[float32](t.state[k*n+i])
				if broken == nil && slices.ContainsFunc(data, nonFinite[float32]) {
					broken = t.nonFiniteWeight(p.Name)
				}
				out = append(out, encoder.Float32Tensor(group+p.Name, data, p.Shape...))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	f, err := os.Create(filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	err = encoder.WriteSafetensors(f, out, nil)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	m := checkpointMeta{checkpointFormat, t.step, t.total, t.epoch, t.cursor, t.lossSum, t.rowsSeen, t.Tokens, t.Padded, t.o, t.accumulation, t.data}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, metaFile), b, 0o644)
}

// ErrForeign says that a checkpoint belongs to another fit or format.
var ErrForeign = errors.New("the checkpoint belongs to another fit")

// Restore puts a checkpoint of the same fit back.
func (t *Trainer) Restore(dir string) error {
	b, err := plainfile.Read(filepath.Join(dir, metaFile), maxMeta)
	if err != nil {
		return err
	}
	m, err := parseCheckpointMeta(b)
	if err != nil {
		return err
	}
	if err := t.checkMeta(m); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	s, err := encoder.ReadSafetensors(f, fi.Size())
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrForeign, stateFile, err)
	}
	n := len(t.trainable)
	next := make([]*tensors.Tensor, 3*n)
	for k, group := range []string{"w.", "m.", "v."} {
		for i, p := range t.trainable {
			if k > 0 && m.Step == 0 {
				next[k*n+i] = tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...)
				continue
			}
			x, ok := s.Tensor(group + p.Name)
			if !ok || !slices.Equal(x.Shape, p.Shape) {
				return fmt.Errorf("%w: tensor %s%s is missing or has another shape", ErrForeign, group, p.Name)
			}
			data, err := x.Float32()
			if err != nil {
				return err
			}
			next[k*n+i] = tensors.FromFlatDataAndDimensions(slices.Clone(data), p.Shape...)
		}
	}
	finalize(t.state)
	t.state = next
	if m.MicroBatches > t.accumulation {
		t.accumulate(m.MicroBatches)
	}
	t.step, t.total, t.epoch = m.Step, m.Total, m.Epoch
	t.shuffle()
	t.cursor, t.lossSum, t.rowsSeen, t.Tokens, t.Padded = m.Cursor, m.LossSum, m.Seen, m.Tokens, m.Padded
	return nil
}

// parseCheckpointMeta reads the format first: what else stands there depends on it.
func parseCheckpointMeta(b []byte) (m checkpointMeta, err error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrForeign, metaFile, err)
	}
	if head.Format != checkpointFormat {
		return m, fmt.Errorf("%w: its format is %d, this sprint reads %d", ErrForeign, head.Format, checkpointFormat)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrForeign, metaFile, err)
	}
	return m, nil
}

// checkMeta checks that a checkpoint is one of this fit.
func (t *Trainer) checkMeta(m checkpointMeta) error {
	whole := t.perEpoch * t.o.Epochs
	switch {
	case m.Options != t.o:
		return fmt.Errorf("%w: it has other options", ErrForeign)
	case m.Data != t.data:
		return fmt.Errorf("%w: it has other training data", ErrForeign)
	case m.Total < 1 || m.Total > whole, m.Step < 0, m.Step > m.Total, m.Epoch < 0, m.Epoch > t.o.Epochs, m.Cursor < 0, m.Cursor > t.perEpoch, m.MicroBatches < 1, m.MicroBatches > 1<<20:
		return fmt.Errorf("%w: it stands at step %d of %d, epoch %d", ErrForeign, m.Step, m.Total, m.Epoch)
	}
	return nil
}
