package rows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/rows"
)

// news writes a table of news as csv or jsonl of about so many bytes.
func news(size int, format string) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("storm harbour minister budget the of in a and closes opens wins after against report police court match league bank shares fall rise vote law city council Stockholm Göteborg année coûte says new plan")
	text := func(n int) string {
		out := make([]string, n)
		for i := range out {
			out[i] = words[r.IntN(len(words))]
		}
		return strings.Join(out, " ")
	}
	var b bytes.Buffer
	if format == rows.CSV {
		b.WriteString("id,url,title,description,seen_at\n")
	}
	for i := 0; b.Len() < size; i++ {
		id, url, title, description, seen := strconv.Itoa(i), "https://news.example/"+strconv.Itoa(i), text(8), text(25), "20250101T000000Z"
		if i%5 == 0 {
			description += `, "` + text(2) + `"`
		}
		if format == rows.CSV {
			if strings.Contains(description, ",") {
				description = `"` + strings.ReplaceAll(description, `"`, `""`) + `"`
			}
			b.WriteString(strings.Join([]string{id, url, title, description, seen}, ",") + "\n")
			continue
		}
		line, err := json.Marshal(map[string]string{"id": id, "url": url, "title": title, "description": description, "seen_at": seen})
		if err != nil {
			panic(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

const duckdbScript = `
import sys, time, duckdb
path, reader = sys.argv[1:]
con = duckdb.connect()
con.execute("SET threads=1")
con.execute("SET enable_progress_bar=false")
times = []
for i in range(6):
    con.execute("DROP TABLE IF EXISTS t")
    begin = time.perf_counter()
    con.execute(f"CREATE TABLE t AS SELECT * FROM {reader}('{path}')")
    times.append(time.perf_counter() - begin)
print(sorted(times[1:])[2], con.execute("SELECT count(*) FROM t").fetchone()[0])
`

// BenchmarkRead reads 64 MB of news on one core, and DuckDB makes a table of the same
// columns on one, in the same run: medians of five, warm. DUCKDB_PYTHON is a Python that
// has the package duckdb (pip install duckdb).
func BenchmarkRead(b *testing.B) {
	for _, format := range []string{rows.CSV, rows.JSONL} {
		b.Run(format, func(b *testing.B) {
			data := news(64<<20, format)
			path := filepath.Join(b.TempDir(), "news."+format)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				b.Fatal(err)
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			var times []float64
			read := 0
			for range 6 {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				_, stats, err := rows.Each(f, rows.Layout{Format: format}, &rows.Budget{}, func(*rows.Row, []string) error { return nil })
				times = append(times, time.Since(began).Seconds())
				f.Close()
				if err != nil || stats.Bad() > 0 {
					b.Fatal(err, stats)
				}
				read = stats.Read
			}
			times = times[1:]
			slices.Sort(times)
			mb := float64(len(data)) / 1e6
			b.ReportMetric(mb/times[2], "MB/s")
			b.ReportMetric(0, "ns/op")
			peer, count := duckdb(b, path, format)
			if peer == 0 {
				return
			}
			if count != read {
				b.Fatalf("DuckDB has %d rows, we %d", count, read)
			}
			b.ReportMetric(mb/peer, "duckdb-MB/s")
			b.ReportMetric(peer/times[2], "x-duckdb")
		})
	}
}

// duckdb is the median of DuckDB's seconds, and its rows; 0 if there is none.
func duckdb(b *testing.B, path, format string) (seconds float64, count int) {
	python := os.Getenv("DUCKDB_PYTHON")
	if python == "" {
		python = "python3"
	}
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	if exec.CommandContext(ctx, python, "-c", "import duckdb").Run() != nil {
		if os.Getenv("CI") == "true" {
			b.Fatal("CI has no DuckDB: pip install duckdb, and DUCKDB_PYTHON")
		}
		b.Log("no DuckDB to compare with: pip install duckdb, and DUCKDB_PYTHON")
		return 0, 0
	}
	reader := map[string]string{rows.CSV: "read_csv", rows.JSONL: "read_json"}[format]
	out, err := exec.CommandContext(ctx, python, "-c", duckdbScript, path, reader).Output()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	if _, err := fmt.Sscan(string(out), &seconds, &count); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return seconds, count
}
