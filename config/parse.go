package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// LoadPlan reads a plan file as ParsePlan does.
func LoadPlan(path string) (*Plan, error) {
	data, err := strictyaml.ReadFile(path)
	if err != nil {
		e := &diagnostic.Error{Pos: diagnostic.Position{File: path}, Message: fmt.Sprintf("cannot read the plan: %v", cause(err))}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			e.Hint = "`sprint init` writes a plan that runs as it is"
		case errors.Is(err, strictyaml.ErrTooLarge):
			e.Hint = strictyaml.TooLargeHint
		case errors.Is(err, plainfile.ErrRefused):
			e.Hint = "write the plan into a file: its paths are relative to the file's folder"
		}
		return nil, diagnostic.Errors{e}
	}
	return ParsePlan(path, data)
}

// cause strips the path that os errors repeat.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// ParsePlan reads a plan from memory; file names it in messages and is what
// paths in it are relative to. Mistakes in it are Errors. If every stage could
// be told in spite of them, the plan is returned beside them: good for finding
// the mistakes in its options too, never for running.
func ParsePlan(file string, data []byte) (*Plan, error) {
	doc, errs := strictyaml.Parse(file, data)
	sum := sha256.Sum256(data)
	p := &Plan{File: file, Digest: "sha256:" + hex.EncodeToString(sum[:]), Source: data, doc: doc}
	if doc.Root == nil {
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
	doc  *strictyaml.Document
	errs diagnostic.Errors
	// unclear is set when a stage or its kind cannot be told.
	unclear bool
}

// wrong says what a value is instead of what it should be, unless its mistake
// was reported.
func (r *planReader) wrong(it *strictyaml.Node, path, want, hint string) {
	if _, told := it.Value.(strictyaml.Broken); !told {
		r.fail(it.Pos, path, want+", this is "+strictyaml.TypeName(it.Value), hint)
	}
}

func (r *planReader) fail(pos diagnostic.Position, path, message, hint string) {
	r.errs = append(r.errs, r.doc.ErrorAt(pos, path, message, hint))
}

// fields checks that it is a map with no keys but the known ones.
func (r *planReader) fields(it *strictyaml.Node, path, what string, known ...string) *strictyaml.Map {
	m, ok := it.Value.(*strictyaml.Map)
	if !ok {
		r.wrong(it, path, what+" must be a map", "its keys: "+strings.Join(known, ", "))
		return &strictyaml.Map{}
	}
	for _, k := range m.Keys {
		if !slices.Contains(known, k) {
			r.fail(m.KeyPos[k], strictyaml.Join(path, k), "unknown key", diagnostic.Suggest(k, known))
		}
	}
	return m
}

func (r *planReader) text(m *strictyaml.Map, path, key string) string {
	it := m.Items[key]
	if it == nil {
		return ""
	}
	s, ok := it.Value.(string)
	if !ok {
		r.wrong(it, strictyaml.Join(path, key), "want text", "")
	}
	return s
}

func (r *planReader) plan(p *Plan) {
	m := r.fields(r.doc.Root, "", "a plan", "name", "taxonomy", "refresh", "stages")
	if m.Items == nil {
		r.unclear = true
		return
	}
	p.Name = r.text(m, "", "name")
	p.Taxonomy = r.text(m, "", "taxonomy")
	p.TaxonomyPos = diagnostic.Position{File: p.File}
	if n := m.Items["taxonomy"]; n != nil {
		p.TaxonomyPos = n.Pos
	}
	p.Refresh = r.refresh(m.Items["refresh"])
	top := r.doc.Root.Pos
	if it := m.Items["name"]; it == nil {
		r.fail(top, "name", "a plan needs a name", "for example `name: quickstart`")
	} else if _, isText := it.Value.(string); isText && !isName(p.Name) {
		r.fail(it.Pos, "name", fmt.Sprintf("%q is no name", diagnostic.Shorten(p.Name, 80)), nameHint)
	}
	it := m.Items["stages"]
	if it == nil {
		r.fail(top, "stages", "a plan needs stages", "a list of {name: …, with: {…}}")
		r.unclear = true
		return
	}
	list, ok := it.Value.([]*strictyaml.Node)
	if !ok || len(list) == 0 {
		if ok {
			r.fail(it.Pos, "stages", "a plan needs at least one stage", "for example `- name: train`")
		} else {
			r.wrong(it, "stages", "want a list of stages", "")
		}
		r.unclear = true
		return
	}
	seen := map[string]diagnostic.Position{}
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
				r.fail(s.needPos(i), "stages."+s.Name+".needs", fmt.Sprintf("no stage is named %q", need), diagnostic.Suggest(need, p.stageNames()))
			}
		}
	}
}

