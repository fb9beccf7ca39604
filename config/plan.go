// Package config reads what is to be done, the plan, and where it is done, the
// config. Both are strict: every mistake is reported with its place, all at
// once, and nothing is guessed.
//
//	plan.go, parse.go  a plan and its stages; how its YAML is read
//	refresh.go         when a plan's model is trained anew
//	options.go         the options of its stages: plan, --values, SPRINT_SET_*, --set
//	config.go          the config: flags, SPRINT_*, a file and its profiles
//	schema.go          the JSON Schema of a plan, for editors
//	options/           what a struct's tags say of its options; decoding
//	strictyaml/        YAML whose values keep their places
//	diagnostic/        a mistake with its place, its line and a hint
//
// Each of the three folders imports only those below it. Nothing here knows
// stores, kinds of stage or models.
package config

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Plan says what is to be done. It is portable and never holds a secret or an
// address of a machine.
type Plan struct {
	Name     string
	Taxonomy string // path as written; relative to the plan's folder
	Refresh  Refresh
	Stages   []Stage
	File     string // as given to LoadPlan
	Digest   string // "sha256:…" of the file's bytes
	Source   []byte

	// TaxonomyPos is where Taxonomy stands.
	TaxonomyPos diagnostic.Position

	doc *strictyaml.Document
}

// Stage is one step of a plan.
type Stage struct {
	Name   string
	Kind   string
	Needs  []string          // names of stages; filled in with the stage before if the plan is silent
	Inputs map[string]string // artifact name -> "stage.artifact", to settle ambiguity
	With   map[string]any    // raw options; decoded by Options.Decode
	Retry  Retry
	// Timeout ends an attempt; zero is none.
	Timeout   time.Duration
	Resources Resources
	Pos       diagnostic.Position

	places     map[string]diagnostic.Position
	needPlaces []diagnostic.Position // of Needs; none if the plan is silent
}

// needPos returns where the i-th of Needs stands.
func (s *Stage) needPos(i int) diagnostic.Position {
	if i < len(s.needPlaces) {
		return s.needPlaces[i]
	}
	return s.Pos
}

// Resources are what a stage demands of the machine.
type Resources struct {
	Device  string // auto, cpu, cuda or go; empty is auto
	GPUs    int
	GPUType string
	CPUs    int
	Memory  Size
	Disk    Size
	// Preemptible says that the machine may be taken away again while the stage runs: it
	// costs less, and the stage goes on from its checkpoint.
	Preemptible bool
	// OnDemandAfter is after how many interruptions of a run the stage goes to machines
	// that are not taken away; 0 is never.
	OnDemandAfter int
}

// defaultOnDemandAfter is where a further loss is likelier than the price is worth.
const defaultOnDemandAfter = 2

// Retry says how often an attempt is tried again, by what ended the one before.
// The numbers are budgets of their own: a night of bad network leaves the tries
// that a lost machine may cost.
type Retry struct {
	Network int // a source or registry did not answer
	Store   int // the store did not answer
	Machine int // the process that did the work is gone
	Failure int // the stage failed by itself (codes 1 and 8)
	// Interruptions are machines that their place took away: what a plan allows by
	// resources.preemptible, or what a cluster does for the sake of others.
	Interruptions int
	Wait          time.Duration // before the first further try; doubled for each one after it
}

// defaultRetry is the patience of a plan that is silent. The store gets more:
// what waits for it is work that is done already. Interruptions are no sign of a mistake,
// and cost what was done since the last checkpoint.
func defaultRetry() Retry {
	return Retry{Network: 2, Store: 8, Machine: 2, Interruptions: 10, Wait: time.Second}
}

// Dir is the folder that paths of the plan are relative to.
func (p *Plan) Dir() string { return filepath.Dir(p.File) }

// Stage returns the stage of that name.
func (p *Plan) Stage(name string) (*Stage, bool) {
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Stages[i], true
}

// stageNames are those of its stages, in order.
func (p *Plan) stageNames() []string {
	names := make([]string, len(p.Stages))
	for i, s := range p.Stages {
		names[i] = s.Name
	}
	return names
}

// ErrorAt makes an error at a place of the plan.
func (p *Plan) ErrorAt(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
	return p.doc.ErrorAt(pos, path, message, hint)
}

// FieldPos returns where a field of a stage stands: "needs", "kind",
// "inputs.test". It falls back to the stage.
func (s *Stage) FieldPos(path string) diagnostic.Position {
	if p, ok := s.places[path]; ok {
		return p
	}
	return s.Pos
}

// What isName and isInput accept, as the schema says it.
const (
	namePattern  = `^[a-z][a-z0-9_-]{0,62}$`
	inputPattern = `^[a-z][a-z0-9_-]{0,62}\.[a-z][a-z0-9_-]{0,62}$`
)

// isName tells names of plans, stages and artifacts: they become parts of keys,
// of environment variables and of file names.
func isName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// isInput tells "stage.artifact".
func isInput(s string) bool {
	stage, artifact, ok := strings.Cut(s, ".")
	return ok && isName(stage) && isName(artifact)
}

const nameHint = "use a-z, 0-9, - and _, beginning with a letter, at most 63"
