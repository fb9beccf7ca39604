package fetch_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/fetch"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func files(t *testing.T, min int, content map[string]string, paths ...string) (*stagetest.Result, error) {
	t.Helper()
	dir := stagetest.WriteFiles(t, content)
	o := &fetch.Options{Source: "files", MinRows: min, Files: fetch.Files{Format: "auto", MaxBadRows: 0.34}}
	for _, p := range paths {
		o.Files.Paths = append(o.Files.Paths, filepath.Join(dir, p))
	}
	return stagetest.Try(t, stagetest.Case{Kind: fetch.Kind(), Options: o})
}

func codeOf(err error) stages.Code {
	var f *stages.Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return 0
}

func TestFiles(t *testing.T) {
	r, err := files(t, 1, map[string]string{
		"a.jsonl": `{"title":"USA : s plan","url":"u1","x_score":0.5,"x_tag":"t"}` + "\n" + `{"url":"u2"}` + "\n" + `{"title":"usa:s plan","url":"u3"}` + "\n",
		"b.csv":   "title,url,y_score,y_tag\nTwo,u4,1,z\nThree,u1,,\n",
	}, "*.jsonl", "b.csv")
	if err != nil || r.Err != nil {
		t.Fatal(err, r)
	}
	got, cats, err := rows.DecodeParquet(bytes.NewReader(r.File(t, "articles")))
	if err != nil || len(got) != 2 || strings.Join(cats, ",") != "x,y" {
		t.Fatalf("%v %v %+v", err, cats, got)
	}
	if got[0].Title != "USA:s plan" || got[0].TitleRaw != "USA : s plan" || got[0].Labels[0].Tag != "t" || !got[0].Labels[1].Abstain || got[1].Labels[1].Score != 1 {
		t.Errorf("%+v", got)
	}
	if r.Notes["duplicates"] != 2 || !strings.Contains(r.Log, "no_title=1") {
		t.Errorf("%v %s", r.Notes, r.Log)
	}
	if len(r.Tree(t, "raw")) != 0 {
		t.Error("files have raw pages")
	}
}

// TestNamedColumns: rows of files with other column names, and the text of their labels,
// reach the articles.
func TestNamedColumns(t *testing.T) {
	dir := stagetest.WriteFiles(t, map[string]string{"a.csv": "ticket,subject,class\n7,Two,crime; sports\n"})
	o := &fetch.Options{Source: "files", Files: fetch.Files{Format: "auto", Columns: map[string]string{"id": "ticket", "title": "subject", "label": "class"}, Paths: []string{filepath.Join(dir, "a.csv")}}}
	r, err := stagetest.Try(t, stagetest.Case{Kind: fetch.Kind(), Options: o})
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	got, _, err := rows.DecodeParquet(bytes.NewReader(r.File(t, "articles")))
	if err != nil || len(got) != 1 || got[0].ID != "7" || got[0].Title != "Two" || got[0].Label != "crime; sports" {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestFilesRefuse(t *testing.T) {
	good := `{"title":"a"}` + "\n"
	for _, c := range []struct {
		name    string
		min     int
		content map[string]string
		path    string
		code    stages.Code
	}{
		{"empty", 1, map[string]string{"a.jsonl": ""}, "a.jsonl", stages.CodeSource},
		{"too few", 2, map[string]string{"a.jsonl": good}, "a.jsonl", stages.CodeSource},
		{"missing", 1, nil, "a.jsonl", stages.CodePlan},
		{"no match", 1, nil, "*.jsonl", stages.CodePlan},
		{"not parquet", 1, map[string]string{"a.parquet": "x"}, "a.parquet", stages.CodeStage},
		{"not jsonl", 1, map[string]string{"a.jsonl": "PAR1"}, "a.jsonl", stages.CodeStage},
		{"no csv header", 1, map[string]string{"a.csv": "ti\"tle\n"}, "a.csv", stages.CodeStage},
		{"bad rows", 1, map[string]string{"a.jsonl": good + "{}\n{}\n"}, "a.jsonl", stages.CodeStage},
	} {
		r, err := files(t, c.min, c.content, c.path)
		if err == nil {
			err = r.Err
		}
		if codeOf(err) != c.code {
			t.Errorf("%s: %v has code %d, want %d", c.name, err, codeOf(err), c.code)
		}
	}
}

// TestDecodedFiles: an encoding that was found out is told, one that the plan names is not.
func TestDecodedFiles(t *testing.T) {
	dir := stagetest.WriteFiles(t, map[string]string{"a.csv": "title\ncaf\xe9 one\ncaf\xe9 two\n"})
	for encoding, told := range map[string]bool{"": true, "auto": true, "windows-1252": false} {
		o := &fetch.Options{Source: "files", MinRows: 1, Files: fetch.Files{Format: "auto", Encoding: encoding, Paths: []string{filepath.Join(dir, "a.csv")}}}
		r := stagetest.Run(t, stagetest.Case{Kind: fetch.Kind(), Options: o})
		if strings.Contains(r.Log, "file decoded") != told {
			t.Errorf("encoding %q: %s", encoding, r.Log)
		}
	}
}

// TestOtherLabels: that a row is dropped for an earlier one of its title or url is told where
// its label is lost by it: tables with a row for each label of a text lost all but the first.
func TestOtherLabels(t *testing.T) {
	for text, want := range map[string]string{
		"title,url,label\nOne,u1,crime\nOne,u2,sports\nTwo,u1,sports\nThree,u3,\nthree,u4,crime\n": "rows=3",
		"title,url,label\nOne,u1,crime\nOne,u2, Crime\nTwo,u1,\n":                                  "",
	} {
		r, err := files(t, 1, map[string]string{"a.csv": text}, "a.csv")
		if err != nil || r.Err != nil {
			t.Fatal(err, r)
		}
		_, told, found := strings.Cut(r.Log, "though their label is another")
		if found != (want != "") || !strings.Contains(told, want) {
			t.Errorf("%s:\n%s", text, r.Log)
		}
	}
}
