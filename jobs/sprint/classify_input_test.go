package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClassifySaysWhatItsInputLacks: an input of which nothing can be answered says once
// what it has, and what to write instead.
func TestClassifySaysWhatItsInputLacks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}",
		"new.csv":    "nr,message\n1,Blaze in the harbour\n2,Bank shares\n",
		"new.jsonl":  "{\"nr\":1,\"message\":\"Blaze\"}\n{\"nr\":2,\"message\":\"Bank\"}\n",
		"mails.xlsx": "PK\x03\x04 xl/workbook", "mails": "PK\x03\x04 xl/workbook", "a.docx": "PK\x03\x04 word/", "a.pdf": "%PDF-1.7", "new.gz": "\x1f\x8b\x08", "zeros.txt": "Blaze\x00\x01\n",
		"lists.jsonl": "{\"title\":[\"Blaze\"]}\n{\"title\":{\"a\":1}}\n", "empty.csv": "", "header.csv": "id,title\n", "empty.txt": "",
	})
	const excel, packed = "in Excel choose Save As, CSV UTF-8, and name that file", "\n       --format says what the input is: jsonl, csv, parquet or text\n"
	for name, c := range map[string]struct {
		flags string
		code  int
		want  string // all that is said after what is said of the model
	}{
		"no title":       {"--input new.csv", 1, "sprint: new.csv has the columns nr, message and none is called title; say --columns title=message\n"},
		"no title, JSON": {"--input new.jsonl", 1, "sprint: new.jsonl has the fields nr, message and none is called title; say --columns title=message\n"},
		"title a list":   {"--input lists.jsonl", 1, "sprint: lists.jsonl has the field title, and in no row it is a text, but empty, null, a list or an object\n"},
		"misspelt":       {"--input new.csv --columns title=mesage", 2, "sprint: new.csv has the columns nr, message and none is called mesage; did you mean --columns title=message?\n"},
		"misspelt, JSON": {"--input new.jsonl --columns title=mesage", 2, "sprint: new.jsonl has the fields nr, message and none is called mesage, which --columns names as title; say --columns title=message\n"},
		"a workbook":     {"--input mails.xlsx", 2, "sprint: mails.xlsx is an Excel workbook: " + excel + "\n"},
		"a document":     {"--input a.docx", 2, "sprint: a.docx is a Word document: rows are read from csv, jsonl or parquet\n"},
		"a PDF":          {"--input a.pdf", 2, "sprint: a.pdf is a PDF document: rows are read from csv, jsonl or parquet\n"},
		"gz of what":     {"--input new.gz", 2, "sprint: new.gz: the extension does not tell the format" + packed},
		"workbook, text": {"--input mails --format text", 1, "sprint: read the input: bad format: it is an Excel workbook; " + excel + packed},
		"workbook, bare": {"--input mails", 1, "sprint: read the input: bad format: it is an Excel workbook; " + excel + packed},
		"zeros":          {"--input zeros.txt", 1, "sprint: read the input: bad format: it is no text, as it has bytes that are zero" + packed},
		"empty":          {"--input empty.csv", 0, "sprint: empty.csv has no rows\n"},
		"header":         {"--input header.csv", 0, "sprint: header.csv has no rows\n"},
		"empty text":     {"--input empty.txt", 0, "sprint: empty.txt has no rows\n"},
		"output":         {"--input new.csv --output a.xlsx", 2, "sprint: --output a.xlsx: answers are written as .csv, .parquet, .jsonl or .json\n       name the file by one of them, or - for standard output\n"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./"}, strings.Fields(c.flags)...)...)
		if code != c.code || stdout != "" || ofInput(stderr) != c.want {
			t.Errorf("%s: code %d, want %d, stdout %q\ngot  %q\nwant %q", name, code, c.code, stdout, stderr, c.want)
		}
	}
}