func (r *planReader) stage(it *strictyaml.Node, index int) Stage {
	path := fmt.Sprintf("stages.%d", index)
	s := Stage{Pos: it.Pos, Retry: defaultRetry(), With: map[string]any{}, places: map[string]diagnostic.Position{}}
	m := r.fields(it, path, "a stage", "name", "kind", "needs", "inputs", "with", "retry", "timeout", "resources")
	if m.Items == nil {
		return s
	}
	it.Places("", s.places)
	s.Name = r.text(m, path, "name")
	if isName(s.Name) {
		path = "stages." + s.Name
	}
	if n := m.Items["name"]; n == nil {
		r.fail(it.Pos, path, "a stage needs a name", "for example `- name: train`")
	} else if _, isText := n.Value.(string); isText && !isName(s.Name) {
		r.fail(n.Pos, path+".name", fmt.Sprintf("%q is no name", diagnostic.Shorten(s.Name, 80)), nameHint)
	}
	s.Kind = r.text(m, path, "kind")
	if s.Kind == "" {
		s.Kind = s.Name
	} else if !isName(s.Kind) {
		r.fail(m.Items["kind"].Pos, path+".kind", fmt.Sprintf("%q is no kind", diagnostic.Shorten(s.Kind, 80)), nameHint)
	}
	s.Needs, s.needPlaces = r.needs(m, path)
	s.Inputs = r.inputs(m, path)
	if w := m.Items["with"]; w != nil && w.Value != nil {
		if _, ok := w.Value.(*strictyaml.Map); !ok {
			r.wrong(w, path+".with", "want a map of options", "for example {seed: 7}")
		} else {
			s.With = w.Plain().(map[string]any)
		}
	}
	if n := m.Items["retry"]; n != nil {
		s.Retry = r.retry(n, path+".retry")
	}
	if n := m.Items["timeout"]; n != nil {
		v, _ := n.Value.(string)
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			r.wrong(n, path+".timeout", "want a duration such as 90s or 2h", "")
		}
		s.Timeout = d
	}
	if n := m.Items["resources"]; n != nil {
		s.Resources = r.resources(n, path+".resources")
	}
	return s
}

// resources reads what a stage demands.
func (r *planReader) resources(n *strictyaml.Node, path string) (out Resources) {
	f := r.fields(n, path, "resources", "device", "gpus", "gpu_type", "cpu", "memory", "disk", "preemptible", "on_demand_after")
	out.Device, out.GPUType = r.text(f, path, "device"), r.text(f, path, "gpu_type")
	if d := out.Device; d != "" && !slices.Contains(devices, d) {
		r.fail(f.Items["device"].Pos, path+".device", fmt.Sprintf("%q is not one of %s", diagnostic.Shorten(d, 80), strings.Join(devices, ", ")), suggestDevice(d))
	}
	for key, into := range map[string]*int{"gpus": &out.GPUs, "cpu": &out.CPUs} {
		if it := f.Items[key]; it != nil {
			v, ok := it.Value.(int64)
			if !ok || v < 0 || v > 4096 {
				r.wrong(it, path+"."+key, "want a whole number, at least 0", "")
			}
			*into = int(v)
		}
	}
	for key, into := range map[string]*Size{"memory": &out.Memory, "disk": &out.Disk} {
		if it := f.Items[key]; it != nil {
			if _, told := it.Value.(strictyaml.Broken); !told && into.UnmarshalText(fmt.Append(nil, it.Value)) != nil {
				r.fail(it.Pos, path+"."+key, "want a size such as 64GB, this is "+strictyaml.TypeName(it.Value), "")
			}
		}
	}
	if out.GPUType != "" && out.GPUs == 0 {
		out.GPUs = 1
	}
	r.preemptible(f, path, &out)
	return out
}

