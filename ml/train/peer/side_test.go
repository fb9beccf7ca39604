package peer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/train"
)

// timing is one answer of a side.
type timing struct {
	Peer   string    `json:"peer"`
	MS     []float64 `json:"ms"`
	PeakMB float64   `json:"peak_mb"`
	// Of ours alone: the part of MS that programs took to build, and the share
	// of padding among the tokens.
	CompileMS float64 `json:"compile_ms"`
	Padding   float64 `json:"padding"`
}

// peakMB is the most memory that the process ever held.
func peakMB(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("needs Linux")
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1024
}

// side is a process that makes steps when asked.
type side struct {
	in  io.Writer
	out *bufio.Scanner
}

func startSide(b *testing.B, cmd *exec.Cmd) *side {
	b.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	s := &side{in, bufio.NewScanner(out)}
	s.out.Buffer(nil, 1<<20)
	b.Log(s.answer(b).Peer)
	return s
}

func (s *side) answer(b *testing.B) timing {
	b.Helper()
	for s.out.Scan() {
		var t timing
		if json.Unmarshal(s.out.Bytes(), &t) == nil {
			return t
		}
	}
	b.Fatal("a side ended")
	return timing{}
}

// ask sends a line and waits for the answer.
func (s *side) ask(b *testing.B, line any) timing {
	b.Helper()
	fmt.Fprintln(s.in, line)
	return s.answer(b)
}

// serve answers the lines that a benchmark asks, in a process of its own: memory
// is then that of one training, and glibc is tuned as the runner does it for its
// worker.
func serve(b *testing.B, hello string, answer func(n int) timing) {
	b.Helper()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(timing{Peer: hello}); err != nil {
		b.Fatal(err)
	}
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		var n int
		if _, err := fmt.Sscan(s.Text(), &n); err != nil {
			b.Fatal(err)
		}
		t := answer(n)
		t.PeakMB = peakMB(b)
		if err := out.Encode(t); err != nil {
			b.Fatal(err)
		}
	}
}

// ourSide starts benchmark name of this binary with env.
func ourSide(b *testing.B, name string, env ...string) *side {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$", "-test.bench=^"+name+"$", "-test.benchtime=1x")
	cmd.Env = append(append(os.Environ(), "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"), env...)
	return startSide(b, cmd)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// benchCategories and benchTags are the reference pipeline's nine heads.
const (
	benchCategories = 9
	benchTags       = 6
)

func benchModel(b *testing.B) *bert.Model {
	b.Helper()
	return benchModelOf(b, encodertest.MiniLM(b), bert.Pooler)
}

func benchModelOf(b *testing.B, folder, pooling string) *bert.Model {
	b.Helper()
	e, err := encoder.Load(folder)
	if err != nil {
		b.Fatal(err)
	}
	var categories []bert.Category
	for i := range benchCategories {
		categories = append(categories, bert.Category{Name: fmt.Sprintf("c%d", i), Tags: []string{"", "a", "b", "c", "d", "e"}})
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: pooling, HeadHidden: 128, MaxLength: 128, Text: []string{"title"}}, 7)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// options of both benchmarks, but for what each says of itself.
func options() train.Options {
	return train.Options{Epochs: 4, BatchSize: 16, BatchTokens: 512, MaxShapes: 1, LearningRate: 3e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1, Schedule: "linear",
		WeightDecay: 0.01, Clip: 1, Dropout: 0.1, ScoreWeight: 0.5, TagWeight: 0.5, Seed: 11}
}

// openCPU opens the CPU plugin, with compiled programs kept in a folder or, if that is
// empty, where all tests keep them.
func openCPU(b *testing.B, programs string) *device.Device {
	b.Helper()
	if !device.HasXLA {
		b.Skip("this build has no XLA")
	}
	d, err := device.Open(b.Context(), device.CPU, device.Options{CacheDir: encodertest.Cache(), ProgramDir: programs})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}
