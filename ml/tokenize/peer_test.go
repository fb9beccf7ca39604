package tokenize_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/tokenize"
)

// peer is Hugging Face's tokenizers in a process of its own; see testdata/peer.py.
type peer struct {
	in  *json.Encoder
	out *json.Decoder
}

// reply is any of its answers.
type reply struct {
	Peer    string
	Texts   int
	Seconds float64
	Fast    float64
	Digest  string
	IDs     [][]int32
}

// startPeer runs peer.py for MiniLM's tokenizer (0) and the cased vocabulary (1).
func startPeer(tb testing.TB, python string, env ...string) *peer {
	tb.Helper()
	return startPeerOf(tb, python, []string{filepath.Join(encodertest.MiniLM(tb), "tokenizer.json"), "testdata/cased.txt"}, env...)
}

// startPeerOf runs peer.py for any files.
func startPeerOf(tb testing.TB, python string, files []string, env ...string) *peer {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), python, append([]string{"testdata/peer.py"}, files...)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	e := json.NewEncoder(in)
	e.SetEscapeHTML(false)
	p := &peer{e, json.NewDecoder(bufio.NewReaderSize(out, 1<<20))}
	tb.Log(p.read(tb).Peer)
	return p
}

func (p *peer) read(tb testing.TB) reply {
	tb.Helper()
	var r reply
	if err := p.out.Decode(&r); err != nil {
		tb.Fatalf("the peer ended: %v", err)
	}
	return r
}

func (p *peer) ask(tb testing.TB, request map[string]any) reply {
	tb.Helper()
	if err := p.in.Encode(request); err != nil {
		tb.Fatal(err)
	}
	return p.read(tb)
}

// digest is peer.py's of an arena.
func digest(a *tokenize.Arena) string {
	h := sha256.New()
	var buf []byte
	for i := range a.Len() {
		ids, _ := a.At(i)
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(len(ids)))
		for _, id := range ids {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func single(texts []string) []tokenize.Text {
	out := make([]tokenize.Text, len(texts))
	for i, t := range texts {
		out[i].First = t
	}
	return out
}

// TestParity compares the ids of $TOKENIZER_PARITY_MB (100) of generated texts
// with those of the tokenizers package of the Python that $TOKENIZER_PARITY
// names: `just tokenizer-parity PYTHON`.
func TestParity(t *testing.T) {
	python := os.Getenv("TOKENIZER_PARITY")
	if python == "" {
		t.Skip("TOKENIZER_PARITY names no Python")
	}
	size := parityMB(t)
	p := startPeer(t, python)
	engines := []*tokenize.Tokenizer{miniLM(t), fromVocab(t, false, false)}
	m := newMixture(1)
	compare(t, p, engines, size, m.next)
}

// compare encodes size MB of texts with the engines and the peer's tokenizers of the same order.
func compare(t *testing.T, p *peer, engines []*tokenize.Tokenizer, size int, next func() string) {
	t.Helper()
	bytes, texts, ids, wrong := 0, 0, 0, 0
	for bytes < size<<20 {
		var batch []string
		for n := 0; n < 1<<20; {
			x := next()
			batch, n, bytes = append(batch, x), n+len(x), bytes+len(x)
		}
		texts += len(batch)
		p.ask(t, map[string]any{"texts": batch})
		for k, tok := range engines {
			got := tok.EncodeAll(single(batch), 0, 0)
			ids += got.Tokens()
			if p.ask(t, map[string]any{"encode": k}).Digest == digest(got) {
				continue
			}
			for i, want := range p.ask(t, map[string]any{"ids": k}).IDs {
				if ids, _ := got.At(i); !slices.Equal(ids, want) {
					if wrong++; wrong <= 10 {
						t.Errorf("tokenizer %d, text %q:\n got %v\nwant %v", k, batch[i], ids, want)
					}
				}
			}
		}
	}
	t.Logf("%d texts of %.1f MB, %d ids of %d tokenizers: %d texts differ", texts, float64(bytes)/(1<<20), ids, len(engines), wrong)
	if wrong > 0 {
		t.Errorf("%d of %d texts differ", wrong, len(engines)*texts)
	}
}

// parityMB is how many megabytes of texts are compared.
func parityMB(t *testing.T) int {
	t.Helper()
	size := 100
	if s := os.Getenv("TOKENIZER_PARITY_MB"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return size
}

// python is that of the benchmarks' peers.
func python() string {
	if p := os.Getenv("BENCH_PYTHON"); p != "" {
		return p
	}
	return os.Getenv("BENCH_TORCH")
}

// headlines are Swedish for the most part, as in the plan of that name.
func headlines(n int) []string {
	m := newMixture(2)
	var out []string
	for i := range n {
		language := "swedish"
		switch i % 10 {
		case 7:
			language = "english"
		case 8:
			language = "ukrainian"
		}
		x := m.headline(language)
		if i%10 == 9 {
			x += " " + oddities[m.rng.IntN(8)]
		}
		out = append(out, x)
	}
	return out
}

// articles are texts of about 800 tokens.
func articles(n int) []string {
	var out []string
	for i, h := 0, headlines(40*n); i < n; i++ {
		text := ""
		for _, x := range h[40*i : 40*i+40] {
			text += x + ". "
		}
		out = append(out, text)
	}
	return out
}

// BenchmarkEncode encodes distinct texts into an arena on one core. With
// $BENCH_PYTHON (or $BENCH_TORCH) naming a Python that has tokenizers, its
// encode_batch encodes the same texts in turns on one thread, and the ids must be
// the same. encode_batch_fast, which leaves the places in the text out, is
// reported too.
func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name  string
		texts []string
		max   int
	}{{"Short", headlines(20_000), 128}, {"Long", articles(500), 0}} {
		b.Run(c.name, func(b *testing.B) {
			tok := miniLM(b)
			var p *peer
			if py := python(); py != "" {
				p = startPeer(b, py, "TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1")
				p.ask(b, map[string]any{"texts": c.texts})
			}
			benchmark(b, tok, p, c.texts, c.max)
		})
	}
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
