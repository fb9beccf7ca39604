package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
)

// inference answers for headlines of mixed lengths, and for one text alone.
func inference(ctx context.Context, s settings, say func(figures)) error {
	z, n := miniLM(), 20_000
	if s.Small {
		z, n = tiny(), 500
	}
	return z.inFolder(func(m *bert.Model, _ string) error {
		d, _, err := s.open(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		p, err := bert.NewPredictor(m, d)
		if err != nil {
			return err
		}
		defer p.Close()
		rng := rand.New(rand.NewPCG(8, 8)) //nolint:gosec // the same lengths on every machine
		in := texts(n, 30, z.Rows, 7)
		for i := range in {
			in[i].IDs = in[i].IDs[:8+rng.IntN(22)]
		}
		if _, err := p.Predict(ctx, in); err != nil { // compiles
			return err
		}
		began := time.Now()
		if _, err := p.Predict(ctx, in); err != nil {
			return err
		}
		f := figures{"encoder": z.Name, "texts": n, "texts_per_second": round(float64(n)/time.Since(began).Seconds(), 0)}
		say(f)
		var ms []float64
		for i := range 100 {
			began := time.Now()
			if _, err := p.Predict(ctx, in[i:i+1]); err != nil {
				return err
			}
			ms = append(ms, time.Since(began).Seconds()*1000)
		}
		ms = ms[20:] // the first of each shape compile
		slices.Sort(ms)
		f["one_text_ms_median"] = round(ms[len(ms)/2], 2)
		say(f)
		return nil
	})
}
