// Package config reads what is to be done, the plan, and where it is done, the
// config. Both are strict: every mistake is reported with its place, all at
// once, and nothing is guessed.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Plan says what is to be done. It is portable and never holds a secret or an
// address of a machine.
type Plan struct {
	Name     string
	Taxonomy string // path as written; relative to the plan's folder
	Stages   []Stage
	File     string // as given to LoadPlan
	Digest   string // "sha256:…" of the file's bytes
	Source   []byte

	doc *document
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
	Pos       Position

	places     map[string]Position
	needPlaces []Position // of Needs; none if the plan is silent
}

// needPos returns where the i-th of Needs stands.
func (s *Stage) needPos(i int) Position {
	if i < len(s.needPlaces) {
		return s.needPlaces[i]
	}
	return s.Pos
}

// Resources are what a stage demands of the machine.
type Resources struct {
	Device string // auto, cpu, cuda, go or another PJRT name; empty is auto
}

// Retry says how often an attempt is tried again, by what ended the one before.
// The numbers are budgets of their own: a night of bad network leaves the tries
// that a lost machine may cost.
type Retry struct {
	Network int           // a source or registry did not answer
	Store   int           // the store did not answer
	Machine int           // the process that did the work is gone
	Failure int           // the stage failed by itself (codes 1 and 8)
	Wait    time.Duration // before the first further try; doubled for each one after it
}

// defaultRetry is the patience of a plan that is silent. The store gets more:
// what waits for it is work that is done already.
func defaultRetry() Retry { return Retry{Network: 2, Store: 5, Machine: 2, Wait: time.Second} }

// Dir is the folder that paths of the plan are relative to.
func (p *Plan) Dir() string { return filepath.Dir(p.File) }

// Stage returns the stage of that name.
func (p *Plan) Stage(name string) (*Stage, bool) {
	for i := range p.Stages {
		if p.Stages[i].Name == name {
			return &p.Stages[i], true
		}
	}
	return nil, false
}

// ErrorAt makes an error at a place of the plan.
func (p *Plan) ErrorAt(pos Position, path, message, hint string) *Error {
	if p.doc == nil {
		return &Error{Pos: pos, Path: path, Message: message, Hint: hint}
	}
	return p.doc.on(pos, path, message, hint)
}

// FieldPos returns where a field of a stage stands: "needs", "kind",
// "inputs.test". It falls back to the stage.
func (s *Stage) FieldPos(path string) Position {
	if p, ok := s.places[path]; ok {
		return p
	}
	return s.Pos
}

// LoadPlan reads a plan file as ParsePlan does.
func LoadPlan(path string) (*Plan, error) {
	data, err := readSource(path)
	if err != nil {
		e := &Error{Pos: Position{File: path}, Message: fmt.Sprintf("cannot read the plan: %v", cause(err))}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			e.Hint = "`sprint init` writes a plan that runs as it is"
		case errors.Is(err, errTooLarge):
			e.Hint = tooLargeHint
		}
		return nil, Errors{e}
	}
	return ParsePlan(path, data)
}

// cause strips the path that os errors repeat.
func cause(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err
		}
		err = inner.Unwrap()
	}
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

// ParsePlan reads a plan from memory; file names it in messages and is what
// paths in it are relative to. Mistakes in it are Errors. If every stage could
// be told in spite of them, the plan is returned beside them: good for finding
// the mistakes in its options too, never for running.
func ParsePlan(file string, data []byte) (*Plan, error) {
	doc, errs := parseDocument(file, data)
	sum := sha256.Sum256(data)
	p := &Plan{File: file, Digest: "sha256:" + hex.EncodeToString(sum[:]), Source: data, doc: doc}
	if doc.root == nil {
		return nil, errs.OrNil()
	}
	r := &planReader{doc: doc, errs: errs}
	r.plan(p)
	if r.unclear {
		return nil, r.errs.OrNil()
	}
	return p, r.errs.OrNil()
}

type planReader struct {
	doc  *document
	errs Errors
	// unclear is set when a stage or its kind cannot be told.
	unclear bool
}

