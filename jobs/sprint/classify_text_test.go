package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestClassifyText: one text a line is taken as such, from standard input or a .txt
// file; other inputs are told by how they begin.
func TestClassifyText(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "t.txt": "Blaze in the harbour\n", "odd": "Bank shares\n", "long.txt": "Blaze\n" + strings.Repeat("x", 2<<20) + "\nBank\n"})
	t.Chdir(dir)
	for name, c := range map[string]struct {
		flags, input string
		code         int
		want         string // the tops of the answers
	}{
		"lines":        {"", "Blaze in the harbour\n\nBank shares\r\nCalm sea", 0, "fire money -"},
		"with a mark":  {"", "\ufeffBlaze\n", 0, "fire"},
		"not UTF-8":    {"", "Blaze \xff here\n", 0, "fire"},
		"JSON":         {"", " {\"title\":\"Blaze\"}\n", 0, "fire"},
		"csv":          {"", "id,\"Title\"\n1,Bank\n", 0, "money"},
		"as text":      {"--format text", "{\"title\":\"Blaze\"}\n", 0, "fire"},
		"an array":     {"", "[{\"title\":\"Blaze\"}]\n", 0, "fire"},
		"a file":       {"--input t.txt", "", 0, "fire"},
		"no extension": {"--input odd", "", 0, "money"},
		"nothing":      {"", "", 0, ""},
		"too long":     {"--input long.txt", "", 1, "fire bad money"},
		"no format":    {"--format txt", "x", 2, ""},
		"as a table":   {"-o table", "Blaze in the bank harbour\nCalm sea\n", 0, "Blaze in the bank harbour fire 1.00, money 1.00 Calm sea none answered by keywords;"},
		"no such view": {"-o csv", "x", 2, ""},
		"two places":   {"-o table --output x.csv", "x", 2, ""},
	} {
		var out, said bytes.Buffer
		args := append([]string{"classify", "--device", "go", "--model", "./"}, strings.Fields(c.flags)...)
		code := run(t.Context(), args, []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, strings.NewReader(c.input), &out, &said)
		got := strings.Join(strings.Fields(out.String()), " ")
		if !strings.Contains(c.flags, "table") {
			var tops []string
			for line := range strings.Lines(out.String()) {
				_, top, found := strings.Cut(line, `"top":`)
				top, _, _ = strings.Cut(top, ",")
				switch {
				case !found:
					top = "bad"
				case top == "null":
					top = "-"
				}
				tops = append(tops, strings.Trim(top, `"`))
			}
			got = strings.Join(tops, " ")
		}
		if code != c.code || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: code %d, %q, want %d and %q: %s", name, code, got, c.code, c.want, said.String())
		}
	}
}
