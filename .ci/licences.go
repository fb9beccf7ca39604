//go:build ignore

// Licences reads the licences of all modules whose packages are built or tested
// here, on any platform, from the module cache. It fails if a module has none,
// or a file holds another text than the licences that it knows: all of these may
// be shipped in a program under the Apache licence.
//
//	go run .ci/licences.go             # what each module is under
//	go run .ci/licences.go -texts      # the texts of what the program is built from
//	go run .ci/licences.go -sbom FILE  # writes the licences into a CycloneDX document
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licence is a text that is known by phrases that only it has.
type licence struct {
	id      string // of SPDX
	begins  string // counted: a file may hold a licence more than once
	phrases []string
	words   int // of the whole text
}

// known are the licences that may enter. What says more than these, as a clause
// against selling does, is unknown.
var known = []licence{
	{"Apache-2.0", "apache license version 2 0 january 2004", []string{"9 accepting warranty or additional liability"}, 1602},
	{"MIT", "permission is hereby granted free of charge to any person obtaining a copy", []string{"the software is provided as is without warranty of any kind"}, 170},
	{"BSD-3-Clause", "neither the name", []string{redistribution, disclaimer}, 222},
	{"BSD-2-Clause", redistribution, []string{disclaimer}, 192},
	{"ISC", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted", nil, 120},
	{"MPL-2.0", "mozilla public license version 2 0 1 definitions", []string{"exhibit b incompatible with secondary licenses notice"}, 2374},
}

const (
	redistribution = "redistribution and use in source and binary forms with or without modification are permitted"
	disclaimer     = "any express or implied warranties including but not limited to the implied warranties of merchantability"
)

// refused are clauses so short that they pass as names of copyright holders.
var refused = []string{"advertising materials mentioning", "shall be used for good not evil", "commons clause"}

// slack is how many words a file may have beside its licences: who holds the
// copyright, and of what.
const slack = 60

// platforms are those of a release, and the build with another tokenizer.
var platforms = [][]string{
	{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1"},
	{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1", "GOFLAGS=-tags=daulet"},
	{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"},
	{"GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0"},
	{"GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"},
}

var (
	named  = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-.].*)?$`)
	beside = regexp.MustCompile(`(?i)^(notice|patents|copyright|authors)([-.].*)?$`) // shipped, not judged
	symbol = regexp.MustCompile(`[^a-z0-9]+`)
)

// module is one with the files that say what it is under.
type module struct {
	path, version, dir string
	files              []string
	ids                []string
}

func main() {
	texts := flag.Bool("texts", false, "print the texts of what the program is built from")
	sbom := flag.String("sbom", "", "a CycloneDX document that gets the licences")
	flag.Parse()
	if err := run(*texts, *sbom); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(texts bool, sbom string) error {
	what := []string{"-test", "./..."}
	if texts || sbom != "" {
		what = []string{"./jobs/sprint"}
	}
	found, err := modules(what...)
	if err != nil {
		return err
	}
	var wrong []error
	byID := map[string][]string{}
	for _, m := range found {
		if err := m.judge(); err != nil {
			wrong = append(wrong, err)
		}
		byID[strings.Join(m.ids, " AND ")] = append(byID[strings.Join(m.ids, " AND ")], m.path)
	}
	switch {
	case len(wrong) > 0:
		return errors.Join(wrong...)
	case sbom != "":
		return describe(sbom, found)
	case texts:
		return printTexts(found)
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		fmt.Printf("%3d  %s\n", len(byID[id]), id)
	}
	return nil
}

// modules lists those of the packages that what names, with their files: those
// of the module and of each folder down to a package.
func modules(what ...string) ([]*module, error) {
	byPath := map[string]*module{}
	for _, env := range platforms {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"}, what...)...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list, %s: %w", strings.Join(env, " "), err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(f) != 4 {
				continue // a package of this module or of Go
			}
			m := byPath[f[0]]
			if m == nil {
				m = &module{path: f[0], version: f[1], dir: f[2]}
				byPath[f[0]] = m
			}
			for dir := f[3]; len(dir) >= len(m.dir); dir = filepath.Dir(dir) {
				if err := m.look(dir); err != nil {
					return nil, err
				}
			}
		}
	}
	out, err := exec.Command("go", "env", "GOVERSION", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	version, root, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	std := &module{path: "std", version: version, dir: root}
	if err := std.look(std.dir); err != nil {
		return nil, err
	}
	byPath[std.path] = std
	var all []*module
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		slices.Sort(byPath[path].files)
		all = append(all, byPath[path])
	}
	return all, nil
}

// look takes the files of a folder.
func (m *module) look(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s %s: %w", m.path, m.version, err)
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		source := filepath.Ext(e.Name()) == ".go" // licence.go may be about licences without being one
		if e.Type().IsRegular() && !source && (named.MatchString(e.Name()) || beside.MatchString(e.Name())) && !slices.Contains(m.files, file) {
			m.files = append(m.files, file)
		}
	}
	return nil
}

// judge finds what the module is under.
func (m *module) judge() error {
	var wrong []error
	root := false
	for _, file := range m.files {
		if base := filepath.Base(file); !named.MatchString(base) || strings.EqualFold(base, "LICENSE.docs") {
			continue // documentation under terms of its own is not built from
		}
		root = root || filepath.Dir(file) == m.dir
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		ids, err := classify(string(data))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s %s: %s: %w", m.path, m.version, file, err))
		}
		m.ids = append(m.ids, ids...)
	}
	if !root {
		wrong = append(wrong, fmt.Errorf("%s %s: no licence in %s", m.path, m.version, m.dir))
	}
	slices.Sort(m.ids)
	m.ids = slices.Compact(m.ids)
	return errors.Join(wrong...)
}

// classify names the licences of a text.
func classify(text string) (ids []string, err error) {
	text = symbol.ReplaceAllString(strings.ToLower(text), " ")
	for _, clause := range refused {
		if strings.Contains(text, clause) {
			return nil, fmt.Errorf("it says %q", clause)
		}
	}
	words, expected := len(strings.Fields(text)), 0
	count := map[string]int{}
	for _, l := range known {
		n := strings.Count(text, l.begins)
		for _, p := range l.phrases {
			n = min(n, strings.Count(text, p))
		}
		count[l.id] = n
	}
	count["BSD-2-Clause"] -= count["BSD-3-Clause"] // the one is within the other
	for _, l := range known {
		if n := count[l.id]; n > 0 {
			ids = append(ids, l.id)
			expected += n * l.words
		}
	}
	switch {
	case len(ids) == 0:
		return nil, errors.New("a text that is none of the licences known here")
	case words > expected+slack:
		return ids, fmt.Errorf("%d words more than %s has", words-expected, strings.Join(ids, " and "))
	}
	return ids, nil
}

// printTexts prints each text once, under the modules that have it.
func printTexts(found []*module) error {
	of := map[string][]string{}
	for _, m := range found {
		for _, file := range m.files {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			inside, err := filepath.Rel(m.dir, file)
			if err != nil {
				return err
			}
			of[string(data)] = append(of[string(data)], fmt.Sprintf("%s %s (%s)", m.path, m.version, filepath.ToSlash(inside)))
		}
	}
	texts := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return strings.Compare(of[a][0], of[b][0]) })
	fmt.Println("This program is built from the modules below, each under its own licence. The source\nof each is what its path and version name; none was changed.")
	for _, text := range texts {
		fmt.Printf("\n%s\n%s\n\n%s\n", strings.Repeat("=", 79), strings.Join(of[text], "\n"), strings.TrimRight(text, "\n"))
	}
	return nil
}

// describe writes the licences of a document's components into it.
func describe(file string, found []*module) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	byPath := map[string]*module{}
	for _, m := range found {
		byPath[m.path] = m
	}
	components, _ := doc["components"].([]any)
	for _, c := range components {
		component, _ := c.(map[string]any)
		path, _ := component["name"].(string)
		if path == "github.com/sprint-ml/sprint" {
			component["licenses"] = licences([]string{"Apache-2.0"})
			continue
		}
		m := byPath[path]
		if m == nil {
			return fmt.Errorf("%s names %s, which no package here is from", file, path)
		}
		component["licenses"] = licences(m.ids)
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o644)
}

// licences is the field of a component.
func licences(ids []string) []any {
	if len(ids) > 1 {
		return []any{map[string]any{"expression": strings.Join(ids, " AND ")}}
	}
	return []any{map[string]any{"license": map[string]any{"id": ids[0]}}}
}