// wrong says what a value is instead of what it should be, unless its mistake
// was reported.
func (r *planReader) wrong(it *item, path, want, hint string) {
	if _, told := it.value.(broken); !told {
		r.fail(it.pos, path, want+", this is "+typeName(it.value), hint)
	}
}

func (r *planReader) fail(pos Position, path, message, hint string) {
	r.errs = append(r.errs, r.doc.on(pos, path, message, hint))
}

// fields checks that it is a map with no keys but the known ones.
func (r *planReader) fields(it *item, path, what string, known ...string) *mapping {
	m, ok := it.value.(*mapping)
	if !ok {
		r.wrong(it, path, what+" must be a map", "its keys: "+strings.Join(known, ", "))
		return &mapping{}
	}
	for _, k := range m.keys {
		if !slices.Contains(known, k) {
			r.fail(m.keyPos[k], join(path, k), "unknown key", Suggest(k, known))
		}
	}
	return m
}

func (r *planReader) text(m *mapping, path, key string) string {
	it := m.get(key)
	if it == nil {
		return ""
	}
	s, ok := it.value.(string)
	if !ok {
		r.wrong(it, join(path, key), "want text", "")
	}
	return s
}

func (r *planReader) plan(p *Plan) {
	m := r.fields(r.doc.root, "", "a plan", "name", "taxonomy", "stages")
	if m.items == nil {
		r.unclear = true
		return
	}
	p.Name = r.text(m, "", "name")
	p.Taxonomy = r.text(m, "", "taxonomy")
	top := r.doc.root.pos
	if it := m.get("name"); it == nil {
		r.fail(top, "name", "a plan needs a name", "for example `name: quickstart`")
	} else if _, isText := it.value.(string); isText && !isName(p.Name) {
		r.fail(it.pos, "name", fmt.Sprintf("%q is no name", shorten(p.Name, 80)), nameHint)
	}
	it := m.get("stages")
	if it == nil {
		r.fail(top, "stages", "a plan needs stages", "a list of {name: …, with: {…}}")
		r.unclear = true
		return
	}
	list, ok := it.value.([]*item)
	if !ok || len(list) == 0 {
		if ok {
			r.fail(it.pos, "stages", "a plan needs at least one stage", "for example `- name: train`")
		} else {
			r.wrong(it, "stages", "want a list of stages", "")
		}
		r.unclear = true
		return
	}
	seen := map[string]Position{}
	for i, s := range list {
		stage := r.stage(s, i)
		if first, double := seen[stage.Name]; double && stage.Name != "" {
			r.fail(stage.Pos, "stages."+stage.Name, fmt.Sprintf("a second stage of this name, the first is in line %d", first.Line), "rename one of them; `kind:` says what it does")
		}
		if _, double := seen[stage.Name]; double || !isName(stage.Name) || !isName(stage.Kind) {
			r.unclear = true
		}
		seen[stage.Name] = stage.Pos
		if stage.Needs == nil && i > 0 {
			stage.Needs = []string{p.Stages[i-1].Name}
		}
		p.Stages = append(p.Stages, stage)
	}
	for _, s := range p.Stages {
		for i, need := range s.Needs {
			if _, ok := seen[need]; !ok {
				names := make([]string, len(p.Stages))
				for i, o := range p.Stages {
					names[i] = o.Name
				}
				r.fail(s.needPos(i), "stages."+s.Name+".needs", fmt.Sprintf("no stage is named %q", need), Suggest(need, names))
			}
		}
	}
}

