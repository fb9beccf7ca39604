//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyRows is a file of rows that takes classify some seconds.
func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\":\"%d\",\"title\":\"%s %d closes the harbour\",\"description\":%q}\n", i, []string{"Blaze", "Bank", "Calm sea"}[i%3], i, strings.Repeat("word ", 40))
	}
	return b.String()
}

// TestClassifyGoesOn: a classify that is killed leaves nothing under the name of its output;
// with --resume the file has the bytes of one that was not killed, and a changed input, model or
// flag is refused.
func TestClassifyGoesOn(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"})
	text := manyRows(30_000)
	write(t, dir, map[string]string{"rows.jsonl": text})
	words := []string{"classify", "--device", "go", "--model", "./", "--input", "rows.jsonl", "--output"}
	if code, _, said := exec(t, dir, append(words, "whole.csv")...); code != 0 || !strings.Contains(said, "30000 rows answered: 30000 by keywords") {
		t.Fatalf("code %d: %s", code, said)
	}
	want := bytesOf(t, filepath.Join(dir, "whole.csv"))
	p := startProgram(t, dir, append(words, "answers.csv", "--resume")...)
	partial := filepath.Join(dir, "answers.csv.partial")
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(partial); err == nil && info.Size() > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no partial file in a minute: " + p.said.String())
		}
	}
	_ = p.Process.Signal(syscall.SIGTERM) // it keeps what is whole
	if code := p.code(t); code == 75 {
		if _, err := os.Stat(filepath.Join(dir, "answers.csv")); err == nil {
			t.Error("half of the answers have their name")
		}
		if !strings.Contains(p.said.String(), "--resume goes on") {
			t.Errorf("it does not say how to go on: %s", p.said.String())
		}
		if strings.Contains(p.said.String(), "the same command continues") {
			t.Errorf("without --resume it begins anew: %s", p.said.String())
		}
		write(t, dir, map[string]string{"rows.jsonl": text + "{\"title\":\"one more\"}\n"})
		if code, _, said := exec(t, dir, append(words, "answers.csv", "--resume")...); code != 2 || !strings.Contains(said, "another input") {
			t.Errorf("a changed input: code %d: %s", code, said)
		}
		write(t, dir, map[string]string{"rows.jsonl": text})
		if code, _, said := exec(t, dir, append(words, "answers.csv", "--resume", "--all")...); code != 2 || !strings.Contains(said, "other flags (all false, now true)") {
			t.Errorf("another flag: code %d: %s", code, said)
		}
		write(t, dir, map[string]string{"thresholds.json": `{"fire":0.9}`})
		if code, _, said := exec(t, dir, append(words, "answers.csv", "--resume")...); code != 2 || !strings.Contains(said, "another model, or of other rules") {
			t.Errorf("another model: code %d: %s", code, said)
		}
		write(t, dir, map[string]string{"thresholds.json": "{}"})
	} else if code != 0 {
		t.Fatalf("code %d: %s", code, p.said.String())
	}
	code, _, said := exec(t, dir, append(words, "answers.csv", "--resume")...)
	if code != 0 || bytesOf(t, filepath.Join(dir, "answers.csv")) != want {
		t.Errorf("code %d, other bytes than of one that was not killed: %s", code, said)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*partial*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func bytesOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestClassifyBadPlaces: what cannot be read or written ends with its code, a hint, and
// nothing half.
func TestClassifyBadPlaces(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "rows.jsonl": classifyInput, "wide.csv": strings.Repeat("a,", 1_000_000) + "title\n" + strings.Repeat("1,", 1_000_000) + "Blaze\n",
		"long.jsonl": "{\"id\":\"1\",\"title\":\"" + strings.Repeat("Blaze ", 2_000_000) + "\"}\n{\"id\":\"2\",\"title\":\"Blaze\"}\n"})
	if err := os.Mkdir(filepath.Join(dir, "folder.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags string
		code  int
		want  string
	}{
		"no folder":       {"--input rows.jsonl --output none/a.csv", 4, "cannot write the answers"},
		"a folder":        {"--input rows.jsonl --output folder.csv", 4, "is a folder"},
		"no bucket":       {"--input rows.jsonl --output s3://127.0.0.1:1/a.csv?endpoint=http://127.0.0.1:1&region=us-east-1&anonymous=true&use_path_style=true", 4, "cannot write the answers"},
		"no input":        {"--input none.csv --output a.csv", 2, "cannot read --input"},
		"itself":          {"--input rows.jsonl --output file://" + dir + "/rows.jsonl", 2, "is the file of the input"},
		"resume stdin":    {"--output a.csv --resume", 2, "name both"},
		"resume stdout":   {"--input rows.jsonl --resume", 2, "name both"},
		"a long row":      {"--input long.jsonl --output a.csv", 1, "1 of 2 rows could not be classified; the first is row 1: "},
		"a million names": {"--input wide.csv --output a.csv", 1, "header of the csv file"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"classify", "--device", "go", "--model", "./"}, strings.Fields(c.flags)...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: code %d, want %d: %.600s", name, code, c.code, stderr)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*partial*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	// A model that goes away while it answers has been read: its answers come.
	in, out := io.Pipe()
	go func() {
		fmt.Fprint(out, "{\"title\":\"Blaze\"}\n")
		for _, name := range []string{"taxonomy.yaml", "thresholds.json"} {
			_ = os.Remove(filepath.Join(dir, name))
		}
		fmt.Fprint(out, "{\"title\":\"Blaze\"}\n")
		out.Close()
	}()
	t.Chdir(dir)
	var said, stdout bytes.Buffer
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	if code := run(t.Context(), []string{"classify", "--device", "go", "--model", "./", "--format", "jsonl"}, env, in, &stdout, &said); code != 0 || strings.Count(stdout.String(), `"top":"fire"`) != 2 {
		t.Errorf("a model that goes away: code %d: %s%s", code, stdout.String(), said.String())
	}
}

// TestKilledClassifyGoesOn: a classify that dies at once after it recorded what is whole
// leaves a file from which --resume makes the bytes of one that was not killed.
func TestKilledClassifyGoesOn(t *testing.T) {
	dir := t.TempDir()
	publishToy(t, filepath.Join(dir, "store"), "a")
	write(t, dir, map[string]string{"rows.jsonl": manyRows(killedRows)})
	words := []string{"classify", "--store", "store", "--model", "toy", "--device", "go", "--input", "rows.jsonl", "--output"}
	for _, ext := range []string{"csv", "jsonl", "parquet"} {
		if code, _, said := exec(t, dir, append(words, "whole."+ext)...); code != 0 || !strings.Contains(said, "by toy@1") {
			t.Fatalf("code %d: %s", code, said)
		}
		name := "answers." + ext
		p := startProgram(t, dir, append(words, name)...)
		record := filepath.Join(dir, name+".partial.json")
		appears := func(path string) {
			t.Helper()
			for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				if _, err := os.Stat(path); err == nil {
					return
				}
				if time.Now().After(end) || strings.Contains(p.said.String(), "rows answered") {
					t.Fatalf("no %s: %s", path, p.said.String())
				}
			}
		}
		appears(filepath.Join(dir, name+".partial"))
		// It sleeps over the time of a record, and makes one when it goes on.
		_ = p.Process.Signal(syscall.SIGSTOP)
		time.Sleep(2200 * time.Millisecond)
		_ = p.Process.Signal(syscall.SIGCONT)
		appears(record)
		_ = p.Process.Kill()
		if code := p.code(t); code != -1 {
			t.Fatalf("code %d, it had %d rows and was not killed: %s", code, killedRows, p.said.String())
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Error("half of the answers have their name")
		}
		// A death between the bytes and their record leaves more than that says.
		partial := filepath.Join(dir, name+".partial")
		write(t, dir, map[string]string{name + ".partial": bytesOf(t, partial) + "half an ans"})
		code, _, said := exec(t, dir, append(words, name, "--resume")...)
		if code != 0 || !strings.Contains(said, "rows are answered already") || bytesOf(t, filepath.Join(dir, name)) != bytesOf(t, filepath.Join(dir, "whole."+ext)) {
			t.Errorf("code %d, or other bytes than of one that was not killed: %s", code, said)
		}
	}
}

