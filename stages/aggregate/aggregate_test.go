package aggregate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/aggregate"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

const byModel = `{"model":"news@3","by_model":6,"categories":{"fire":3,"money":2}}`

// classified are six rows of two days, one without a day and one without a domain.
func classified(t *testing.T, more ...rows.Row) []byte {
	t.Helper()
	fire := func(score float64, tag string) rows.Label { return rows.Label{Score: score, Tag: tag} }
	no := rows.Label{Abstain: true}
	table := append([]rows.Row{
		{Title: "a", URL: "https://www.A.example/1", SeenAt: "20261129T000000Z", Labels: []rows.Label{fire(0.5, "red"), no}},
		{Title: "b", URL: "https://a.example:8080/2", SeenAt: "2026-11-29T23:59:59Z", Labels: []rows.Label{fire(0.75, "blue"), {Score: 0.25}}},
		{Title: "c", Source: "B.example", SeenAt: "20261129T120000Z", Labels: []rows.Label{no, no}},
		{Title: "d", URL: "https://a.example/4", SeenAt: "20261130T000000Z", Labels: []rows.Label{fire(1, "red"), no}},
		{Title: "e", SeenAt: "20261130T010203Z", Labels: []rows.Label{no, {Score: 1}}},
		{Title: "f", URL: "https://a.example/6", SeenAt: "yesterday", Labels: []rows.Label{no, no}},
	}, more...)
	var out bytes.Buffer
	if err := rows.WriteParquet(&out, table, []string{"fire", "money"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func testCase(o *aggregate.Options, table []byte) stagetest.Case {
	return stagetest.Case{Kind: aggregate.Kind(), Options: o, Inputs: map[string]any{"classified": table, "classify_report": byModel}}
}

// line is a line of a partition.
type line struct {
	Domain   string   `parquet:"domain"`
	Category string   `parquet:"category"`
	Rows     int64    `parquet:"rows"`
	Count    int64    `parquet:"count"`
	Share    float64  `parquet:"share"`
	Mean     *float64 `parquet:"mean,optional"`
	Tag      string   `parquet:"tag"`
	TagCount int64    `parquet:"tag_count"`
	Source   string   `parquet:"source"`
	Model    string   `parquet:"model"`
}

func (l line) String() string {
	mean := "null"
	if l.Mean != nil {
		mean = fmt.Sprint(math.Round(*l.Mean*1e6) / 1e6)
	}
	return fmt.Sprintf("%s %s %d %d %.2f %s %s %d %s %s", l.Domain, l.Category, l.Rows, l.Count, l.Share, mean, l.Tag, l.TagCount, l.Source, l.Model)
}

func lines(t *testing.T, data []byte) string {
	t.Helper()
	read, err := library.Read[line](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range read {
		out = append(out, l.String())
	}
	return strings.Join(out, "\n")
}

// TestCounts: each day has its partition, with the figures of each domain and category.
func TestCounts(t *testing.T) {
	r := stagetest.MustRun(t, testCase(&aggregate.Options{Undated: "keep"}, classified(t)))
	tree := r.Tree(t, "aggregates")
	const undated = "date=__HIVE_DEFAULT_PARTITION__/part-0.parquet"
	if got, want := slices.Sorted(maps.Keys(tree)), []string{"date=2026-11-29/part-0.parquet", "date=2026-11-30/part-0.parquet", undated}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for path, want := range map[string]string{
		"date=2026-11-29/part-0.parquet": "a.example fire 2 2 1.00 0.625 blue 1 model news@3\na.example money 2 1 0.50 0.25  0 model news@3\nb.example fire 1 0 0.00 null  0 model news@3\nb.example money 1 0 0.00 null  0 model news@3",
		"date=2026-11-30/part-0.parquet": " fire 1 0 0.00 null  0 model news@3\n money 1 1 1.00 1  0 model news@3\na.example fire 1 1 1.00 1 red 1 model news@3\na.example money 1 0 0.00 null  0 model news@3",
		undated:                          "a.example fire 1 0 0.00 null  0 model news@3\na.example money 1 0 0.00 null  0 model news@3",
	} {
		if got := lines(t, tree[path]); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
		}
	}
	var report struct {
		Rows, Outside, Undated int
		Nowhere                int `json:"without_domain"`
		Days                   []struct {
			Day  string
			Rows int
		}
	}
	if err := json.Unmarshal(r.File(t, "aggregate_report"), &report); err != nil {
		t.Fatal(err)
	}
	if report.Rows != 6 || report.Undated != 1 || report.Nowhere != 1 || len(report.Days) != 3 || report.Days[0].Rows != 3 {
		t.Errorf("%+v", report)
	}
	for _, want := range []string{"undated=1", "without_domain=1"} {
		if !strings.Contains(r.Log, want) {
			t.Errorf("the log does not say %s: %s", want, r.Log)
		}
	}
}

// TestBounds: rows of other days and those without one are left out, a day without rows has
// an empty file, and an order of rows changes no byte.
func TestBounds(t *testing.T) {
	o := &aggregate.Options{From: "2026-11-28", To: "2026-11-30", Undated: "drop"}
	first := stagetest.MustRun(t, testCase(o, classified(t)))
	tree := first.Tree(t, "aggregates")
	if got, want := slices.Sorted(maps.Keys(tree)), []string{"date=2026-11-28/part-0.parquet", "date=2026-11-29/part-0.parquet"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if got := lines(t, tree["date=2026-11-28/part-0.parquet"]); got != "" {
		t.Errorf("a day without rows: %q", got)
	}
	table, categories, err := rows.DecodeParquet(bytes.NewReader(classified(t)))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(table)
	var turned bytes.Buffer
	if err := rows.WriteParquet(&turned, table, categories); err != nil {
		t.Fatal(err)
	}
	if again := stagetest.MustRun(t, testCase(o, turned.Bytes())); again.Outputs["aggregates"].Digest != first.Outputs["aggregates"].Digest {
		t.Error("the order of the rows shows in the partitions")
	}
}

// TestExport: a window that is run again replaces its days and no other, as a folder and
// in a bucket; what it has less of is not replaced unless the plan says which days are
// whole.
func TestExport(t *testing.T) {
	bucket, query, _ := strings.Cut(storagetest.S3URL(t, nil)(), "?")
	for _, export := range []string{filepath.Join(t.TempDir(), "daily"), bucket + "/News/daily?" + query} {
		more := rows.Row{Title: "g", URL: "https://c.example/7", SeenAt: "20261130T050000Z", Labels: []rows.Label{{Score: 1}, {Abstain: true}}}
		run := func(o aggregate.Options, table []byte) (map[string]string, error) {
			o.Export, o.Undated = export, "drop"
			r, err := stagetest.Try(t, testCase(&o, table))
			if err == nil {
				err = r.Err
			}
			if err != nil {
				return nil, err
			}
			return exported(t, export), nil
		}
		first, err := run(aggregate.Options{}, classified(t))
		if err != nil || len(first) != 5 {
			t.Fatalf("%v: %v", err, slices.Sorted(maps.Keys(first)))
		}
		again, err := run(aggregate.Options{}, classified(t))
		if err != nil || !maps.Equal(again, first) {
			t.Errorf("the same window again: %v", err)
		}
		grown, err := run(aggregate.Options{From: "2026-11-30", To: "2026-12-01"}, classified(t, more))
		if err != nil {
			t.Fatal(err)
		}
		const today, before = "date=2026-11-30/part-0.parquet", "date=2026-11-29/part-0.parquet"
		if grown[before] != first[before] || !strings.Contains(lines(t, []byte(grown[today])), "c.example fire 1 1") || len(grown) != 5 {
			t.Errorf("a grown day: %v", slices.Sorted(maps.Keys(grown)))
		}
		_, err = run(aggregate.Options{}, classified(t))
		if f, ok := errors.AsType[*stages.Failure](err); !ok || !strings.Contains(err.Error(), "3 rows of 2026-11-30, and this run has 2") || f.Hint == "" {
			t.Errorf("a day with less: %v", err)
		}
		if kept := exported(t, export); !maps.Equal(kept, grown) {
			t.Error("what was refused changed something")
		}
		back, err := run(aggregate.Options{From: "2026-11-29", To: "2026-12-01"}, classified(t))
		if err != nil || back[today] != first[today] || back[before] != first[before] {
			t.Errorf("whole days with less: %v", err)
		}
	}
}

// TestLacking: what is not there any more of an export is said, and nothing of a day that
// another window wrote.
func TestLacking(t *testing.T) {
	export := filepath.Join(t.TempDir(), "daily")
	o := &aggregate.Options{Export: export, Undated: "drop", From: "2026-11-29", To: "2026-12-01"}
	c := testCase(o, classified(t))
	c.Store = stagetest.Store(t)
	work := storage.Manifest{Outputs: slices.Collect(maps.Values(stagetest.MustRun(t, c).Outputs))}
	lacking := func(want string) {
		t.Helper()
		got := o.Lacking(t.Context(), c.Store, work)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("it lacks %q, want %q", got, want)
		}
	}
	lacking("")
	for _, name := range []string{"_SUCCESS", "date=2026-11-29/part-0.parquet", "date=2026-11-30/_SUCCESS"} {
		path := filepath.Join(export, filepath.FromSlash(name))
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		lacking(map[bool]string{true: "other rows of 2026-11-30", false: "lacks " + name}[strings.HasPrefix(name, "date=2026-11-30")])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		lacking("")
	}
	more := rows.Row{Title: "g", URL: "https://c.example/7", SeenAt: "20261130T050000Z", Labels: []rows.Label{{Score: 1}, {Abstain: true}}}
	stagetest.MustRun(t, testCase(&aggregate.Options{Export: export, Undated: "drop", From: "2026-11-30", To: "2026-12-01"}, classified(t, more)))
	lacking("the export has other rows of 2026-11-30")
	o.From, o.To = "", "" // then this work would not replace a day of more rows
	lacking("")
	// A report of a hostile store names no file elsewhere.
	for text, want := range map[string]string{`{"days":[{"day":"../../x","file":"date=2026-11-29/part-0.parquet"}]}`: `"../../x" is no day`, `{"days":[{"day":"2026-11-01","file":"../../x"}]}`: "the export lacks date=2026-11-01/part-0.parquet"} {
		a, err := c.Store.Put(t.Context(), strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		a.Name = "aggregate_report"
		if got := o.Lacking(t.Context(), c.Store, storage.Manifest{Outputs: []storage.Artifact{a}}); !strings.Contains(got, want) {
			t.Errorf("%s: it lacks %q, want %q", text, got, want)
		}
	}
	if o.Export = ""; o.Lacking(t.Context(), c.Store, work) != "" {
		t.Error("without an export something is lacking")
	}
}

// exported are the files of an export by their paths.
func exported(t *testing.T, export string) map[string]string {
	t.Helper()
	out := map[string]string{}
	bucket, key, remote := storage.SplitURL(export)
	if !remote {
		err := filepath.WalkDir(export, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			name, err2 := filepath.Rel(export, path)
			out[filepath.ToSlash(name)] = string(data)
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	s, err := storage.Open(t.Context(), bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for o, err := range s.Bucket.List(t.Context(), key+"/") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.OpenFile(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(o.Key, key+"/")] = string(data)
	}
	return out
}

// TestOptions: days that are none, and addresses that a plan must not hold, are refused.
func TestOptions(t *testing.T) {
	for _, o := range []aggregate.Options{{From: "29.11.2026"}, {From: "2026-11-29", To: "2026-11-29"}, {From: "1026-11-29", To: "2026-11-29"}, {Export: "s3://key:secret@bucket/x"}, {Export: "mem://x"}} {
		if problems := o.Check(); len(problems) != 1 || problems[0].Hint == "" || strings.Contains(problems[0].Message, "secret") {
			t.Errorf("%+v: %v", o, problems)
		}
	}
	if problems := (&aggregate.Options{From: "2026-11-29", To: "2026-11-30", Export: "s3://bucket/x"}).Check(); problems != nil {
		t.Error(problems)
	}
}
