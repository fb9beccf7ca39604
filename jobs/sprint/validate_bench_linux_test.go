package main

import (
	"bufio"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkValidateTable times `sprint validate` of a plan whose rows stand in a csv table
// of 1 GB, as a whole process: its delimiter, encoding and columns are found, and its rows
// looked at, in the beginning of the file. The marks are 0.5 s and 100 MB.
func BenchmarkValidateTable(b *testing.B) {
	dir := b.TempDir()
	bin := filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.Setenv("SPRINT_CACHE", filepath.Join(dir, "cache"))
	writeTable(b, filepath.Join(dir, "rows.csv"), 1<<30)
	write(b, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "plan.yaml": strings.Replace(goodPlan, "rows.jsonl", "rows.csv", 1)})
	measured(b, dir, bin, "validate") // reads the binary from the disk
	var took []time.Duration
	var most int64
	for b.Loop() {
		printed, seconds, rss := measured(b, dir, bin, "validate")
		if !strings.Contains(printed, "plan.yaml is valid") {
			b.Fatal(printed)
		}
		took, most = append(took, seconds), max(most, rss)
	}
	slices.Sort(took)
	median := took[len(took)/2].Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median, "s")
	b.ReportMetric(float64(most)/1e6, "MB")
	if median > 0.5 || most > 100e6 {
		b.Errorf("a table of 1 GB is validated in %.2f s with %d MB, more than 0.5 s or 100 MB", median, most/1e6)
	}
}

// writeTable makes a table of so many bytes, in which a semicolon separates and a title
// holds commas.
func writeTable(b *testing.B, path string, size int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	n := int64(0)
	for i := 0; n < size && err == nil; i++ {
		line := "id;title;description\n"
		if i > 0 {
			line = fmt.Sprintf("%d;A fire in street %d, again;\"words of row %d, in quotes; as ever\"\n", i, i%977, i)
		}
		n += int64(len(line))
		_, err = w.WriteString(line)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		b.Fatal(err)
	}
}
