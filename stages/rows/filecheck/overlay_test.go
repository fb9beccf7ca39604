package filecheck_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
)

// TestCheckedInLittleMemory: a check of corrections holds none of them, however many there are.
func TestCheckedInLittleMemory(t *testing.T) {
	const n = 50_000
	var b strings.Builder
	b.WriteString("id,label\n")
	for i := range n {
		fmt.Fprintf(&b, "x%d,fire\n", i)
	}
	path := filepath.Join(t.TempDir(), "corrections.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, after := held(), int64(0)
	problems := filecheck.Overlay("overlay.file", path, rows.Layout{}, []rows.Category{{Name: "fire"}}, func(c *rows.Correction) rows.Mistakes {
		if c.Number == n {
			after = held()
			return rows.Mistakes{{Row: n, Message: "the last"}}
		}
		return nil
	})
	if len(problems) != 1 || problems[0].Message != "the last" || !problems[0].Warning {
		t.Errorf("%+v", problems)
	}
	if grown := after - before; after == 0 || grown > 20*n {
		t.Errorf("%d bytes are held at the last of %d corrections", grown, n)
	}
}
