// Package stages holds the vocabulary of a stage: what a kind is, what it
// reads, what it writes and how it fails. It knows nothing of plans, graphs or
// runs, so a stage can be tested with nothing but a store.
//
// kind.go is the description of a kind, artifacts.go what it reads and writes,
// env.go its surroundings, failure.go and exit.go how it ends, mirror.go where else a model
// is shown. Below, fetch, label, split, train, prune, verify, publish, classify, aggregate
// and command are one kind each, listed in all. Kinds never import kinds: what several need
// is in rows (a row, its files), dedup (near-duplicates, overlap), dataset (rows and
// taxonomy), release (a published folder), resources (device, encoder), embeddings (kept
// vectors of texts), speed (how long parts of a training take), program (programs of plans),
// redact (text without secrets) and storeio (inputs and outputs over a store). stagetest
// runs one stage for a test. Nothing here imports config but for config/diagnostic, or jobs.
package stages

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Kind describes one type of stage. Kinds are values handed to a Registry;
// nothing registers itself.
type Kind struct {
	// Name is the word that plans use, for example "label".
	Name string
	// Version is part of every key of this kind. Bump it by hand whenever a
	// change of code changes what the stage computes.
	Version int
	// Doc is the reference text: a first line that is a summary, then details.
	Doc string
	// Example is the YAML of a typical `with` map.
	Example string
	// Topics are what the kind chooses among: sources, checks. Each has a page of its own.
	Topics []Topic
	// Inputs lists the artifacts the stage reads under the given options (the
	// pointer that Options made, decoded). Nil means the stage reads nothing.
	Inputs func(options any) []Input
	// Outputs lists the artifacts the stage makes under the given options.
	Outputs func(options any) []Output
	// Options returns a pointer to a new zero options struct. Its tags are the
	// single source of parsing, defaults, schema, reference page and key.
	Options func() any
	// New builds the stage from decoded options. It does no work and opens
	// nothing; a mistake in the options is found by Checker before.
	New func(options any, env Env) Stage
	// Isolated reports whether the stage, under the given options, runs in a
	// child process: its memory is tuned by its environment and the kernel may
	// kill it without the runner. Nil never does.
	Isolated func(options any) bool
	// EndsEarly reports whether the stage, under the given options, ends with the best that
	// it has when Env.Left says that its time is up. Nil never does.
	EndsEarly func(options any) bool
	// Pays reports whether the stage, under the given options, pays for answers of models
	// and notes that as NoteSpent. Nil never does.
	Pays func(options any) bool
	// Checkpoints reports whether the stage, under the given options, keeps partial work in
	// the store: started again, it goes on from there. Nil never does.
	Checkpoints func(options any) bool
	// Published says what the committed work of a manifest left in the registry of
	// models; ok is false if it left nothing. Work whose publication is gone is
	// done again. Nil publishes nothing.
	Published func(m storage.Manifest) (p models.Publication, ok bool)
	// Effort says what the time of the stage grows with under the given options: the
	// artifact that it goes through, and how many times. It scales estimates, no more.
	// Nil is unknown: then a stage is expected to take what the last one took.
	Effort func(options any) (input string, times float64)
}

// Topic is one of the things that a kind chooses among by an option.
type Topic struct {
	Of      string // what it is one of: source, check
	Name    string // the word that plans use
	Doc     string
	Example string // YAML of a `with` map
	Options string // the option whose map is for this topic alone; empty if it has none
}

// Always is the Isolated of kinds that always run in a child process, and the Checkpoints
// of those that always keep partial work.
func Always(any) bool { return true }

// GoesOn reports whether a stage of the kind that was interrupted goes on from what it kept.
func (k *Kind) GoesOn(options any) bool { return k.Checkpoints != nil && k.Checkpoints(options) }

// Input names an artifact that a kind reads.
type Input struct {
	Name string
	// Optional inputs may have no upstream stage that makes them.
	Optional bool
}

// Output names an artifact that a kind makes.
type Output struct {
	Name string
	// Volatile outputs hold clock readings or latencies and never enter a key.
	Volatile bool
}

// Stage is one attempt's worth of work.
type Stage interface {
	// Run reads from in and writes to out. Nothing it writes is visible until
	// it returns nil or a *Verdict and the runner commits the manifest. A
	// cancelled ctx asks for a prompt end: checkpoint if there is something to
	// keep, then return ctx's error or ErrInterrupted.
	Run(ctx context.Context, in Inputs, out Outputs) error
}

// Preflighter is implemented by stages that can find out early that they
// cannot succeed: a device that does not open, a target that is not writable.
// It runs before any stage of the run, and only if the stage will run.
type Preflighter interface {
	Preflight(ctx context.Context) error
}

// Checker is implemented by options structs whose fields depend on each other.
// Check is called after decoding and reports every problem at once.
type Checker interface {
	Check() []Problem
}

// Problem is one mistake in the options of a stage.
type Problem struct {
	// Path is the dotted path of the option inside `with`, "ratios.train".
	Path string
	// Message says what is wrong, Hint what to do about it.
	Message, Hint string
}

// Problems are what a Checker collects.
type Problems []Problem

