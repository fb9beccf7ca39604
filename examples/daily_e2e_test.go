//go:build e2e

package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// readers read an export and print what it holds as JSON: rows of partitions, days, rows
// without a day, and the most frequent category of a day.
var readers = []struct{ variable, requirement, module, script string }{
	{"DUCKDB_PYTHON", "duckdb==2.0.1", "duckdb", `
import duckdb, json, sys
t = "read_parquet('" + sys.argv[1] + "/*/*.parquet', hive_partitioning = true)"
q = lambda s: duckdb.sql(s.replace("TABLE", t)).fetchall()
print(json.dumps({
  "days": sorted(str(d) for d, in q("SELECT DISTINCT date FROM TABLE WHERE date IS NOT NULL")),
  "undated": q("SELECT count(*) FROM TABLE WHERE date IS NULL")[0][0],
  "count": q("SELECT sum(count) FROM TABLE")[0][0],
  "top": q("SELECT category FROM TABLE WHERE date = '2026-11-29' GROUP BY category ORDER BY sum(count) DESC, category LIMIT 1")[0][0],
}, default=int))`},
	{"PYARROW_PYTHON", "pyarrow==26.0.1", "pyarrow.dataset", `
import json, sys
import pyarrow.dataset as ds, pyarrow.compute as pc
t = ds.dataset(sys.argv[1], format="parquet", partitioning="hive").to_table().to_pylist()
day = {}
for r in t:
    if str(r["date"]) == "2026-11-29":
        day[r["category"]] = day.get(r["category"], 0) + r["count"]
print(json.dumps({
  "days": sorted({str(r["date"]) for r in t if r["date"] is not None}),
  "undated": sum(r["date"] is None for r in t),
  "count": sum(r["count"] for r in t),
  "top": min(day, key=lambda c: (-day[c], c)),
}))`},
}

// TestDailyNewsIsRead: what daily-news exports is read by DuckDB and by pyarrow as one table
// that is partitioned by day, also after a day was run again.
func TestDailyNewsIsRead(t *testing.T) {
	export := filepath.Join(t.TempDir(), "daily")
	store := t.TempDir()
	args := []string{"--set", "aggregate.export=" + export, "--set", "aggregate.undated=keep"}
	if r := run(t, store, "daily-news/plan.yaml", args...); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	check := func(when string) {
		t.Helper()
		for _, reader := range readers {
			python := jobstest.Python(t, reader.variable, reader.requirement, reader.module)
			out, err := exec.Command(python, "-c", reader.script, export).Output()
			if err != nil {
				t.Fatalf("%s, %s: %v", when, reader.module, err)
			}
			var got struct {
				Days           []string
				Undated, Count int
				Top            string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if strings.Join(got.Days, " ") != "2026-11-27 2026-11-28 2026-11-29" || got.Undated != 5 || got.Count != 28 || got.Top != "politics" {
				t.Errorf("%s, %s: %+v", when, reader.module, got)
			}
		}
	}
	check("at first")
	if r := run(t, store, "daily-news/plan.yaml", append(args, "--force=aggregate")...); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	check("run again")
	if _, err := os.Stat(filepath.Join(export, "_SUCCESS")); err != nil {
		t.Error(err)
	}
}
