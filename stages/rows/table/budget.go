package table

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// ErrBudget says that a file costs far more than its size shows.
var ErrBudget = errors.New("it decodes to too much")

// What a byte of a file allows to be decoded, and what every file may cost whatever its
// size. Compressed tables of real rows stay below a tenth of it.
const (
	budgetRatio = 256
	budgetFloor = 32 << 20
	keptFloor   = 128 << 20 // for rows that are kept: a short one takes far more than its text
)

// Costs of what is decoded, in the unit of one byte of text. They follow the time that
// the reader of a record takes.
const (
	CostRow   = 32 // a record, before its cells
	CostTitle = 8  // a byte of a title, which is normalised
	CostLabel = 4  // a label of a row whose file names only some of the categories
)

// Budget bounds what reading some files may cost, in decoded bytes and rows, and what
// of them may be held in memory. The zero value is ready; nil bounds nothing. Apart
// from Read it is for one goroutine.
type Budget struct {
	read          atomic.Int64
	spent         int64
	kept          int64
	held, checked int64
}

// Read adds n bytes of a file to those that allow others to be decoded.
func (b *Budget) Read(n int64) {
	if b != nil {
		b.read.Add(n)
	}
}

// Spent is what was decoded so far.
func (b *Budget) Spent() int64 { return b.spent }

// Limit is what may be decoded in all.
func (b *Budget) Limit() int64 {
	return budgetRatio*min(b.read.Load(), math.MaxInt64/budgetRatio/2) + budgetFloor
}

// Spend takes n of the budget. Where so much is not left, the error wraps ErrBudget
// and says what the limit is.
func (b *Budget) Spend(n int64) error {
	if b == nil {
		return nil
	}
	if limit := b.Limit(); n < 0 || n > limit-b.spent {
		return fmt.Errorf("%w: more than %d MB, which is %d times its %d bytes and %d MB", ErrBudget, limit>>20, budgetRatio, b.read.Load(), budgetFloor>>20)
	}
	b.spent += n
	return nil
}

// Keep is Hold of rows, which may not take more memory than the size of their file allows
// either: millions of the shortest ones compress to a few bytes. The error wraps ErrBudget
// then.
func (b *Budget) Keep(n int64) error {
	if b == nil {
		return nil
	}
	b.kept += n
	if limit := b.Limit() - budgetFloor + keptFloor; b.kept > limit {
		return fmt.Errorf("%w: rows of more than %d MB, which is %d times its %d bytes and %d MB", ErrBudget, limit>>20, budgetRatio, b.read.Load(), keptFloor>>20)
	}
	return b.Hold(n)
}

// ErrMemory says that rows do not fit into the memory of this process.
var ErrMemory = errors.New("it does not fit into memory")

// holdStep is how much is held between two looks at the process.
const holdStep = 16 << 20

// Hold notes that the caller keeps n bytes more in memory. The error wraps ErrMemory
// if all that the process holds comes near the limit that the Go runtime was given for
// it: a message is better than the kernel's out-of-memory killer.
func (b *Budget) Hold(n int64) error {
	if b == nil {
		return nil
	}
	if b.held += n; b.held-b.checked < holdStep {
		return nil
	}
	b.checked = b.held
	limit := debug.SetMemoryLimit(-1) // a negative limit only asks
	if limit == math.MaxInt64 || liveHeap() < limit/4*3 {
		return nil
	}
	runtime.GC() // some of it may be garbage
	if live := liveHeap(); live >= limit/4*3 {
		return fmt.Errorf("%w: %d MB of the %d MB that this process may use are taken, %d MB by it", ErrMemory, live>>20, limit>>20, b.held>>20)
	}
	return nil
}

// liveHeap is the size of all objects, dead ones that were not swept yet among them.
func liveHeap() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
