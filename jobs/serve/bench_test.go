package serve

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// onDevice is a model on a device.
type onDevice struct{ *bert.Predictor }

func (m onDevice) Predict(ctx context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	return m.Predictor.Predict(ctx, bert.EncodeTexts(m.Model(), texts, func(t classify.Text) (title, description string) { return t.Title, t.Description }))
}

func (m onDevice) Tokens(t classify.Text) int {
	ids, _ := m.Model().Encode(t.Title, t.Description)
	return len(ids)
}

// headlines are titles of 4 to 14 words.
func headlines(n int) []string {
	words := strings.Fields("storm closes harbour after warning from police minister says bank will raise rates next week cup final ends in a draw fire destroys factory near river voters go to polls for new mayor court hears case of stolen art trains late as snow falls on northern towns shares fall sharply")
	rng := rand.New(rand.NewPCG(1, 1))
	out := make([]string, n)
	for i := range out {
		title := make([]string, 4+rng.IntN(11))
		for k := range title {
			title[k] = words[rng.IntN(len(words))]
		}
		out[i] = strings.Join(title, " ")
	}
	return out
}

// BenchmarkClients: how many headlines a second fifty clients are answered, against one
// client, in turns; and the time that one of a hundred requests exceeds against the median.
// Beside it the model without a server, all headlines at once against one after the other,
// which is what batches can gain on this processor; and one client of a server that computes
// by XLA's programs, as all processors can.
func BenchmarkClients(b *testing.B) {
	e, err := encoder.Load(encodertest.MiniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 64, MaxLength: 64, Text: []string{"title", "description"}}, 1)
	if err != nil {
		b.Fatal(err)
	}
	model := computed(b, m, device.Auto)
	at, byPrograms := served(b, model)+path, served(b, computed(b, m, device.CUDA))+path
	titled := func(title string) string { return `{"title":"` + title + `"}` }
	titles := headlines(512)
	const single, many, clients = 100, 600, 50
	crowd(b, byPrograms, titled, titles, 1, single) // compiles
	var ratios, rows, alone, medians, tails, gains, programs []float64
	for b.Loop() {
		gains = append(gains, asked(b, model, titles, len(titles))/asked(b, model, titles[:single], 1))
		one, _ := crowd(b, at, titled, titles, 1, single)
		program, _ := crowd(b, byPrograms, titled, titles, 1, single)
		all, times := crowd(b, at, titled, titles, clients, many)
		ratios, rows, alone = append(ratios, all/one), append(rows, all), append(alone, one)
		programs = append(programs, all/program)
		slices.Sort(times)
		median := times[len(times)/2]
		medians, tails = append(medians, median*1000), append(tails, times[len(times)*99/100]/median)
	}
	for unit, values := range map[string][]float64{"rows/s": rows, "alone-rows/s": alone, "x-alone": ratios, "p50-ms": medians, "p99/p50": tails, "model-x-alone": gains, "x-xla-alone": programs} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

// asked is how many titles a second a model answers, so many at once.
func asked(b *testing.B, m classify.Model, titles []string, n int) float64 {
	b.Helper()
	began := time.Now()
	for some := range slices.Chunk(titles, n) {
		texts := make([]classify.Text, len(some))
		for i, title := range some {
			texts[i].Title = title
		}
		if _, err := m.Predict(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
	return float64(len(titles)) / time.Since(began).Seconds()
}

// computed is a model on the fastest device that is there. Under the name of device.CUDA it is
// computed by programs, whatever this processor can.
func computed(b *testing.B, m *bert.Model, name string) onDevice {
	b.Helper()
	dev, err := device.Open(b.Context(), device.Auto, device.Options{CacheDir: encodertest.Cache(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dev.Close() })
	if name != device.Auto {
		dev.Name = name
	}
	p, err := bert.NewPredictor(m, dev)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	return onDevice{p}
}

// served is the address of a server of a model with the categories of lettersClassifier.
func served(b *testing.B, m classify.Model) string {
	b.Helper()
	c := lettersClassifier(b)
	c.Model = m
	server, err := Open(b.Context(), Options{}, reload.Options{Source: fixed{c: c}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Close)
	server.ready.Store(true)
	s := httptest.NewServer(server.Handler())
	b.Cleanup(s.Close)
	return s.URL
}

// crowd asks n titles by some clients, by the request that body makes of a title, and returns
// how many were answered a second, and how long each took.
func crowd(b *testing.B, url string, body func(title string) string, titles []string, clients, n int) (perSecond float64, seconds []float64) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex
	began := time.Now()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range clients {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				asked := time.Now()
				reply, err := client.Post(url, "application/json", strings.NewReader(body(titles[int(i)%len(titles)])))
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, reply.Body)
				reply.Body.Close()
				if err != nil || reply.StatusCode != 200 {
					b.Errorf("%d, %v", reply.StatusCode, err)
				}
				took := time.Since(asked).Seconds()
				mu.Lock()
				seconds = append(seconds, took)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return float64(n) / time.Since(began).Seconds(), seconds
}
