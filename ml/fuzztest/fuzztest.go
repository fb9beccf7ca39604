// Package fuzztest holds what fuzz targets of the ml family demand of every input.
package fuzztest

import (
	"flag"
	"runtime"
	"testing"
	"time"
)

// Bounded fails a fuzz target whose input costs more than 256 MB or, while
// fuzzing, a second: hostile input may be refused, it may not be expensive. The
// time is the best of three, as the machine is busy with other inputs.
func Bounded(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 256 {
		t.Fatalf("%d MB were allocated", n)
	}
	if flag.Lookup("test.fuzzworker").Value.String() != "true" {
		return
	}
	for n := 1; n < 3 && took > time.Second; n++ {
		began = time.Now()
		f()
		took = min(took, time.Since(began))
	}
	if took > time.Second {
		t.Fatalf("it took %s", took)
	}
}