// If adds the mistake of the option at path where there is one. format is used as in
// fmt.Sprintf.
func (p *Problems) If(wrong bool, path, hint, format string, args ...any) {
	if wrong {
		*p = append(*p, Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
}

// Resolver is implemented by options structs whose stage depends on something
// outside the store: files, an encoder, the taxonomy, the present hour. What it
// returns is part of the key, so it holds digests and dates, never paths or
// hosts. Values are what encoding/json makes and reads: maps, slices, strings,
// float64, bool, nil.
type Resolver interface {
	Resolve(ctx context.Context, look Lookup) (External, error)
}

// InputResolver is implemented by options whose stage depends on what the store
// holds beside its inputs, such as an earlier release. It is asked when the inputs
// are known; what it returns joins what Resolve did, in the key and in
// Env.External. It only reads.
type InputResolver interface {
	ResolveInputs(ctx context.Context, kept Kept, inputs map[string]storage.Artifact) (External, error)
}

// Kept is what an InputResolver looks into.
type Kept struct {
	Store *storage.Store
	// Trust are the keys of which one must have signed a release that is read; nil demands no
	// signature. Revoked keys count for those of a stage too; without any key to trust they
	// are a mistake.
	Trust *signature.Trust
}

// Exporter is implemented by options structs whose stage also leaves something outside the
// store. Lacking says what of it is not there as the work of a manifest left it, empty if all
// is: that work is done again. It only reads; what cannot be read is not there.
type Exporter interface {
	Lacking(ctx context.Context, store *storage.Store, m storage.Manifest) string
}

// FileChecker is implemented by options structs that name files which people write.
// CheckFiles looks into those that lie on this machine and tells what the stage would
// refuse or warn of. It is asked where a plan is checked, after Check, without a store,
// keys or the network; a file elsewhere is left to the stage.
type FileChecker interface {
	CheckFiles(ctx context.Context, taxonomy Source) []FileProblem
}

// FileProblem is what is wrong with a file that an option names.
type FileProblem struct {
	// Option is the dotted path of the option inside `with`. A problem without File is
	// told at its place in the plan: a file that is not there.
	Option string
	File   string
	// Line and Col count from 1; 0 is unknown. Excerpt is that line, for the eye.
	Line, Col int
	Excerpt   string
	// Message says what is wrong, Hint what to do about it.
	Message, Hint string
	// Warning says that the stage goes on all the same.
	Warning bool
}

// RowReader is implemented by options structs whose stage reads rows from files. It names
// those that lie on this machine.
type RowReader interface{ RowFiles() []string }

// GoldReader is implemented by options structs whose stage measures on a gold set. It
// names the file, and the option that does.
type GoldReader interface{ GoldFile() (option, path string) }

// LabelReader is implemented by options structs whose stage reads labels that rows carry.
type LabelReader interface {
	// ReadLabels says which labels those are; nil if the stage reads none. The taxonomy may
	// have mistakes, which are told elsewhere.
	ReadLabels(taxonomy Source) *LabelColumns
}

// LabelColumns are the labels that a stage reads of its rows.
type LabelColumns struct {
	// Categories have a column of their own name, or of <category>_score, each.
	Categories []string
	// Check says what is wrong with a cell of a column label; nil if nothing is.
	Check func(cell string) *Problem
	// Missing says what is wrong with rows that have neither a column label nor one of
	// each category, but columns of these; nil if nothing is.
	Missing func(categories []string) *Problem
}

// LabelKeeper is implemented by options structs whose stage brings rows in with the labels
// that they carry. KeepLabels tells, before Resolve, which labels a later stage reads.
type LabelKeeper interface {
	KeepLabels(LabelColumns)
}

// LanguageOf is the language of a row, by what its source gives or by its words, empty if
// nobody can say. lost says that the stage can make nothing of a row in it.
type LanguageOf func(given, title, description string) (language string, lost bool)

// LanguageReader is implemented by options structs whose stage treats rows by their
// language. ReadLanguages is nil if it does not; the taxonomy may have mistakes, which are
// told elsewhere.
type LanguageReader interface {
	ReadLanguages(taxonomy Source) LanguageOf
}

// LanguageKeeper is implemented by options structs whose stage brings such rows in.
// KeepLanguages comes before CheckFiles, which then counts rows of which a later stage can
// make nothing.
type LanguageKeeper interface{ KeepLanguages(LanguageOf) }

// Prober is implemented by options structs whose stage takes something from outside the
// store. Probe asks each source for as little as tells whether it is there, with the
// manners of the stage itself, and keeps nothing. It may use the network, unless look
// says that it is offline.
type Prober interface {
	Probe(ctx context.Context, look Lookup) []Probed
}

// Probed is what came of trying a source.
type Probed struct {
	// Source is what was tried, without secrets: a file, a URL, the name of a service.
	Source string
	// Found is what it answered.
	Found string
	// Untried says why it was not asked; empty if it was.
	Untried string
	// Err is why the stage would fail there; a Failure's Hint says what to do.
	Err error
}

// External is the resolved outside world of one stage.
type External map[string]any

// AddFile puts in the digest of a file that an option names, if it names one.
func (e External) AddFile(ctx context.Context, lookup Lookup, name, path string) error {
	if path == "" {
		return nil
	}
	info, err := lookup.File(ctx, path)
	if err == nil {
		e[name] = info.Digest
	}
	return err
}

// Registry is the explicit list of kinds that a program knows.
type Registry []Kind

// Kind returns the kind of that name.
func (r Registry) Kind(name string) (Kind, bool) {
	i := slices.IndexFunc(r, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return r[i], true
}

// Names lists the kinds' names in the registry's order.
func (r Registry) Names() []string {
	names := make([]string, len(r))
	for i, k := range r {
		names[i] = k.Name
	}
	return names
}

// Check refuses a registry with unnamed, doubled or incomplete kinds.
func (r Registry) Check() error {
	seen := map[string]bool{}
	for _, k := range r {
		switch {
		case k.Name == "" || k.Version < 1 || k.Options == nil || k.New == nil || k.Outputs == nil:
			return fmt.Errorf("kind %q is incomplete: it needs a name, a version, options, outputs and a constructor", k.Name)
		case seen[k.Name]:
			return fmt.Errorf("kind %q is listed twice", k.Name)
		}
		seen[k.Name] = true
	}
	return nil
}
