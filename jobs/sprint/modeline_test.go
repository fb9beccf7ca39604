package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// modeline is the line by which editors find the schema of a file.
var modeline = regexp.MustCompile(`^# yaml-language-server: \$schema=https://raw\.githubusercontent\.com/sprint-ml/sprint/main/(\S+)\n`)

// TestInitNamesSchemas: what init writes tells editors a schema that is in this repository.
func TestInitNamesSchemas(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"tickets.csv": string(authored(t, "tickets", 1, 120)), "texts.jsonl": string(authored(t, "texts", 1, 60))})
	for _, args := range [][]string{{"init", "sample"}, {"init", "films", "--template", "sentiment"}, {"init", "desk", "--template", "support"}, {"init", "labels", "--from", "tickets.csv"}, {"init", "texts", "--from", "texts.jsonl"}} {
		if code, _, stderr := exec(t, dir, args...); code != 0 {
			t.Fatalf("%v: code %d: %s", args, code, stderr)
		}
		for _, name := range []string{"plan", "taxonomy"} {
			data, err := os.ReadFile(filepath.Join(dir, args[1], name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			m := modeline.FindSubmatch(data)
			if m == nil || filepath.Base(string(m[1])) != name+".schema.json" {
				t.Errorf("%v: %s.yaml begins with %.90q", args, name, data)
				continue
			}
			if _, err := os.Stat(filepath.Join(here, "../..", string(m[1]))); err != nil {
				t.Error(err)
			}
		}
	}
}
