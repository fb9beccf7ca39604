package table_test

import (
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// TestBudget: what is read allows more to be decoded, and nothing is spent beyond it.
func TestBudget(t *testing.T) {
	var b table.Budget
	floor := b.Limit()
	if err := b.Spend(floor + 1); !errors.Is(err, table.ErrBudget) || b.Spent() != 0 {
		t.Errorf("%v, spent %d", err, b.Spent())
	}
	b.Read(1000)
	if b.Limit() <= floor+1000 {
		t.Errorf("1000 bytes allow %d more", b.Limit()-floor)
	}
	if err := b.Spend(b.Limit()); err != nil {
		t.Error(err)
	}
	for _, n := range []int64{1, -1, math.MaxInt64} {
		if err := b.Spend(n); !errors.Is(err, table.ErrBudget) || !strings.Contains(err.Error(), "1000 bytes") {
			t.Errorf("%d: %v", n, err)
		}
	}
	b.Read(math.MaxInt64 / 2)
	if b.Limit() < floor {
		t.Errorf("a limit of %d", b.Limit())
	}
}

// TestHold: rows are refused before the process holds all the memory that it may use, and
// what is only garbage does not count.
func TestHold(t *testing.T) {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(now.HeapAlloc) + 256<<20))
	var b table.Budget
	fill := func(keep bool) (err error) {
		var held [][]byte
		for range 32 {
			block := make([]byte, 16<<20)
			if keep {
				held = append(held, block)
			}
			if err = b.Hold(int64(len(block))); err != nil {
				break
			}
		}
		runtime.KeepAlive(held)
		return err
	}
	if err := fill(false); err != nil {
		t.Errorf("garbage: %v", err)
	}
	if err := fill(true); !errors.Is(err, table.ErrMemory) {
		t.Errorf("512 MB within 256 MB: %v", err)
	}
}
