package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// CompileOptions are what Compile needs beside the plan.
type CompileOptions struct {
	Registry stages.Registry
	Options  *config.Options
	// Device narrows the device of all stages; empty or "auto" narrows nothing.
	Device string
	// Trust are the keys of which one must have signed a release that a stage reads; nil
	// demands no signature.
	Trust *signature.Trust
	// Lookup answers questions about the outside world. Nil compiles without
	// resolving anything outside the plan: enough to validate and to draw.
	Lookup *Lookup
}

// Compile turns a plan into a graph: kinds and options are resolved, inputs
// wired, cycles refused. All mistakes are reported at once as diagnostic.Errors.
func Compile(ctx context.Context, plan *config.Plan, o CompileOptions) (*Graph, error) {
	c := &compiler{plan: plan, o: o, graph: &Graph{Plan: plan, Trust: o.Trust, options: o.Options, byName: map[string]*Node{}, files: map[string]stages.FileInfo{}}, broken: map[string]bool{}}
	if err := o.Registry.Check(); err != nil {
		return nil, err
	}
	c.readTaxonomy()
	for i := range plan.Stages {
		c.node(i)
	}
	if !c.order() {
		return nil, c.errs.OrNil()
	}
	c.wire()
	c.keepLabels()
	if o.Lookup != nil {
		o.Lookup.taxonomy = c.graph.taxonomy
		// A missing file is told together with the plan's other mistakes, but
		// what only the network could say must not hide those.
		if err := c.resolve(ctx); err != nil && len(c.errs) == 0 {
			return nil, err
		}
	}
	if err := c.errs.OrNil(); err != nil {
		return nil, err
	}
	return c.graph, nil
}

type compiler struct {
	plan  *config.Plan
	o     CompileOptions
	graph *Graph
	errs  diagnostic.Errors
	// blind says that the taxonomy that the plan names could not be read: that is told
	// once, and not that stages are without one.
	blind bool
	// broken stages have mistakes that were reported: what they would make is
	// unknown, so nothing is concluded from it.
	broken map[string]bool
}

func (c *compiler) fail(pos diagnostic.Position, path, message, hint string) {
	c.errs = append(c.errs, c.plan.ErrorAt(pos, path, message, hint))
}

// maxTaxonomy caps the taxonomy file, like a plan.
const maxTaxonomy = 1 << 20

func (c *compiler) readTaxonomy() {
	if c.plan.Taxonomy == "" {
		return
	}
	path := c.plan.Taxonomy
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.plan.Dir(), path)
	}
	data, err := plainfile.Read(path, maxTaxonomy)
	if err != nil {
		c.fail(c.plan.TaxonomyPos, "taxonomy", newMissingFile(path, err).Error(), "the path is relative to the plan's folder")
		c.blind = true
		return
	}
	c.graph.taxonomy = stages.Source{Name: path, Data: data}
}

func (c *compiler) node(i int) {
	s := &c.plan.Stages[i]
	kind, ok := c.o.Registry.Kind(s.Kind)
	if !ok {
		path := "kind"
		if s.Kind == s.Name {
			path = "name"
		}
		c.fail(s.FieldPos(path), "stages."+s.Name, fmt.Sprintf("no kind of stage is called %q", s.Kind), diagnostic.Suggest(s.Kind, c.o.Registry.Names()))
		c.broken[s.Name] = true
		return
	}
	node := &Node{Name: s.Name, Index: i, Kind: kind, Needs: s.Needs, Stage: s, Options: kind.Options()}
	var err error
	node.Decoded, err = c.o.Options.Decode(s.Name, node.Options)
	var errs diagnostic.Errors
	switch {
	case errors.As(err, &errs):
		c.errs = append(c.errs, errs...)
	case err != nil:
		c.fail(s.Pos, "stages."+s.Name, err.Error(), "")
	default:
		if checker, ok := node.Options.(stages.Checker); ok {
			for _, p := range checker.Check() {
				c.errs = append(c.errs, c.o.Options.Error(s.Name, p.Path, p.Message, p.Hint))
			}
		}
	}
	c.broken[s.Name] = err != nil
	if err == nil {
		node.Outputs = kind.Outputs(node.Options)
	}
	node.Device = narrow(s.Resources.Device, c.o.Device)
	c.graph.Nodes = append(c.graph.Nodes, node)
	c.graph.byName[node.Name] = node
}

