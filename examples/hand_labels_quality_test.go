//go:build quality

package examples

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// fiftyLabels measures what fifty rows labelled by hand give without any rule, over five draws
// of them from the gold set, on the rest of which it is measured. A floor of 0 claims nothing.
func fiftyLabels(t *testing.T, store, plan, articles, gold string, floor float64, sets ...string) {
	t.Helper()
	tax, path := withoutRules(t, plan)
	var all []figures
	for draw := range 5 {
		dir := t.TempDir()
		labelled, rest := drawn(t, tax, gold, draw, 50)
		taught := slices.Concat(labelled, unlabelled(t, articles, gold))
		rows, left := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "gold.csv")
		for name, data := range map[string][]byte{rows: taught, left: rest} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, measure(t, store, path, [][]string{append([]string{
			"label.source=[columns]", "fetch.source=files", "fetch.files.paths=" + rows, "split.gold=" + left, "verify.gold=" + left, "split.seed=" + fmt.Sprint(draw),
			"verify.checks=[{id: macro_f1, on: gold, min: 0.1}]",
		}, sets...)})...)
	}
	slices.SortFunc(all, func(a, b figures) int { return cmp.Compare(a.Gold.Macro, b.Gold.Macro) })
	m := all[len(all)/2].Gold.Macro
	fmt.Printf("%-34s macro-F1 %.3f (%.3f-%.3f)\n", filepath.Base(filepath.Dir(plan))+", 50 hand labels, no rules", m, all[0].Gold.Macro, all[len(all)-1].Gold.Macro)
	if m < floor {
		t.Errorf("macro-F1 is %.3f, under %.3f", m, floor)
	}
}

// withoutRules copies a plan with a taxonomy of names, descriptions and tags alone.
func withoutRules(t *testing.T, plan string) (*taxonomy.Taxonomy, string) {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(plan), "taxonomy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tax, problems := taxonomy.Parse(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var b strings.Builder
	if tax.Single {
		b.WriteString("labels: single\n")
	}
	b.WriteString("categories:\n")
	for _, c := range tax.Categories {
		fmt.Fprintf(&b, "  - {name: %s", c.Name)
		if tags := c.Tags[1:]; len(tags) > 0 {
			fmt.Fprintf(&b, ", tags: [%s]", strings.Join(tags, ", "))
		}
		b.WriteString("}\n")
	}
	steps, err := os.ReadFile(plan)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plan.yaml"), steps, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "taxonomy.yaml"), []byte(b.String()), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tax, filepath.Join(dir, "plan.yaml")
}

// drawn gives n rows of a gold set with their labels, as lines of JSON, and the rest as a gold
// set: those whose digests, of the draw and the row, are lowest. Where a row has one category
// they have one.
func drawn(t *testing.T, tax *taxonomy.Taxonomy, gold string, draw, n int) (labelled, rest []byte) {
	t.Helper()
	table := csvTable(t, gold)
	head, lines := table[0], table[1:]
	digest := func(row []string) string {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", draw, row[0]))
		return string(sum[:])
	}
	slices.SortFunc(lines, func(a, b []string) int { return cmp.Compare(digest(a), digest(b)) })
	left := [][]string{head}
	var out bytes.Buffer
	for _, row := range lines {
		var names []string
		line := map[string]string{}
		for c, name := range head {
			switch {
			case slices.Contains(tax.Names(), name) && row[c] == "1":
				names = append(names, name)
			case name == "id" || name == "url" || name == "title" || name == "description":
				line[name] = row[c]
			}
		}
		if n == 0 || tax.Single && len(names) != 1 {
			left = append(left, row)
			continue
		}
		n--
		if line["label"] = strings.Join(names, ";"); len(names) == 0 {
			line["label"] = "none"
		}
		if err := json.NewEncoder(&out).Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	var csvText bytes.Buffer
	if err := csv.NewWriter(&csvText).WriteAll(left); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), csvText.Bytes()
}

// unlabelled are the lines of articles whose titles are not in gold.
func unlabelled(t *testing.T, articles, gold string) (out []byte) {
	t.Helper()
	text, err := os.ReadFile(articles)
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(gold)
	if err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(bytes.NewReader(known)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for _, row := range table {
		titles[row[1]] = true
	}
	for line := range bytes.Lines(text) {
		var r struct{ Title string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if !titles[r.Title] {
			out = append(append(out, bytes.TrimSpace(line)...), '\n')
		}
	}
	return out
}
