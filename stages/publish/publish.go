// Package publish makes an immutable release of a model that passed verify.
//
// publish.go is the kind: it checks what verify found, stores the release and moves the alias
// last. folder.go writes the release's files, card.go its model card, which tells how to use
// the model on example.go's text, sign.go says who made it and statement.go of what, by keys
// that files.go looks at before a run, outside.go what answers without this program:
// model.py, titles.py, network.py and rules.py in Python, and an ONNX file.
// What others read of a release is in package release.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/probe"
)

// Kind returns the kind "publish".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "publish",
		Version: 8,
		Doc: `Publishes the model as the next version of a name and moves an alias to it.
It refuses (code 10) unless verify passed for this very model. A release is a
folder in the Hugging Face layout with the taxonomy, thresholds, metrics, history,
a model card, model.py, which answers in Python, and a manifest of digests; with
onnx, the classifier as one ONNX file too. With sign.key it is signed (model.sig), and
the run that made it is stated: models verify --key checks both, without a network. Versions are 1, 2, 3; the same release
keeps its version. The alias moves last.`,
		Example: "name: quickstart\nalias: latest\n",
		Inputs: func(any) []stages.Input {
			return []stages.Input{{Name: "model"}, {Name: "thresholds"}, {Name: "metrics"}, {Name: "checks"}, {Name: "history"},
				{Name: "vocabulary", Optional: true}, {Name: "train", Optional: true}, {Name: "val", Optional: true}, {Name: "test", Optional: true}}
		},
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "release"}, {Name: "receipt", Volatile: true}}
		},
		Options:   func() any { return new(Options) },
		New:       func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
		Published: published,
	}
}

// published reads from a manifest what was published: the version, which no key
// holds, from the note.
func published(m storage.Manifest) (p models.Publication, ok bool) {
	var preimage struct{ Options Options }
	if json.Unmarshal(m.Preimage, &preimage) != nil || m.Verdict != nil {
		return p, false
	}
	p.Name, p.Alias = preimage.Options.Name, preimage.Options.Alias
	tree, _ := m.Output("release")
	p.Digest = tree.Digest
	note, _ := m.Notes[stages.NoteRelease].(string)
	if version, named := strings.CutPrefix(note, p.Name+"@"); named {
		p.Version, _ = models.ParseVersion(version) // 0 is not known
	}
	return p, models.ValidName(p.Name) && models.ValidName(p.Alias)
}

// Options of publish.
type Options struct {
	Name  string `yaml:"name" required:"true" doc:"the model's name in the store"`
	Alias string `yaml:"alias" default:"latest" doc:"movable name of the new version, not a number"`
	// Description came later: releases without one keep their keys.
	Description string `yaml:"description" default:"" key:"set" doc:"what the model is for, in a sentence; its card begins with it"`
	License     string `yaml:"license" default:"" key:"set" doc:"of the model, by its identifier: apache-2.0, cc-by-4.0; stands in its card"`
	Language    string `yaml:"language" default:"" key:"set" doc:"of the texts, by its code: sv; stands in the model's card"`
	ONNX        bool   `yaml:"onnx" default:"false" key:"set" doc:"write the whole classifier, without what rules add, as model.onnx too"`
	// Mirror is in no key: a release is the same wherever else it is shown.
	Mirror []stages.Mirror `yaml:"mirror" key:"-" doc:"registries of other makers that show the model and its aliases too, and commands that are told of them; the run asks them when it has ended, and one that fails is behind until the next run or sprint models mirror"`
	// Sign is keyed by what Resolve says of it: of releases that are not signed nothing is.
	Sign Sign `yaml:"sign" key:"-" doc:"who made the release, in the format of OpenSSF Model Signing: with a key, a signature is written into it"`
}

// Mirrors are where the model is shown too.
func (o *Options) Mirrors() (string, []stages.Mirror) { return o.Name, o.Mirror }

// What the head of a card may hold.
var (
	identifier   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// commandWords are what `sprint models` takes for a command in the place of a name.
var commandWords = []string{"history", "mirror", "sign", "verify", "help"}

// Check refuses names that the store cannot hold, or that no command line can tell.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	out.If(!models.ValidName(o.Name),
		"name", "use a-z, 0-9, dot, dash and underscore", "%q is no model name", o.Name)
	out.If(slices.Contains(commandWords, o.Name),
		"name", "call it otherwise, as "+o.Name+"-news", "%q is a command of `sprint models`, which could not show that model", o.Name)
	out.If(!models.ValidAlias(o.Alias),
		"alias", "use a word of a-z, 0-9, dot, dash and underscore, not a number", "%q is no alias", o.Alias)
	out.If(o.License != "" && !identifier.MatchString(o.License),
		"license", "an identifier of SPDX, as apache-2.0", "%q is no licence's identifier", o.License)
	out.If(o.Language != "" && !languageCode.MatchString(o.Language),
		"language", "a code of BCP 47, as sv or pt-BR", "%q is no language", o.Language)
	out.If(o.Sign.Key == "" && o.Sign.Public != "",
		"sign.public", "sign.key refers to the private key, env:NAME or file:PATH", "there is no key to sign with")
	return append(out, stages.CheckMirrors("mirror", o.Mirror)...)
}