// narrow is the device of a stage by the plan's demand and --device. Where they
// contradict each other, CheckDevices finds it before a run.
func narrow(plan, flag string) string {
	if plan == "" || plan == "auto" {
		return cmp.Or(flag, "auto")
	}
	return plan
}

// CheckDevices refuses a --device that contradicts a demand of the plan.
func (g *Graph) CheckDevices(flag string) error {
	for _, node := range g.Nodes {
		demand := node.Stage.Resources.Device
		if flag != "" && flag != "auto" && narrow(demand, flag) != flag {
			return stages.Fail(stages.CodeEnvironment, "drop --device, or change resources.device of the stage", "stage %s: the plan demands device %s, --device says %s", node.Name, demand, flag)
		}
	}
	return nil
}

// order sorts the nodes; false means that it could not.
func (c *compiler) order() bool {
	const open, done = 1, 2
	state := map[string]int{}
	var sorted []*Node
	var path []string
	ok := true
	var visit func(name string)
	visit = func(name string) {
		node := c.graph.byName[name]
		if node == nil || state[name] == done || !ok {
			return
		}
		path = append(path, name)
		if state[name] == open {
			cycle := path[slices.Index(path, name):]
			c.fail(node.Stage.FieldPos("needs"), "stages."+name+".needs", "the stages need each other in a circle: "+strings.Join(cycle, " -> "), "remove one of these needs")
			ok = false
			return
		}
		state[name] = open
		for _, n := range node.Needs {
			visit(n)
		}
		state[name] = done
		path = path[:len(path)-1]
		sorted = append(sorted, node)
	}
	for _, node := range c.graph.Nodes {
		visit(node.Name)
	}
	if ok {
		c.graph.Nodes = sorted
	}
	return ok
}

// wire finds for each input the nearest upstream node that makes it.
func (c *compiler) wire() {
	for _, node := range c.graph.Nodes {
		if c.broken[node.Name] {
			continue
		}
		declared := map[string]bool{}
		if node.Kind.Inputs != nil {
			for _, in := range node.Kind.Inputs(node.Options) {
				declared[in.Name] = true
				node.Inputs = append(node.Inputs, Ref{Name: in.Name, From: c.maker(node, in)})
			}
		}
		for name := range node.Stage.Inputs {
			if !declared[name] {
				c.fail(node.Stage.FieldPos("inputs."+name), "stages."+node.Name+".inputs."+name, fmt.Sprintf("a stage of kind %s reads no artifact of this name", node.Kind.Name), diagnostic.Suggest(name, slices.Sorted(maps.Keys(declared))))
			}
		}
	}
}

// maker names the node that an input comes from: the chosen one, else the nearest. It
// is empty for an optional input that nothing makes, and after a mistake.
func (c *compiler) maker(node *Node, in stages.Input) string {
	makers, certain := c.makers(node, in.Name)
	if !certain {
		return ""
	}
	path := "stages." + node.Name + ".inputs." + in.Name
	if choice, ok := node.Stage.Inputs[in.Name]; ok {
		stage, artifact, _ := strings.Cut(choice, ".")
		from, known := c.graph.Node(stage)
		if known && artifact == in.Name && makes(from, artifact) && c.graph.Upstream(node.Name)[stage] {
			return stage
		}
		c.fail(node.Stage.FieldPos("inputs."+in.Name), path, fmt.Sprintf("%s is no artifact %s of a stage before this one", choice, in.Name), "")
		return ""
	}
	switch {
	case len(makers) == 1:
		return makers[0]
	case len(makers) > 1:
		c.fail(node.Stage.Pos, path, fmt.Sprintf("%s is made by %s, equally near", in.Name, strings.Join(makers, " and ")), fmt.Sprintf("choose with `inputs: {%s: %s.%s}`", in.Name, makers[0], in.Name))
	case !in.Optional:
		c.fail(node.Stage.Pos, path, fmt.Sprintf("no stage before %s makes %s", node.Name, in.Name), fmt.Sprintf("a stage of kind %s reads %s; put the stage that makes it before, or name it in `needs`", node.Kind.Name, in.Name))
	}
	return ""
}

