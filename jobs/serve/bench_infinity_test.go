package serve

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// BenchmarkInfinity: how many headlines a second fifty clients are answered by this server,
// and by Infinity's with the same encoder and a linear head in ONNX Runtime, in turns of one
// headline a request. BENCH_INFINITY names a Python that has Infinity; see `just bench-infinity`.
func BenchmarkInfinity(b *testing.B) {
	python := os.Getenv("BENCH_INFINITY")
	if python == "" {
		b.Skip("BENCH_INFINITY names no Python: `just bench-infinity PYTHON`")
	}
	peer := infinity(b, python)
	own := served(b, computed(b, linearMiniLM(b), device.Auto))
	titles := headlines(512)
	const many, clients = 600, 50
	ask := [2]func(n int) float64{
		func(n int) float64 {
			perSecond, _ := crowd(b, own+"/predict", func(title string) string { return `{"inputs":"` + title + `"}` }, titles, clients, n)
			return perSecond
		},
		func(n int) float64 {
			perSecond, _ := crowd(b, peer+"/classify", func(title string) string { return `{"model":"m","input":["` + title + `"]}` }, titles, clients, n)
			return perSecond
		},
	}
	ask[0](clients) // compiles
	ask[1](clients)
	var ratios, ours, theirs []float64
	for b.Loop() {
		x, y := ask[0](many), ask[1](many)
		ratios, ours, theirs = append(ratios, x/y), append(ours, x), append(theirs, y)
	}
	for unit, values := range map[string][]float64{"rows/s": ours, "infinity-rows/s": theirs, "x-infinity": ratios} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

// infinity starts Infinity's server of MiniLM with a linear head and returns its address.
func infinity(b *testing.B, python string) string {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		b.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(python, "testdata/infinity.py", encodertest.MiniLM(b), b.TempDir(), fmt.Sprint(port))
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "INFINITY_ANONYMOUS_USAGE_STATS=0")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	b.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.After(5 * time.Minute); ; {
		if reply, err := http.Get(url + "/health"); err == nil {
			reply.Body.Close()
			return url
		}
		select {
		case <-ended:
			b.Fatalf("Infinity ended: %s", said.String())
		case <-deadline:
			b.Fatal("Infinity does not answer after five minutes")
		case <-time.After(time.Second / 5):
		}
	}
}
