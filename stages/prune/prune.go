// Package prune makes a model smaller by the pieces of its vocabulary that no text of the run
// uses.
//
// prune.go is the kind, document.go what it tells of the loss. How a vocabulary is pruned is
// in ml/tokenize, how a model is in ml/bert.
package prune

import (
	"context"
	"errors"
	"os"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/tokenize"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// Kind returns the kind "prune".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "prune",
		Version: 1,
		Doc: `Leaves out of a model the vocabulary that the run's rows do not use.
Of a multilingual encoder most of the weights are the embeddings of pieces of words of
other languages. The pieces stay that occur in the texts of train and val, labelled or not,
and with them all special tokens and single characters, so that nothing becomes unknown
that was not. On those texts the model answers as before; a word that is new may be cut into
shorter pieces, which means less to the encoder. The output vocabulary says what that
costs: sizes before and after, and of the rows of test, which had no part in it, the share
of the tokens that are gone and of the rows that have one. Put it between train and verify:
what verify then measures, on gold too, is what publish releases. To compare, run once with
--set prune.vocabulary=whole, or name a second verify before it; nothing is trained again.
Thresholds and temperatures stay as train has them.`,
		Example: "vocabulary: seen\n",
		Inputs: func(any) []stages.Input {
			return []stages.Input{{Name: "model"}, {Name: "train"}, {Name: "val"}, {Name: "test", Optional: true}}
		},
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "model"}, {Name: "vocabulary"}}
		},
		Options:  func() any { return new(Options) },
		New:      func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
		Isolated: stages.Always,
	}
}

// Options of prune.
type Options struct {
	Vocabulary string `yaml:"vocabulary" default:"seen" enum:"seen|whole" doc:"what stays of the model's vocabulary: what texts of train and val use, or all of it"`
}

type stage struct {
	o   *Options
	env stages.Env
}

// Run writes the smaller model and what that costs.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	dir, err := os.MkdirTemp(s.env.Scratch, "whole-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree, err := in.Tree(ctx, "model")
	if err != nil {
		return err
	}
	if err := tree.Fetch(ctx, dir); err != nil {
		return err
	}
	whole, err := bert.Load(dir)
	if err != nil {
		return err
	}
	doc := Vocabulary{}
	doc.Before.measure(whole, dir)
	doc.After = doc.Before
	if s.o.Vocabulary == "whole" {
		return s.write(ctx, out, dir, &doc)
	}
	seen, err := texts(ctx, in, whole, "train", "val")
	if err != nil {
		return err
	}
	pruned, old, err := whole.Prune(seen)
	if errors.Is(err, tokenize.ErrNotPruned) {
		return stages.Fail(stages.CodeStage, "leave out this stage, or set vocabulary: whole", "%w", err)
	}
	if err != nil {
		return err
	}
	to, err := os.MkdirTemp(s.env.Scratch, "pruned-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(to)
	if err := pruned.Save(to); err != nil {
		return err
	}
	doc.After.measure(pruned, to)
	if _, ok := in.Artifact("test"); ok {
		before, err := texts(ctx, in, whole, "test")
		if err != nil {
			return err
		}
		after, err := texts(ctx, in, pruned, "test")
		if err != nil {
			return err
		}
		doc.HeldOut = compare(old, before, after)
	}
	return s.write(ctx, out, to, &doc)
}

// write tells what was pruned, and commits the files of a folder as the model.
func (s *stage) write(ctx context.Context, out stages.Outputs, dir string, doc *Vocabulary) error {
	s.env.Note("vocabulary", doc.String())
	s.env.Log.Info("the model's vocabulary", "kept", doc.String())
	if err := storeio.WriteTree(ctx, out, "model", dir); err != nil {
		return err
	}
	return storeio.WriteJSON(ctx, out, "vocabulary", doc)
}

// texts are the rows of some inputs as a model reads them.
func texts(ctx context.Context, in stages.Inputs, m *bert.Model, names ...string) (out []bert.Text, err error) {
	for _, name := range names {
		set, _, err := storeio.ReadRows(ctx, in, name)
		if err != nil {
			return nil, err
		}
		out = append(out, bert.EncodeTexts(m, set, func(r rows.Row) (string, string) { return r.Title, r.Description })...)
	}
	return out, nil
}
