package answers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

var origin = Origin{Input: "sha256:1", Model: "keywords", Options: "{}"}

// writeAnswers answers about rows begin to end of a long input, in batches of 100, and
// stops there as a kill does, or commits the file after the last one of all.
func writeAnswers(t *testing.T, name string, resume bool, end, all int) Counts {
	t.Helper()
	return writeAnswersIn(t, name, t.TempDir(), resume, end, all)
}

func writeAnswersIn(t *testing.T, name, cache string, resume bool, end, all int) Counts {
	t.Helper()
	tax, _ := taxonomy.Parse([]byte("categories: [{name: fire, tags: [red], rules: [{words: [blaze], tag: red}]}]\n"))
	f, err := CreateFile(name, cache, origin, resume)
	if err != nil {
		t.Fatal(err)
	}
	f.every = 0
	format, _ := rows.FormatOf(name)
	w := &Writer{Classifier: classify.New(tax), Counts: f.Begun(), Keep: f.Keep, Open: func() (Sink, error) {
		return f.Open(Shape{Format: format, Taxonomy: tax, part: 250})
	}}
	begun := w.Rows
	for i := begun; i < end; i++ {
		r := &rows.Row{ID: fmt.Sprint(i), Title: fmt.Sprintf("Blaze number %d", i)}
		switch i % 7 {
		case 3:
			r.Title = "Calm sea"
		case 5:
			r.Problem = "no title"
		}
		err := w.Row(t.Context(), r)
		if err == nil && (i+1)%100 == 0 {
			err = w.Flush(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if end < all { // the process is killed: what was not flushed is lost
		_ = f.out.Flush()
		f.f.Close()
		return f.Begun()
	}
	if err := errors.Join(w.Flush(t.Context()), f.Commit(t.Context(), w.Counts)); err != nil {
		t.Fatal(err)
	}
	if kept := f.Close(w.Whole()); kept != 0 {
		t.Errorf("%d rows are kept of a file that is whole", kept)
	}
	if want := (Counts{Rows: all, Bad: (all + 1) / 7, Keywords: all - (all+1)/7}); w.Counts != want {
		t.Errorf("counts %+v, want %+v", w.Counts, want)
	}
	return f.Begun()
}

// TestResume: a file that was given up anywhere and gone on with has the bytes of one that
// was written at once, in each format, and nothing is seen under its name before.
func TestResume(t *testing.T) {
	const all = 1203
	for _, format := range []string{"jsonl", "csv", "parquet"} {
		dir := t.TempDir()
		whole := filepath.Join(dir, "whole."+format)
		writeAnswers(t, whole, false, all, all)
		want, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "answers."+format)
		for i, stops := range [][]int{{100}, {0, 99, 730}, {249, 250, 251, 1100, 1200, 1202}} {
			last := 0
			for k, stop := range stops {
				writeAnswers(t, name, k > 0, stop, all)
				if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) && i == 0 {
					t.Errorf("%s: a file that is not whole has its name: %v", format, err)
				}
				last = stop
			}
			begun := writeAnswers(t, name, true, all, all)
			if least := last - last%100; begun.Rows < least {
				t.Errorf("%s after %v: %d rows were taken up, want at least %d", format, stops, begun.Rows, least)
			}
			got, err := os.ReadFile(name)
			if err != nil || string(got) != string(want) {
				t.Errorf("%s after %v: %v, %d bytes are not the %d of a file written at once", format, stops, err, len(got), len(want))
			}
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*partial*")); len(left) > 0 {
			t.Errorf("%s left %v", format, left)
		}
	}
}

// TestResumeRefuses: what is of another origin, or damaged, or written by another process
// now, is not gone on with, and without resume it is begun anew.
func TestResumeRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "100%d.csv")
	for want, spoil := range map[string]func(o *Origin){
		name + ".partial: its answers are about another input": func(o *Origin) { o.Input = "sha256:2" },
		"another model":                          func(o *Origin) { o.Model = "model" },
		"other flags (all by default, now true)": func(o *Origin) { o.Options = `{"all":true}` },
		"flags (all by default, now true)": func(o *Origin) {
			data, err := os.ReadFile(name + ".partial.json")
			if err == nil {
				err = os.WriteFile(name+".partial.json", bytes.Replace(data, []byte(`"{}"`), []byte(`"null"`), 1), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			o.Options = `{"all":true}`
		},
		"not those that were": func(*Origin) { spoilFile(t, name+".partial") },
		"cannot read":         func(*Origin) { spoilFile(t, name+".partial.json") },
		"by another process":  func(*Origin) { hold(t, name+".partial") },
	} {
		writeAnswers(t, name, false, 500, 501)
		o := origin
		spoil(&o)
		f, err := CreateFile(name, "", o, true)
		if err == nil {
			f.f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if failure, ok := errors.AsType[*stages.Failure](err); !ok || failure.Hint == "" {
			t.Errorf("%s: %#v has no hint", want, err)
		}
		_ = os.Remove(name + ".partial") // and its lock
	}
	writeAnswers(t, name, false, 500, 501)
	f, err := CreateFile(name, "", origin, false)
	if err != nil || f.Abandoned != 500 || f.Begun().Rows != 0 {
		t.Fatalf("%v: %+v", err, f)
	}
	if f.Close(Counts{}); len(glob(t, name+"*")) > 0 {
		t.Errorf("a file without answers left %v", glob(t, name+"*"))
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// spoilFile changes a byte of a file.
func spoilFile(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 0x80
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hold locks a file until the test ends.
func hold(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil || !lock(f) {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}

// TestFileOfAStore: answers go into a bucket whole, under a key of any letters, and an input
// is read from there, once or again. What a killed process left goes on too.
func TestFileOfAStore(t *testing.T) {
	bucket, query, _ := strings.Cut(storagetest.S3URL(t, nil)(), "?")
	for _, format := range []string{"csv", "parquet"} {
		name := bucket + "/Answers/date=2026-11-29/A b." + format + "?" + query
		cache := t.TempDir()
		write := func(resume bool, end int) { writeAnswersIn(t, name, cache, resume, end, 1203) }
		write(false, 700)
		if _, err := OpenSource(t.Context(), name, false); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("a file that is not whole: %v", err)
		}
		write(true, 1203)
		here := filepath.Join(t.TempDir(), "here."+format)
		writeAnswers(t, here, false, 1203, 1203)
		want, err := os.ReadFile(here)
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []bool{false, true} {
			in, err := OpenSource(t.Context(), name, again)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := in.Digest(t.Context())
			got, err2 := io.ReadAll(in)
			if err != nil || err2 != nil || string(got) != string(want) || (digest != "") != (again || format == "parquet") {
				t.Errorf("%s: %v %v, %d bytes, want %d, digest %q", format, err, err2, len(got), len(want), digest)
			}
			in.Close()
		}
		if left := glob(t, cache+"/classify/*"); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}
