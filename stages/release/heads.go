package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// The output heads is the model from which train tuned another: a model's folder with
// its thresholds, the weights in two parts, so that the store keeps those of an encoder
// once, however many heads stand on it. Without these files nothing was tuned.
const (
	weightsFile    = "model.safetensors"
	encoderPart    = "encoder.safetensors"
	headsPart      = "heads.safetensors"
	thresholdsFile = "thresholds.json"
	untunedFile    = "untuned.txt" // in their place, why
	headPrefix     = "heads."      // of the names of the tensors that are not the encoder's
)

// SplitHeads makes the folder of a model one that goes into the output heads.
func SplitHeads(dir string, thresholds []byte) error {
	whole := filepath.Join(dir, weightsFile)
	all, err := readTensors(whole)
	if err != nil {
		return err
	}
	var parts [2][]encoder.Tensor
	for _, t := range all {
		at := 0
		if strings.HasPrefix(t.Name, headPrefix) {
			at = 1
		}
		parts[at] = append(parts[at], t)
	}
	for i, name := range []string{encoderPart, headsPart} {
		if err := writeTensors(filepath.Join(dir, name), parts[i]); err != nil {
			return err
		}
	}
	if err := os.Remove(whole); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, thresholdsFile), thresholds, 0o644)
}

// WriteHeads commits a model, with its thresholds, as the output heads. scratch is a folder
// for files that go away.
func WriteHeads(ctx context.Context, out stages.Outputs, scratch string, model *bert.Model, thresholds map[string]float64) error {
	dir, err := os.MkdirTemp(scratch, "heads-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := model.Save(dir); err != nil {
		return err
	}
	data, err := json.Marshal(thresholds)
	if err != nil {
		return err
	}
	if err := SplitHeads(dir, data); err != nil {
		return err
	}
	return storeio.WriteTree(ctx, out, "heads", dir)
}

// WriteUntuned commits the output heads of a model that was not tuned, and why.
func WriteUntuned(ctx context.Context, out stages.Outputs, why string) error {
	tree, err := out.CreateTree(ctx, "heads")
	if err != nil {
		return err
	}
	defer tree.Abort()
	w, err := tree.Create(untunedFile)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := fmt.Fprintln(w, why); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	return tree.Commit()
}

// FetchHeads writes the folder of a model of the output heads below dir, an existing
// folder, and returns its thresholds; ok is false if nothing was tuned.
func FetchHeads(ctx context.Context, tree stages.Tree, dir string) (thresholds []byte, ok bool, err error) {
	if !slices.ContainsFunc(tree.Entries(), func(e storage.TreeEntry) bool { return e.Path == headsPart }) {
		return nil, false, nil
	}
	if thresholds, err = storeio.ReadTreeFile(ctx, tree, thresholdsFile); err != nil {
		return nil, false, err
	}
	if err := tree.Fetch(ctx, dir); err != nil {
		return nil, false, err
	}
	var all []encoder.Tensor
	for _, name := range []string{encoderPart, headsPart} {
		part, err := readTensors(filepath.Join(dir, name))
		if err != nil {
			return nil, false, fmt.Errorf("the heads that were tuned: %w", err)
		}
		all = append(all, part...)
	}
	return thresholds, true, writeTensors(filepath.Join(dir, weightsFile), all)
}

func readTensors(path string) ([]encoder.Tensor, error) {
	s, err := encoder.LoadSafetensors(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return s.Tensors, nil
}

func writeTensors(path string, tensors []encoder.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = encoder.WriteSafetensors(f, tensors, map[string]string{"format": "pt"})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
