package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesAreLookedAt: validate and plan tell what is wrong with the files that a plan
// names, as run would, and what no stage reads.
func TestFilesAreLookedAt(t *testing.T) {
	plan := func(paths string) string {
		return strings.Replace(goodPlan, "paths: [rows.jsonl]", "paths: ["+paths+"]", 1)
	}
	between := "  - {name: clean, kind: command, with: {argv: [cp, a, b], inputs: [articles], outputs: [cleaned]}}\n  - name: label\n"
	columns := func(path string) string {
		return strings.Replace(plan(path), "- name: label\n", "- name: label\n    with: {source: columns}\n", 1)
	}
	for name, c := range map[string]struct {
		plan string
		code int
		want string // in stderr
	}{
		"good":           {goodPlan, 0, ""},
		"no file":        {plan("none.jsonl"), 3, "none.jsonl: no such file or directory"},
		"a folder":       {plan("folder"), 3, "cannot read folder: it is a folder: write folder/*.jsonl"},
		"nothing fits":   {plan("'*.tsv'"), 3, "no file fits the pattern"},
		"other names":    {plan("tickets.csv"), 3, "tickets.csv has the columns id, subject, body and none is called title; say which one is: files: {columns: {title: subject, description: body}}"},
		"named":          {strings.Replace(plan("tickets.csv"), "paths:", "columns: {title: subject}, delimiter: \",\", paths:", 1), 0, ""},
		"bad rows":       {plan("bad.csv"), 3, "bad.csv:3: 3 fields, the header has 2; 1 of the 2 rows in the file are of no use"},
		"bad far away":   {plan("far.csv"), 3, "far.csv:60370: 1 fields, the header has 2; "},
		"latin-1":        {plan("latin.csv"), 0, "warning: latin.csv: the text is no UTF-8 and is read as Windows-1252 (Latin-1)"},
		"a workbook":     {plan("book.xlsx"), 3, "book.xlsx is an Excel workbook: in Excel choose Save As, CSV UTF-8"},
		"no parquet":     {plan("no.parquet"), 3, `no.parquet: bad format: it is no Parquet file: it begins with "titl"`},
		"unknown label":  {columns("labels.csv"), 3, "labels.csv:3:3: \"moeny\" is no category; 1 of the 2 rows of the file say so\n     3 | y,moeny\n       |   ^\n       did you mean \"money\"?"},
		"0/1 columns":    {columns("marks.csv"), 0, ""},
		"a cell of them": {columns("cell.csv"), 3, "cell.csv:2: fire: \"maybe\" is no number, and neither yes nor no"},
		"a missing one":  {columns("half.csv"), 3, "half.csv: the rows carry no labels of category money: they have no column label, and no column money or money_score"},
		"gold is all":    {goodPlan + "  - {name: train, with: {encoder: all-minilm-l6-v2}}\n  - {name: verify, with: {gold: rows.jsonl, checks: [{id: macro_f1, on: gold, min: 0.1}]}}\n", 3, "rows.jsonl is also what stage fetch reads, and rows of the gold set never train"},
		"no encoder":     {goodPlan + "  - {name: train, with: {encoder: all-minilm}}\n", 3, "unknown encoder \"all-minilm\""},
		"no folder":      {goodPlan + "  - {name: train, with: {encoder: ./none}}\n", 3, "none"},
		"in percent":     {goodPlan + "  - {name: train, with: {encoder: all-minilm-l6-v2}}\n  - {name: verify, with: {checks: [{id: macro_f1, min: 60}]}}\n", 3, "macro_f1 is from 0 to 1, not 60\n"},
		"unread outputs": {strings.Replace(goodPlan, "  - name: label\n", between, 1), 0, "warning: plan.yaml:6:5: stages.clean: stage clean makes cleaned, which no stage reads\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := demo(t, map[string]string{
				"plan.yaml": c.plan, "tickets.csv": "id,subject,body\n1,a,b\n", "bad.csv": "id,title\n1,a\n1,a,b\n", "book.xlsx": "PK",
				"far.csv": "id,title\n" + strings.Repeat("123456,a title of some words\n", 60_000) + strings.Repeat("only one field of words\n", 10_000), "latin.csv": "id,title\n1,caf\xe9\n", "no.parquet": "title\n",
				"labels.csv": "title,label\nx,fire\ny,moeny\n", "marks.csv": "title,Fire,money\nx,1,0\n", "cell.csv": "title,fire,money\nx,maybe,0\n", "half.csv": "title,fire\nx,1\n",
			})
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"validate", "plan"} {
				code, _, stderr := exec(t, dir, command)
				if code != c.code || !strings.Contains(strings.ReplaceAll(stderr, dir+"/", ""), c.want) {
					t.Errorf("%s: code %d, want %d:\n%s", command, code, c.code, stderr)
				}
			}
		})
	}
}
