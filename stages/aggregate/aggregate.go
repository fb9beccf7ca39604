// Package aggregate counts classified rows by day, domain and category, into a table that
// is partitioned by day.
//
// aggregate.go is the kind and its options, tally.go counts rows, stage.go is one attempt
// and writes the partitions, export.go puts them where others read them, lacking.go says
// whether they are still there.
package aggregate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// Kind returns the kind "aggregate".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "aggregate",
		Version: 1,
		Doc: `Counts classified rows by day, domain and category.
aggregates is a folder of Parquet files, date=2026-11-29/part-0.parquet, as DuckDB, Spark
and pyarrow read partitions, with a line for each domain and category of the day:
domain, category, rows (of the domain that day), count (of them, those of the category),
share (count of rows), mean (of their scores, null without any), tag (the most frequent
one) and tag_count, then source and model, which answered. Days are those of seen_at in
UTC; the domain is that of the url, else the row's source, else empty. A row without a day
is left out, or with undated: keep counted in date=__HIVE_DEFAULT_PARTITION__, which those
programs read as null. from and to bound the days: a row of another one is left out, and
a day without rows has an empty file. aggregate_report counts what was left out and what
lacked a day or a domain.
export also writes the partitions to a folder or a store URL, each in one step in place
of the one that was there, so that a window that is run again replaces its days and
nothing is counted twice; _SUCCESS, with the digests of the files, comes last. A day must
be whole then: without from and to, one that has more rows there than now is not replaced.
Work that is cached exports nothing again, unless a day is not there any more as it left it.`,
		Example: "from: 2026-11-29\nto: 2026-11-30\nexport: s3://bucket/news\n",
		Inputs: func(any) []stages.Input {
			return []stages.Input{{Name: "classified"}, {Name: "classify_report"}}
		},
		Outputs: func(options any) []stages.Output {
			out := []stages.Output{{Name: "aggregates"}, {Name: "aggregate_report"}}
			if options.(*Options).Export != "" {
				out = append(out, stages.Output{Name: "export_receipt", Volatile: true})
			}
			return out
		},
		Effort:  func(any) (string, float64) { return "classified", 1 },
		Options: func() any { return new(Options) },
		New:     func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
	}
}

// A value of Options.Undated.
const undatedKeep = "keep"

// Options of aggregate.
type Options struct {
	From    string `yaml:"from" doc:"first day that is counted, 2006-01-02; empty counts all"`
	To      string `yaml:"to" doc:"first day that is not counted any more, 2006-01-02; empty counts all"`
	Undated string `yaml:"undated" default:"drop" enum:"drop|keep" doc:"rows without a day: left out, or in a partition of their own, which an export replaces each time"`
	Export  string `yaml:"export" path:"true" key:"-" doc:"folder or store URL into which the partitions are written too, each in place of the one that is there"`
}

// Check refuses days that are none, and addresses with passwords.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	for _, x := range [][2]string{{"from", o.From}, {"to", o.To}} {
		_, err := time.Parse(time.DateOnly, x[1])
		out.If(x[1] != "" && err != nil, x[0], "write a day as 2006-01-02", "%q is no day", x[1])
	}
	out.If(o.bounded() && o.From >= o.To, "to", "to is the first day that is not counted any more", "no day is from %s on and before %s", o.From, o.To)
	out.If(len(o.days()) == maxDays, "to", "count them in several runs", "more than %d days", maxDays-1)
	out.If(storage.HasUserInfo(o.Export), "export", "credentials come from the environment", "the address holds a password")
	out.If(strings.HasPrefix(o.Export, "mem://"), "export", "a folder, or s3:// or gs://", "nobody else reads the memory of this process")
	return out
}

// Resolve keys where the export goes, as a digest: work that was exported elsewhere is not
// done.
func (o *Options) Resolve(context.Context, stages.Lookup) (stages.External, error) {
	if o.Export == "" {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(o.Export))
	return stages.External{"export": "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// maxDays bounds the days between from and to.
const maxDays = 3700

// days are those from from on and before to, where both are given, maxDays at most.
func (o *Options) days() []string {
	day, err := time.Parse(time.DateOnly, o.From)
	if err != nil || o.To == "" {
		return nil
	}
	var out []string
	for ; len(out) < maxDays && day.Format(time.DateOnly) < o.To; day = day.AddDate(0, 0, 1) {
		out = append(out, day.Format(time.DateOnly))
	}
	return out
}

// undated is the partition of rows without a day: Hive's name of a partition that is null.
const undated = "__HIVE_DEFAULT_PARTITION__"

// day is the partition of a row, and whether it is counted.
func (o *Options) day(r *rows.Row) (day string, counted bool) {
	t, ok := rows.SeenTime(r.SeenAt)
	if !ok || t.Year() < 1 || t.Year() > 9999 {
		return undated, o.Undated == undatedKeep
	}
	day = t.Format(time.DateOnly)
	return day, (o.From == "" || day >= o.From) && (o.To == "" || day < o.To)
}

// bounded reports whether the plan says which days are whole.
func (o *Options) bounded() bool { return o.From != "" && o.To != "" }

// partition is the folder of a day.
func partition(day string) string { return "date=" + day }

// file is the path of a day's file.
func file(day string) string { return fmt.Sprintf("%s/part-0.parquet", partition(day)) }
