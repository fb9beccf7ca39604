package main

import (
	"strings"
	"testing"
)

// TestClassifySaysWhatItsInputLacks: an input of which nothing can be answered says once
// what it has, and what to write instead.
func TestClassifySaysWhatItsInputLacks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}",
		"new.csv":   "nr,message\n1,Blaze in the harbour\n2,Bank shares\n",
		"new.jsonl": "{\"nr\":1,\"message\":\"Blaze\"}\n{\"nr\":2,\"message\":\"Bank\"}\n",
	})
	for name, c := range map[string]struct {
		flags string
		code  int
		want  string // all that is said after what is said of the model
	}{
		"no title":       {"--input new.csv", 1, "sprint: new.csv has the columns nr, message and none is called title; say --columns title=message\n"},
		"no title, JSON": {"--input new.jsonl", 1, "sprint: new.jsonl has the fields nr, message and none is called title; say --columns title=message\n"},
		"misspelt":       {"--input new.csv --columns title=mesage", 2, "sprint: new.csv has the columns nr, message and none is called mesage; did you mean --columns title=message?\n"},
		"misspelt, JSON": {"--input new.jsonl --columns title=mesage", 2, "sprint: new.jsonl has the fields nr, message and none is called mesage, which --columns names as title; say --columns title=message\n"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./"}, strings.Fields(c.flags)...)...)
		if code != c.code || stdout != "" || !strings.HasSuffix(stderr, "no such file or directory\n"+c.want) {
			t.Errorf("%s: code %d, want %d, stdout %q\ngot  %q\nwant %q", name, code, c.code, stdout, stderr, c.want)
		}
	}
}
