package forward

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// random is an encoder of made-up weights, heads of 24 numbers among them, which fill no panel.
func random(t *testing.T, first bool) *Encoder {
	t.Helper()
	c := encoder.Config{ModelType: "bert", VocabSize: 50, HiddenSize: 96, NumHiddenLayers: 3, NumAttentionHeads: 4, IntermediateSize: 64, MaxPositionEmbeddings: 80, TypeVocabSize: 2, LayerNormEps: 1e-12, HiddenAct: "gelu"}
	if !Fits(c) {
		t.Skip("this processor has no kernels")
	}
	h, f := c.HiddenSize, c.IntermediateSize
	sizes := map[string]int{"emb.word": c.VocabSize * h, "emb.pos": c.MaxPositionEmbeddings * h, "emb.type": 2 * h, "emb.ln.g": h, "emb.ln.b": h}
	for _, l := range []string{"L0.", "L1.", "L2."} {
		for name, n := range map[string]int{"qkv.w": 3 * h * h, "qkv.b": 3 * h, "o.w": h * h, "o.b": h, "ff1.w": h * f, "ff1.b": f, "ff2.w": f * h, "ff2.b": h, "ln1.g": h, "ln1.b": h, "ln2.g": h, "ln2.b": h} {
			sizes[l+name] = n
		}
	}
	return New(c, first, func(name string) []float32 {
		rng, out := rand.New(rand.NewPCG(1, uint64(len(name)+sizes[name]))), make([]float32, sizes[name])
		for i := range out {
			out[i] = float32(rng.NormFloat64() * 0.3)
		}
		return out
	})
}

// texts are of all lengths from none to 70.
func texts(n int) []Text {
	rng := rand.New(rand.NewPCG(2, 2))
	out := make([]Text, n)
	for i := range out {
		out[i].IDs = make([]int32, i*37%71)
		for j := range out[i].IDs {
			out[i].IDs[j] = rng.Int32N(50)
		}
	}
	return out
}

func vectors(t *testing.T, e *Encoder, texts []Text) []float32 {
	t.Helper()
	var out []float32
	err := e.Each(t.Context(), texts, 64, func(from int, v []float32) error {
		if from*96 != len(out) {
			t.Fatalf("the batch from text %d came after %d numbers", from, len(out))
		}
		out = append(out, v...)
		return nil
	})
	if err != nil || len(out) != 96*len(texts) {
		t.Fatalf("%d numbers, %v", len(out), err)
	}
	return out
}

// TestSameOnAnyCores: a text's vector has the same bytes on one core and on several, alone and
// among others, by a gang and without.
func TestSameOnAnyCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, first := range []bool{false, true} {
		e, all := random(t, first), texts(150)
		runtime.GOMAXPROCS(1)
		want := vectors(t, e, all)
		for _, cores := range []int{2, 3} {
			runtime.GOMAXPROCS(cores)
			if !slices.Equal(vectors(t, e, all), want) {
				t.Errorf("first %v: other vectors on %d cores", first, cores)
			}
			for i := 0; i < len(all); i += 31 {
				if !slices.Equal(vectors(t, e, all[i:i+1]), want[i*96:(i+1)*96]) {
					t.Errorf("first %v: text %d has another vector alone, on %d cores", first, i, cores)
				}
			}
		}
	}
}

// TestHostileIDs: ids, types and lengths that the encoder does not have end no process.
func TestHostileIDs(t *testing.T) {
	e := random(t, false)
	vectors(t, e, []Text{{}, {IDs: []int32{-5, 1 << 30, 49}, Types: []int32{9, -1}}, {IDs: make([]int32, 500)}})
}

func TestEachEnds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	e, all, stop := random(t, false), texts(200), errors.New("enough")
	for _, cores := range []int{1, 4} {
		runtime.GOMAXPROCS(cores)
		visits := 0
		err := e.Each(t.Context(), all, 64, func(int, []float32) error { visits++; return stop })
		if !errors.Is(err, stop) || visits != 1 {
			t.Errorf("%d cores: %v after %d visits", cores, err, visits)
		}
		ctx, cancel := context.WithCancel(t.Context())
		visits = 0
		err = e.Each(ctx, all, 64, func(int, []float32) error { visits++; cancel(); return nil })
		if !errors.Is(err, context.Canceled) || visits > 2*cores+1 {
			t.Errorf("%d cores: %v after %d visits", cores, err, visits)
		}
	}
}

// TestCut: each text is in one batch, and no batch but a long text's is far above the target.
func TestCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		all := make([]Text, rng.IntN(60))
		for i := range all {
			all[i].IDs = make([]int32, rng.IntN(1+rng.IntN(300)))
		}
		from := 0
		for _, to := range cut(all, 128, 1+rng.IntN(8)) {
			n := 0
			for _, t := range all[from:to] {
				n += tokens(t, 128)
			}
			if to <= from || n > batchRows*9/8+128 {
				t.Fatalf("a batch of %d texts with %d tokens", to-from, n)
			}
			from = to
		}
		if from != len(all) {
			t.Fatalf("%d of %d texts", from, len(all))
		}
	}
}

// TestCutEvenly: texts that are three full batches make four for two cores, about as long.
func TestCutEvenly(t *testing.T) {
	all := make([]Text, 48)
	for i := range all {
		all[i].IDs = make([]int32, 3*batchRows/len(all))
	}
	if cuts := cut(all, 128, 2); len(cuts) != 4 || cuts[0] < 10 || cuts[3]-cuts[2] > 15 {
		t.Errorf("batches end at %v", cuts)
	}
}

func TestGang(t *testing.T) {
	g := newGang(4)
	defer g.end()
	for n := range 500 {
		did := make([]atomic.Int32, n%17)
		g.do(len(did), func(worker, job int) {
			if worker < 0 || worker > 3 {
				t.Errorf("worker %d", worker)
			}
			did[job].Add(1)
		})
		for i := range did {
			if did[i].Load() != 1 {
				t.Fatalf("step %d: job %d was done %d times", n, i, did[i].Load())
			}
		}
	}
}

// TestJoin: helpers come when steps are under way already, no more of them than have a place,
// and all leave when there are none left.
func TestJoin(t *testing.T) {
	g := &gang{size: 3}
	var helpers sync.WaitGroup
	var seen [8]atomic.Bool
	ended := time.Now().Add(time.Minute)
	for n := 0; n < 500 || !seen[1].Load() || !seen[2].Load(); n++ {
		if n < 500 && n%100 == 50 {
			helpers.Go(g.join)
		}
		if time.Now().After(ended) {
			t.Fatal("no helper came")
		}
		did := make([]atomic.Int32, n%17)
		g.do(len(did), func(worker, job int) {
			seen[worker].Store(true)
			did[job].Add(1)
			runtime.Gosched()
		})
		for i := range did {
			if did[i].Load() != 1 {
				t.Fatalf("step %d: job %d was done %d times", n, i, did[i].Load())
			}
		}
	}
	g.end()
	helpers.Wait()
	g.join() // to one that has ended
	for worker := 3; worker < len(seen); worker++ {
		if seen[worker].Load() {
			t.Errorf("there was a worker %d", worker)
		}
	}
}