// TestClassifyBadTexts: a text of a command line that is none has its place among the answers,
// bytes that are no UTF-8 are told, and so is a row that is nested too deep.
func TestClassifyBadTexts(t *testing.T) {
	dir := t.TempDir()
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "deep.jsonl": "{\"title\":\"Blaze\",\"a\":" + deep + "}\n{\"title\":\"Blaze\"}\n"})
	for name, c := range map[string]struct {
		args   []string
		code   int
		stdout string // how its lines begin
		stderr string
	}{
		"blank":     {[]string{"Blaze", " "}, 1, `{"categories":{"fire"|{"error":"no title"}`, "1 of 2 rows could not be classified"},
		"not UTF-8": {[]string{"Blaze \xff", "Blaze"}, 0, `{"categories":{"fire"|{"categories":{"fire"`, "sprint: in 1 of the texts U+FFFD stands for bytes that are no UTF-8"},
		"deep":      {[]string{"--input", "deep.jsonl"}, 1, `{"error":"nested over 10,000 deep"}|{"categories":{"fire"`, "1 of 2 rows could not be classified"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./"}, c.args...)...)
		lines, want := strings.Split(strings.TrimSpace(stdout), "\n"), strings.Split(c.stdout, "|")
		if code != c.code || len(lines) != len(want) || !strings.Contains(stderr, c.stderr) {
			t.Fatalf("%s: code %d: %s%s", name, code, stdout, stderr)
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], want[i]) {
				t.Errorf("%s: line %d is %s, want %s", name, i+1, lines[i], want[i])
			}
		}
	}
}

// ofInput is what is said beside that the folder has no model, and who answered.
func ofInput(said string) string {
	var out strings.Builder
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "sprint: warning: the model's folder") && !strings.HasPrefix(line, "sprint: keywords answer") && !strings.Contains(line, " rows answered: ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestClassifyDecodes: a text in the encoding of an editor is decoded, and that it was is
// said once; bytes that are of none are not replaced in silence.
func TestClassifyDecodes(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("Caf\xe9 in fire\nCaf\xe9\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	const read, mended = "is no UTF-8 and was read as windows-1252\n", "is not all UTF-8: U+FFFD stands for bytes that are none (rows: 1); save it as UTF-8\n"
	for name, c := range map[string]struct{ file, content, title, said string }{
		"latin-1":     {"t.txt", "Caf\xe9 in fire\nna\xefve\n", "Café in fire", "sprint: t.txt " + read},
		"standard in": {"-", "Caf\xe9 in fire\nna\xefve\n", "Café in fire", "sprint: standard input " + read},
		"packed":      {"t.txt.gz", packed.String(), "Café in fire", "sprint: t.txt.gz " + read},
		"a table":     {"t.csv", "title\nCaf\xe9 in fire\n", "Café in fire", "sprint: t.csv " + read},
		"utf-16":      {"t.txt", "\xff\xfeC\x00\xe9\x00\n\x00", "Cé", "sprint: t.txt is no UTF-8 and was read as utf-16le\n"},
		"faults":      {"t.txt", "Caf\xff\nplain\n", "Caf\ufffd", "sprint: t.txt " + mended},
		"utf-8":       {"t.txt", "\ufeffCafé\n", "Café", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "t": c.content})
			in, err := os.Open(filepath.Join(dir, "t"))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if c.file != "-" {
				write(t, dir, map[string]string{c.file: c.content})
			}
			t.Chdir(dir)
			var out, said bytes.Buffer
			code := run(t.Context(), []string{"classify", "--device", "go", "--model", "./", "--input", c.file, "--output", "a.csv"}, []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, in, &out, &said)
			table, err := os.ReadFile("a.csv")
			if err != nil || code != 0 || !strings.Contains(string(table), c.title+",") || ofInput(said.String()) != c.said {
				t.Errorf("code %d, %v: %q\n%q", code, err, table, said.String())
			}
		})
	}
}