// killedRows take longer than what is done until the first record.
const killedRows = 40_000

// TestModelGoesAway: a model whose release is deleted while it answers goes on answering;
// keywords never do in its place.
func TestModelGoesAway(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	publishToy(t, store, "a")
	if code, _, stderr := exec(t, dir, "artifacts", "get", "--store", "store", "toy@1", "release"); code != 0 {
		t.Fatal(stderr)
	}
	for ref, gone := range map[string][]string{"./release": {"release"}, "toy@1": {"store/models", "store/blobs"}} {
		in, out := io.Pipe()
		go func() {
			fmt.Fprint(out, "{\"title\":\"Blaze\"}\n")
			for _, name := range gone {
				_ = os.RemoveAll(filepath.Join(dir, name))
			}
			fmt.Fprint(out, "{\"title\":\"Blaze again\"}\n")
			out.Close()
		}()
		t.Chdir(dir)
		var said, stdout bytes.Buffer
		env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
		code := run(t.Context(), []string{"classify", "--device", "go", "--store", "store", "--model", ref, "--format", "jsonl"}, env, in, &stdout, &said)
		if code != 0 || strings.Count(stdout.String(), `"source":"model"`) != 2 {
			t.Errorf("%s: code %d: %s%s", ref, code, stdout.String(), said.String())
		}
		if _, err := os.Stat(filepath.Join(dir, gone[0])); err == nil {
			t.Errorf("%s is still there", gone[0])
		}
	}
}