// Resolve keys the taxonomy, whose text is part of the release, and that it is signed.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	out := stages.External{"taxonomy": digest(lookup.Taxonomy().Data)}
	return out, o.Sign.resolve(ctx, lookup, out)
}

type stage struct {
	o   *Options
	env stages.Env
}

// Preflight finds out early that the store takes no writes, or that there is no key.
func (s *stage) Preflight(ctx context.Context) error {
	if _, err := s.signingKey(); err != nil {
		return err
	}
	if err := probe.Quick(ctx, s.env.Store.Bucket); err != nil {
		return stages.Fail(stages.CodeEnvironment, "check the store's URL and rights", "the store cannot take a release: %w", err)
	}
	return nil
}

// checks is what verify found out.
type checks struct {
	Passed bool   `json:"passed"`
	Model  string `json:"model"`
	Checks []struct {
		ID      string `json:"id"`
		Passed  bool   `json:"passed"`
		Message string `json:"message"`
	} `json:"checks"`
}

// receipt says what was published where and when.
type receipt struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Alias     string    `json:"alias"`
	Digest    string    `json:"digest"`
	Published time.Time `json:"published"`
}

// Run writes release and receipt, then the version and last the alias.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	if err := s.checkVerified(ctx, in); err != nil {
		return err
	}
	f, err := s.folder(ctx, in, out)
	if err != nil {
		return err
	}
	tree, err := s.env.Store.PutTree(ctx, f.entries)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	facts := models.Facts{Run: s.env.Run, Stage: s.env.Stage, Attempt: s.env.Attempt, Date: now}
	if facts.Provenance, err = s.stateRun(ctx, f, now); err != nil {
		return err
	}
	meta, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	seen, err := models.In(s.env.Store).AliasVersion(ctx, s.o.Name, s.o.Alias)
	if err != nil {
		return storeFailure(err, "read alias %s of %s", s.o.Alias, s.o.Name)
	}
	release, err := models.In(s.env.Store).Publish(ctx, s.o.Name, tree, meta)
	if err != nil {
		return storeFailure(err, "publish %s", s.o.Name)
	}
	body, err := json.MarshalIndent(receipt{s.o.Name, release.Version, s.o.Alias, tree.Digest, now}, "", "  ")
	if err != nil {
		return err
	}
	if err := storeio.WriteFile(ctx, out, "receipt", "application/json", body); err != nil {
		return err
	}
	named, err := models.In(s.env.Store).AdvanceAlias(ctx, s.o.Name, s.o.Alias, release.Version, seen, models.Reason{Who: models.Who(os.Getenv), Why: "published by stage " + s.env.Stage, Run: s.env.Run})
	if err != nil {
		return storeFailure(err, "move alias %s of %s", s.o.Alias, s.o.Name)
	}
	if named != release.Version {
		s.env.Log.Warn("the alias stays: another run published a later version meanwhile", slog.String("model", s.o.Name), slog.String("alias", s.o.Alias), slog.Int("version", named))
	}
	if f.example.text != "" {
		s.env.Note(stages.NoteExample, f.example.text)
	}
	if f.key != nil {
		s.env.Note("signed_by", f.key.ID)
	}
	s.env.Note(stages.NoteRelease, fmt.Sprintf("%s@%d", s.o.Name, release.Version))
	s.env.Log.Info("published", slog.String("model", s.o.Name), slog.Int("version", release.Version), slog.String("alias", s.o.Alias))
	return nil
}

func storeFailure(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, storage.ErrDenied) {
		return stages.Fail(stages.CodeEnvironment, "check the rights of the store's credentials", "%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// checkVerified refuses a model that verify did not pass.
func (s *stage) checkVerified(ctx context.Context, in stages.Inputs) error {
	data, err := storeio.ReadFile(ctx, in, "checks")
	if err != nil {
		return err
	}
	var c checks
	if err := json.Unmarshal(data, &c); err != nil {
		return stages.Fail(stages.CodePublish, "run the verify stage again with --force=verify", "checks are not readable: %w", err)
	}
	model, _ := in.Artifact("model")
	if c.Model != model.Digest {
		return stages.Fail(stages.CodePublish, "let verify and publish read the model of the same train stage", "publish refused: verify measured model %s, publish was given %s", c.Model, model.Digest)
	}
	if !c.Passed {
		for _, k := range c.Checks {
			if !k.Passed {
				return stages.Fail(stages.CodePublish, "improve the model, or change the check", "publish refused: check %s failed: %s", k.ID, k.Message)
			}
		}
		return stages.Fail(stages.CodePublish, "improve the model, or change the checks", "publish refused: verify did not pass")
	}
	return nil
}
