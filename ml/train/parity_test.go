package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
)

var update = flag.Bool("update", false, "rewrite testdata/parity.json with the PyTorch of the Python that $PARITY_PYTHON names")

// Sizes of the comparison with the golden file, and with a live PyTorch.
const (
	goldenTexts, goldenSteps = 20, 8
	liveTexts                = 200
)

// limits say how far ours may lie from PyTorch's.
var limits = map[string]float64{
	"ids":      0,    // texts that are encoded otherwise
	"states":   2e-5, // largest absolute difference
	"pooled":   2e-5,
	"gradient": 1e-4, // of a tensor, relative to its norm
	"clipped":  1e-4,
	"losses":   1e-4, // of a step, relative
	"decay":    1e-4,
	// AdamW divides by the size of the gradient, so where that is next to
	// nothing, rounding decides which way a weight goes.
	"moved": 1e-2,
}

// vector is a reference of a tensor: the whole of it, or a sketch.
type vector interface {
	norm() float64
	// miss is the norm of the difference to x.
	miss(x []float32) float64
}

type whole []float32

func (w whole) norm() float64 { return w.miss(make([]float32, len(w))) }

func (w whole) miss(x []float32) float64 {
	if len(x) != len(w) {
		return math.Inf(1)
	}
	sum := 0.0
	for i := range w {
		d := float64(x[i]) - float64(w[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// sketch is the norm of a tensor and its sums under seeded random signs. The mean
// square of the differences of such sums is that of the tensors (Johnson and
// Lindenstrauss 1984; signs: Achlioptas 2003).
type sketch []float64

const sums = 6

func sketchOf(x []float32) sketch {
	s := make(sketch, 1+sums)
	s[0] = whole(x).norm()
	for i, v := range x {
		h := uint32(i)*0x9e3779b9 + 0x5eed //nolint:gosec // wraps on purpose
		h = (h ^ h>>16) * 0x7feb352d
		h = (h ^ h>>15) * 0x846ca68b
		h ^= h >> 16
		for k := range sums {
			if h>>k&1 == 1 {
				s[1+k] += float64(v)
			} else {
				s[1+k] -= float64(v)
			}
		}
	}
	for i, v := range s { // eight digits are enough, and shorter
		if v != 0 {
			scale := math.Pow(10, 8-math.Ceil(math.Log10(math.Abs(v))))
			s[i] = math.Round(v*scale) / scale
		}
	}
	return s
}

func (s sketch) norm() float64 { return s[0] }

func (s sketch) miss(x []float32) float64 {
	other, sum := sketchOf(x), 0.0
	for k := range sums {
		d := other[1+k] - s[1+k]
		sum += d * d
	}
	return max(math.Sqrt(sum/sums), math.Abs(other[0]-s[0]))
}

// reference is what PyTorch makes of a case.
type reference struct {
	states  []float32
	pooled  map[string][]float32
	tensors map[string]vector
	losses  map[string][]float64
	other   int                // texts that its tokenizer encodes otherwise
	own     map[string]float64 // how far its float32 lies from its float64
}

// measured is one line of the table.
type measured struct {
	what       string
	limit      float64
	worst, own float64
	where      string
}

// compare measures how far ours lies from a reference.
func compare(u *ours, r *reference) []measured {
	var out []measured
	largest := func(what, kind string, got, want []float32) {
		m := measured{what: what, limit: limits[kind], own: r.own[what]}
		if len(got) != len(want) {
			m.worst = math.Inf(1)
		}
		for i := range min(len(got), len(want)) {
			m.worst = worse(m.worst, math.Abs(float64(got[i])-float64(want[i])))
		}
		out = append(out, m)
	}
	if r.states != nil {
		out = append(out, measured{what: "texts with other ids", limit: limits["ids"], worst: float64(r.other)})
		largest("states", "states", u.states, r.states)
	}
	for _, how := range slices.Sorted(maps.Keys(r.pooled)) {
		largest("pooled."+how, "pooled", slices.Concat(u.pooled[how]...), r.pooled[how])
	}
	kinds := map[string]*measured{}
	for _, name := range slices.Sorted(maps.Keys(r.tensors)) {
		fit, rest, _ := strings.Cut(name, ".")
		kind, tensor, _ := strings.Cut(rest, ".")
		want := r.tensors[name]
		norm := want.norm()
		if strings.HasSuffix(tensor, "attention.self.key.bias") && fit == curve {
			// It adds the same to all scores of a query, which softmax does not
			// see: its gradient is 0, and what stands there is rounding.
			if kind == "moved" {
				continue
			}
			norm = r.tensors[strings.Replace(name, "self.key", "self.query", 1)].norm()
		}
		if norm == 0 {
			norm = 1
		}
		what := fit + "." + kind
		m := kinds[what]
		if m == nil {
			m = &measured{what: what, limit: limits[kind], own: r.own[what]}
			if fit == decay {
				m.limit = limits[decay]
			}
			kinds[what] = m
		}
		if far := want.miss(u.tensors[name]) / norm; worse(m.worst, far) != m.worst {
			m.worst, m.where = far, tensor
		}
	}
	for _, what := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, *kinds[what])
	}
	m := measured{what: curve + ".losses", limit: limits["losses"], own: r.own[curve+".losses"]}
	if len(u.losses[curve]) != len(r.losses[curve]) {
		m.worst = math.Inf(1)
	}
	for i, want := range r.losses[curve][:min(len(u.losses[curve]), len(r.losses[curve]))] {
		if far := math.Abs(u.losses[curve][i]-want) / math.Abs(want); worse(m.worst, far) != m.worst {
			m.worst, m.where = far, fmt.Sprintf("step %d of %d", i+1, len(r.losses[curve]))
		}
	}
	return append(out, m)
}

// worse is the larger one, where what is no number is the worst.
func worse(a, b float64) float64 {
	if math.IsNaN(b) {
		return math.Inf(1)
	}
	return max(a, b)
}

// report prints the table and fails the test where a limit is broken.
func report(t *testing.T, name string, all []measured) {
	t.Helper()
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tours to PyTorch\tlimit\tPyTorch's own rounding\twhere\n", name)
	for _, m := range all {
		own := ""
		if m.own > 0 {
			own = fmt.Sprintf("%.1e", m.own)
		}
		fmt.Fprintf(w, "%s\t%.1e\t%.0e\t%s\t%s\n", m.what, m.worst, m.limit, own, m.where)
		if !(m.worst <= m.limit) {
			t.Errorf("%s: %s is %.3g from PyTorch, %.0e is allowed (%s)", name, m.what, m.worst, m.limit, m.where)
		}
	}
	_ = w.Flush()
	t.Log("\n" + b.String())
}

// torch runs parity.py on a case.
func torch(t *testing.T, python string, c parityCase, u *ours) *reference {
	t.Helper()
	dir := t.TempDir()
	if err := c.model(t).Save(dir); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(u.request)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "request.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/parity.py", dir)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s testdata/parity.py: %v", python, err)
	}
	var out struct {
		Versions map[string]string    `json:"versions"`
		Losses   map[string][]float64 `json:"losses"`
		Rounding map[string]float64   `json:"rounding"`
		Other    int                  `json:"other_ids"`
	}
	if b, err = os.ReadFile(filepath.Join(dir, "out.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	t.Logf("torch %s, transformers %s", out.Versions["torch"], out.Versions["transformers"])
	s, err := encoder.LoadSafetensors(filepath.Join(dir, "out.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{pooled: map[string][]float32{}, tensors: map[string]vector{}, losses: out.Losses, other: out.Other, own: out.Rounding}
	for _, x := range s.Tensors {
		data, err := x.Float32()
		if err != nil {
			t.Fatal(err)
		}
		how, pooled := strings.CutPrefix(x.Name, "pooled.")
		switch {
		case x.Name == "states":
			r.states = data
		case pooled:
			r.pooled[how] = data
		default:
			r.tensors[x.Name] = whole(data)
		}
	}
	return r
}

const goldenFile = "testdata/parity.json"

// golden is a case of parity.json.
type golden struct {
	Pooled  []byte            `json:"pooled"` // float32, little endian
	Batches [][]int           `json:"batches"`
	Losses  []float64         `json:"losses"`
	Tensors map[string]sketch `json:"tensors"`
}

// reduce keeps of a reference what goes into the golden file.
func reduce(c parityCase, u *ours, r *reference) golden {
	g := golden{Batches: u.request.Fits[curve].Batches, Losses: r.losses[curve], Tensors: map[string]sketch{}}
	g.Pooled, _ = binary.Append(nil, binary.LittleEndian, r.pooled[c.pooling])
	for name, v := range r.tensors {
		if !strings.Contains(name, ".gradient.") {
			g.Tensors[name] = sketchOf(v.(whole))
		}
	}
	return g
}

func (g golden) reference(c parityCase) *reference {
	pooled := make([]float32, len(g.Pooled)/4)
	_, _ = binary.Decode(g.Pooled, binary.LittleEndian, pooled)
	r := &reference{pooled: map[string][]float32{c.pooling: pooled}, losses: map[string][]float64{curve: g.Losses}, tensors: map[string]vector{}}
	for name, s := range g.Tensors {
		r.tensors[name] = s
	}
	return r
}

// TestParity compares outputs, gradients, decay and some steps with those of
// PyTorch and transformers in parity.json; all that runs of ours is the code that
// plans run. With -update, PyTorch writes that file anew.
func TestParity(t *testing.T) {
	d := xla(t)
	all := map[string]golden{}
	if *update {
		python := os.Getenv("PARITY_PYTHON")
		if python == "" {
			t.Fatal("-update needs PARITY_PYTHON, a Python that has torch and transformers")
		}
		for _, c := range parityCases() {
			u := c.run(t, d, goldenTexts, goldenSteps, nil)
			all[c.name] = reduce(c, u, torch(t, python, c, u))
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range parityCases() {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "minilm" && (testing.Short() || !device.HasXLA) {
				t.Skip("a real encoder takes its time")
			}
			g := all[c.name]
			report(t, c.name, compare(c.run(t, d, goldenTexts, len(g.Losses), g.Batches), g.reference(c)))
		})
	}
}

// TestLiveParity compares with the PyTorch of the Python that $PARITY_PYTHON
// names, as `just parity` does.
func TestLiveParity(t *testing.T) {
	python := os.Getenv("PARITY_PYTHON")
	if python == "" {
		t.Skip("run `just parity`")
	}
	d := xla(t)
	for _, c := range parityCases() {
		t.Run(c.name, func(t *testing.T) {
			u := c.run(t, d, liveTexts, c.steps, nil)
			c.more(t, d, u)
			report(t, c.name, compare(u, torch(t, python, c, u)))
		})
	}
}
