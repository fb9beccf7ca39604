package preview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/fetch"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// articles are the rows that the label stage would read: those that fetch
// committed, else those of the plan's files, else those of fetch's last time.
func (p *matcher) articles() (table []rows.Row, from string, err error) {
	node := p.fetchNode()
	if node == nil {
		return nil, "", stages.Fail(stages.CodePlan, "give texts with --text", "the plan has no stage that makes articles")
	}
	look := graph.NewLookup(p.o.Plan.Dir(), p.o.Cache, true, time.Now())
	defer func() {
		if err := look.Close(); err != nil {
			p.o.Log.Warn("could not remember file digests", "error", err)
		}
	}()
	if r, ok := node.Options.(stages.Resolver); ok {
		if node.External, err = r.Resolve(p.ctx, look); err != nil {
			return nil, "", err
		}
	}
	var last *storage.Manifest
	if store := p.o.Store; store != nil {
		ev := evaluate.Evaluator{Store: store}
		v, err := ev.Decide(p.ctx, p.o.Graph, node, nil)
		if err != nil {
			return nil, "", err
		}
		if v.Manifest != nil {
			table, err := p.committed(store, v.Manifest)
			return table, "stage " + node.Name + " in the store", err
		}
		if last, err = ev.Last(p.ctx, p.o.Graph, node); err != nil {
			return nil, "", err
		}
		if o, ok := node.Options.(*fetch.Options); last != nil && !(ok && o.Source == "files") {
			table, err := p.committed(store, last)
			return table, fmt.Sprintf("stage %s as of %s", node.Name, last.Finished.Local().Format("2006-01-02 15:04")), err
		}
	}
	o, ok := node.Options.(*fetch.Options)
	if !ok || o.Source != "files" {
		return nil, "", stages.Fail(stages.CodePlan, fmt.Sprintf("`%s` brings them in; --text needs none", commandline.Of("run", p.o.Plan.File).Flag("until", node.Name)), "stage %s has no articles in the store yet", node.Name)
	}
	for _, path := range o.Files.Paths {
		t, err := p.file(path, o.Files.Layout(path))
		if err != nil {
			return nil, "", err
		}
		table = append(table, t...)
	}
	return fetch.DropDuplicates(table), strings.Join(o.Files.Paths, ", "), nil
}

// fetchNode is the node whose articles a label stage reads.
func (p *matcher) fetchNode() *graph.Node {
	for _, t := range p.o.Graph.Nodes {
		for _, in := range t.Inputs {
			if t.Kind.Name == "label" && in.Name == "articles" && in.From != "" {
				node, _ := p.o.Graph.Node(in.From)
				return node
			}
		}
	}
	i := slices.IndexFunc(p.o.Graph.Nodes, func(t *graph.Node) bool { return t.Kind.Name == "fetch" })
	if i < 0 {
		return nil
	}
	return p.o.Graph.Nodes[i]
}

func (p *matcher) committed(store *storage.Store, m *storage.Manifest) ([]rows.Row, error) {
	a, ok := m.Output("articles")
	if !ok {
		return nil, fmt.Errorf("the manifest of %s %s has no articles", m.Kind, m.Key)
	}
	table, _, err := labels.Rows(p.ctx, store, a)
	return table, err
}

func (p *matcher) file(path string, layout rows.Layout) ([]rows.Row, error) {
	if strings.Contains(path, "://") {
		return nil, stages.Fail(stages.CodePlan, fmt.Sprintf("`%s` brings it in", commandline.Of("run", p.o.Plan.File).Flag("until", "fetch")), "%s is not on this machine", path)
	}
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, &graph.MissingFile{Path: path, Err: err}
	}
	defer f.Close()
	t, err := rows.Read(f, layout)
	if err != nil {
		return nil, rows.Unreadable(stages.CodePlan, "check that the file is whole and that files.format fits", path, err)
	}
	return t.Rows, nil
}