// preemptible reads whether the machine may be taken away, and how often.
func (r *planReader) preemptible(f *strictyaml.Map, path string, out *Resources) {
	if it := f.Items["preemptible"]; it != nil {
		v, ok := it.Value.(bool)
		if !ok {
			r.wrong(it, path+".preemptible", "want true or false", "")
		}
		if out.Preemptible = v; v {
			out.OnDemandAfter = defaultOnDemandAfter
		}
	}
	it := f.Items["on_demand_after"]
	if it == nil {
		return
	}
	v, ok := it.Value.(int64)
	switch {
	case !ok || v < 0 || v > 100:
		r.wrong(it, path+".on_demand_after", "want a number of interruptions from 0 to 100", "0 is never")
	case !out.Preemptible:
		r.fail(it.Pos, path+".on_demand_after", "only a stage with preemptible: true is interrupted and then put on demand", "add `preemptible: true`, or take this out")
	}
	out.OnDemandAfter = int(v)
}

// retry reads a number, which goes for all but the stage's own failures, or a
// map of budgets.
func (r *planReader) retry(it *strictyaml.Node, path string) Retry {
	out := defaultRetry()
	count := func(n *strictyaml.Node, path, want string) int {
		v, ok := n.Value.(int64)
		if !ok || v < 0 || v > 100 {
			r.wrong(n, path, want, "")
		}
		return int(v)
	}
	if _, ok := it.Value.(*strictyaml.Map); !ok {
		n := count(it, path, "want a number of tries from 0 to 100, or a map such as {network: 5, machine: 2}")
		out.Network, out.Store, out.Machine, out.Interruptions = n, n, n, n
		return out
	}
	m := r.fields(it, path, "retry", "network", "store", "machine", "failure", "interruptions", "wait")
	for _, b := range []struct {
		name string
		to   *int
	}{{"network", &out.Network}, {"store", &out.Store}, {"machine", &out.Machine}, {"failure", &out.Failure}, {"interruptions", &out.Interruptions}} {
		if n := m.Items[b.name]; n != nil {
			*b.to = count(n, path+"."+b.name, "want a number of tries from 0 to 100")
		}
	}
	if n := m.Items["wait"]; n != nil {
		v, _ := n.Value.(string)
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > time.Hour {
			r.wrong(n, path+".wait", "want a duration up to 1h, such as 5s", "")
		}
		out.Wait = d
	}
	return out
}

func (r *planReader) needs(m *strictyaml.Map, path string) ([]string, []diagnostic.Position) {
	it := m.Items["needs"]
	if it == nil {
		return nil, nil
	}
	needs, places := []string{}, []diagnostic.Position{}
	switch v := it.Value.(type) {
	case nil:
	case string:
		needs, places = append(needs, v), append(places, it.Pos)
	case []*strictyaml.Node:
		for _, c := range v {
			name, ok := c.Value.(string)
			if !ok {
				r.wrong(c, path+".needs", "want the name of a stage", "")
				continue
			}
			if slices.Contains(needs, name) {
				r.fail(c.Pos, path+".needs", fmt.Sprintf("%q stands twice", name), "")
				continue
			}
			needs, places = append(needs, name), append(places, c.Pos)
		}
	default:
		r.wrong(it, path+".needs", "want a list of stage names", "")
	}
	return needs, places
}

func (r *planReader) inputs(m *strictyaml.Map, path string) map[string]string {
	it := m.Items["inputs"]
	if it == nil {
		return nil
	}
	f, ok := it.Value.(*strictyaml.Map)
	if !ok {
		r.wrong(it, path+".inputs", "want a map of artifact names", "for example {test: split.test}")
		return nil
	}
	inputs := map[string]string{}
	for _, k := range f.Keys {
		v, ok := f.Items[k].Value.(string)
		if !ok || !isInput(v) {
			r.wrong(f.Items[k], path+".inputs."+k, "want stage.artifact", "for example split.test")
			continue
		}
		inputs[k] = v
	}
	return inputs
}