func (r *planReader) stage(it *item, index int) Stage {
	path := fmt.Sprintf("stages.%d", index)
	s := Stage{Pos: it.pos, Retry: defaultRetry(), With: map[string]any{}, places: map[string]Position{}}
	m := r.fields(it, path, "a stage", "name", "kind", "needs", "inputs", "with", "retry", "timeout", "resources")
	if m.items == nil {
		return s
	}
	it.places("", s.places)
	s.Name = r.text(m, path, "name")
	if isName(s.Name) {
		path = "stages." + s.Name
	}
	if n := m.get("name"); n == nil {
		r.fail(it.pos, path, "a stage needs a name", "for example `- name: train`")
	} else if _, isText := n.value.(string); isText && !isName(s.Name) {
		r.fail(n.pos, path+".name", fmt.Sprintf("%q is no name", shorten(s.Name, 80)), nameHint)
	}
	s.Kind = r.text(m, path, "kind")
	if s.Kind == "" {
		s.Kind = s.Name
	} else if !isName(s.Kind) {
		r.fail(m.get("kind").pos, path+".kind", fmt.Sprintf("%q is no kind", shorten(s.Kind, 80)), nameHint)
	}
	s.Needs, s.needPlaces = r.needs(m, path)
	s.Inputs = r.inputs(m, path)
	if w := m.get("with"); w != nil && w.value != nil {
		if _, ok := w.value.(*mapping); !ok {
			r.wrong(w, path+".with", "want a map of options", "for example {seed: 7}")
		} else {
			s.With = w.plain().(map[string]any)
		}
	}
	if n := m.get("retry"); n != nil {
		s.Retry = r.retry(n, path+".retry")
	}
	if n := m.get("timeout"); n != nil {
		v, _ := n.value.(string)
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			r.wrong(n, path+".timeout", "want a duration such as 90s or 2h", "")
		}
		s.Timeout = d
	}
	if n := m.get("resources"); n != nil {
		f := r.fields(n, path+".resources", "resources", "device")
		s.Resources.Device = r.text(f, path+".resources", "device")
	}
	return s
}

// retry reads a number, which goes for all but the stage's own failures, or a
// map of budgets.
func (r *planReader) retry(it *item, path string) Retry {
	out := defaultRetry()
	count := func(n *item, path, want string) int {
		v, ok := n.value.(int64)
		if !ok || v < 0 || v > 100 {
			r.wrong(n, path, want, "")
		}
		return int(v)
	}
	if _, ok := it.value.(*mapping); !ok {
		n := count(it, path, "want a number of tries from 0 to 100, or a map such as {network: 5, machine: 2}")
		out.Network, out.Store, out.Machine = n, n, n
		return out
	}
	m := r.fields(it, path, "retry", "network", "store", "machine", "failure", "wait")
	for _, b := range []struct {
		name string
		to   *int
	}{{"network", &out.Network}, {"store", &out.Store}, {"machine", &out.Machine}, {"failure", &out.Failure}} {
		if n := m.get(b.name); n != nil {
			*b.to = count(n, path+"."+b.name, "want a number of tries from 0 to 100")
		}
	}
	if n := m.get("wait"); n != nil {
		v, _ := n.value.(string)
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > time.Hour {
			r.wrong(n, path+".wait", "want a duration up to 1h, such as 5s", "")
		}
		out.Wait = d
	}
	return out
}

func (r *planReader) needs(m *mapping, path string) ([]string, []Position) {
	it := m.get("needs")
	if it == nil {
		return nil, nil
	}
	needs, places := []string{}, []Position{}
	switch v := it.value.(type) {
	case nil:
	case string:
		needs, places = append(needs, v), append(places, it.pos)
	case []*item:
		for _, c := range v {
			name, ok := c.value.(string)
			if !ok {
				r.wrong(c, path+".needs", "want the name of a stage", "")
				continue
			}
			if slices.Contains(needs, name) {
				r.fail(c.pos, path+".needs", fmt.Sprintf("%q stands twice", name), "")
				continue
			}
			needs, places = append(needs, name), append(places, c.pos)
		}
	default:
		r.wrong(it, path+".needs", "want a list of stage names", "")
	}
	return needs, places
}

func (r *planReader) inputs(m *mapping, path string) map[string]string {
	it := m.get("inputs")
	if it == nil {
		return nil
	}
	f, ok := it.value.(*mapping)
	if !ok {
		r.wrong(it, path+".inputs", "want a map of artifact names", "for example {test: split.test}")
		return nil
	}
	inputs := map[string]string{}
	for _, k := range f.keys {
		v, ok := f.items[k].value.(string)
		if !ok || !isInput(v) {
			r.wrong(f.items[k], path+".inputs."+k, "want stage.artifact", "for example split.test")
			continue
		}
		inputs[k] = v
	}
	return inputs
}