// keepLabels tells the stages that bring rows in which labels a later one reads of them.
func (c *compiler) keepLabels() {
	for _, reader := range c.graph.Nodes {
		r, ok := reader.Options.(stages.LabelReader)
		if !ok || c.broken[reader.Name] {
			continue
		}
		labels := r.ReadLabels(c.graph.taxonomy)
		if labels == nil {
			continue
		}
		for _, from := range c.graph.Nodes {
			if k, ok := from.Options.(stages.LabelKeeper); ok && c.graph.Upstream(reader.Name)[from.Name] {
				k.KeepLabels(*labels)
			}
		}
	}
}

func makes(node *Node, artifact string) bool {
	return slices.ContainsFunc(node.Outputs, func(o stages.Output) bool { return o.Name == artifact })
}

// makers returns the nodes that make an artifact at the least distance
// upstream of node. certain is false if a broken stage stands on the way, which
// may be the maker.
func (c *compiler) makers(node *Node, artifact string) (names []string, certain bool) {
	seen := map[string]bool{node.Name: true}
	level := node.Needs
	for len(level) > 0 {
		var found, next []string
		for _, name := range level {
			if seen[name] {
				continue
			}
			seen[name] = true
			if c.broken[name] {
				return nil, false
			}
			from, ok := c.graph.Node(name)
			if !ok {
				continue
			}
			if makes(from, artifact) {
				found = append(found, name)
			}
			next = append(next, from.Needs...)
		}
		if len(found) > 0 {
			return found, true
		}
		level = next
	}
	return nil, true
}

// resolve asks each stage's options what they depend on outside the store.
func (c *compiler) resolve(ctx context.Context) error {
	for _, node := range c.graph.Nodes {
		r, ok := node.Options.(stages.Resolver)
		if !ok || c.broken[node.Name] {
			continue
		}
		external, err := r.Resolve(ctx, c.o.Lookup)
		var problems stages.SourceProblems
		var failure *stages.Failure
		switch {
		case err == nil:
			node.External = external
		case errors.Is(err, stages.ErrNoTaxonomy):
			c.noTaxonomy(node, err)
		case errors.As(err, &problems):
			c.sourceProblems(problems)
		case errors.As(err, &failure) && failure.Code == stages.CodePlan:
			path, pos := c.place(node, failure)
			c.errs = append(c.errs, c.plan.ErrorAt(pos, path, failure.Error(), failure.Hint))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default:
			return fmt.Errorf("stage %s: %w", node.Name, err)
		}
	}
	c.graph.files = c.o.Lookup.seen()
	return nil
}

// noTaxonomy tells once that the plan names no taxonomy, at the first stage that reads it.
func (c *compiler) noTaxonomy(node *Node, err error) {
	if c.blind {
		return
	}
	c.blind = true
	c.fail(node.Stage.Pos, "stages."+node.Name, err.Error(), "add `taxonomy: taxonomy.yaml` to the plan")
}

// place finds the option that a failure is about, as it says itself or by the missing
// file that it names.
func (c *compiler) place(node *Node, failure *stages.Failure) (string, diagnostic.Position) {
	at := failure.Option
	var missing *MissingFile
	if at == "" && errors.As(failure, &missing) {
		at = findValue("", node.Decoded.All, missing.Path)
	}
	if at != "" {
		return "stages." + node.Name + ".with." + at, c.o.Options.Position(node.Name, at)
	}
	return "stages." + node.Name, node.Stage.Pos
}

// findValue returns the dotted path of a text in a tree.
func findValue(path string, v any, want string) string {
	switch x := v.(type) {
	case string:
		if x == want {
			return path
		}
	case map[string]any:
		for k, c := range x {
			if at := findValue(strictyaml.Join(path, k), c, want); at != "" {
				return at
			}
		}
	case []any:
		for i, c := range x {
			if at := findValue(strictyaml.Join(path, fmt.Sprint(i)), c, want); at != "" {
				return at
			}
		}
	}
	return ""
}

// sourceProblems reports mistakes of the taxonomy once, however many stages
// read it.
func (c *compiler) sourceProblems(problems stages.SourceProblems) {
	for _, p := range problems {
		text := ""
		if p.File == c.graph.taxonomy.Name {
			text = string(c.graph.taxonomy.Data)
		}
		e := diagnostic.In(text, diagnostic.Position{File: p.File, Line: p.Line, Col: p.Col}, p.Message, p.Hint)
		if !slices.ContainsFunc(c.errs, func(o *diagnostic.Error) bool { return o.Pos == e.Pos && o.Message == e.Message }) {
			c.errs = append(c.errs, e)
		}
	}
}
