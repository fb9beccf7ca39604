package peer

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/train"
)

// BenchmarkCompile times the programs of the fine-tune of BenchmarkFineTune
// when they are compiled and when they are loaded, and their share of the whole
// run: programs, three epochs and a validation after each.
func BenchmarkCompile(b *testing.B) {
	m := benchModel(b)
	examples, o := headlines(m, 0)
	var cold, warm, run time.Duration
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "programs")
		for _, took := range []*time.Duration{&cold, &warm} {
			tr, err := train.New(m, openCPU(b, dir), examples, examples[:32], o)
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			if err := tr.Compile(context.Background(), func(int, int) {}); err != nil {
				b.Fatal(err)
			}
			*took += time.Since(began)
			if all, loaded := tr.Programs(); took == &warm && loaded != all {
				b.Fatalf("%d of %d programs were loaded", loaded, all)
			}
			if took == &warm {
				began := time.Now()
				for !tr.Done() {
					for !tr.EpochOver() {
						if _, _, err := tr.Step(); err != nil {
							b.Fatal(err)
						}
					}
					if _, err := tr.Validate(b.Context()); err != nil {
						b.Fatal(err)
					}
					tr.NextEpoch()
				}
				run += time.Since(began)
				b.Logf("shapes %v", tr.Shapes())
			}
			tr.Close()
		}
	}
	n := float64(b.N)
	b.ReportMetric(cold.Seconds()/n, "s-cold")
	b.ReportMetric(warm.Seconds()/n, "s-warm")
	b.ReportMetric(run.Seconds()/n, "s-fit")
	b.ReportMetric(100*cold.Seconds()/(cold+run).Seconds(), "%cold")
	b.ReportMetric(100*warm.Seconds()/(warm+run).Seconds(), "%warm")
}
