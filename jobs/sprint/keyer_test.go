package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// keyer computes keys of the plan of every kind, as if all inputs were there.
type keyer struct {
	t   *testing.T
	dir string
}

func newKeyer(t *testing.T) *keyer {
	_, one := signaturetest.Pair(t)
	_, two := signaturetest.Pair(t)
	dir := demo(t, map[string]string{
		"plan.yaml": keysPlan, "copy.jsonl": goodRows(), "other.jsonl": goodRows() + `{"id":"z","title":"one more"}` + "\n",
		"gold.csv": "id,title,fire,money\na,b,1,0\n", "copy.csv": "id,title,fire,money\na,b,1,0\n", "other.csv": "id,title,fire,money\na,b,0,1\n",
		"part.csv": "id,title,fire,money\nc,d,1,0\n", "part2.csv": "id,title,fire,money\nc,d,1,0\n",
		"overlay.jsonl": `{"id":"x","fire":1}`, "overlay2.jsonl": `{"id":"x","fire":1}`, "a.sh": "exit 0", "b.sh": "exit 0",
		"one.pub": one, "two.pub": two,
	})
	t.Chdir(dir) // paths of --set are relative to the working directory
	return &keyer{t, dir}
}

// keys returns the key of each stage and, of command's outputs, none: inputs
// are the same whatever their stage would make.
func (k *keyer) keys(plan string, device string, set ...string) map[string]string {
	k.t.Helper()
	p, err := config.ParsePlan(filepath.Join(k.dir, "plan.yaml"), []byte(plan))
	if err != nil {
		k.t.Fatal(err)
	}
	o, err := config.NewOptions(p, config.Overrides{Set: set})
	if err != nil {
		k.t.Fatalf("%q: %v", set, err)
	}
	look := graph.NewLookup(k.dir, filepath.Join(k.dir, "cache"), true, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	g, err := graph.Compile(context.Background(), p, graph.CompileOptions{Registry: all.All(), Options: o, Device: device, Lookup: look})
	if err != nil {
		k.t.Fatalf("%q: %v", set, err)
	}
	out := map[string]string{}
	for _, t := range g.Nodes {
		inputs := map[string]storage.Artifact{}
		for _, r := range t.Inputs {
			if r.From != "" {
				inputs[r.Name] = storage.Artifact{Name: r.Name, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(r.Name)))}
			}
		}
		key, _, err := t.Preimage(inputs).Key()
		if err != nil {
			k.t.Fatal(err)
		}
		out[t.Name] = key
	}
	return out
}
