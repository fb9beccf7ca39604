//go:build ignore

// Sizes prints how large each package is: its lines without tests, the lines
// of code among them, its largest file and its longest function. With -check
// it names only what is over a limit, and fails if anything is.
//
//	go run .ci/sizes.go [-check] [-code] [folder]
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// The limits, in lines. Comments count, except in functions.
const (
	maxPackage  = 2500
	maxFile     = 400
	maxFunction = 60
)

// exceptions are packages, files and functions that may be longer, each with its
// reason; a function is "file.go:Name" or "file.go:Type.Name". Tests, what only
// tests import and generated files have no limits: a test may be a long story.
var exceptions = map[string]string{}

// size is what is counted of a file.
type size struct {
	lines, code int
	functions   []function
}

type function struct {
	name  string
	line  int
	lines int // of its body, without comments
}

func main() {
	check := flag.Bool("check", false, "name only what is over a limit, and fail if anything is")
	code := flag.Bool("code", false, "print only the lines of code, by package and in all")
	flag.Parse()
	root := cmp.Or(flag.Arg(0), ".")
	files, err := count(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
	switch {
	case *check:
		wrong := violations(files)
		for _, w := range wrong {
			fmt.Println(w)
		}
		if len(wrong) > 0 {
			os.Exit(1)
		}
	default:
		table(files, *code)
	}
}

// count reads every Go file below a folder that is neither a test nor
// generated.
func count(root string) (map[string]size, error) {
	files := map[string]size{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		s, generated, err := measure(text)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if !generated {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(rel)] = s
		}
		return nil
	})
	return files, err
}

func measure(text []byte) (s size, generated bool, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return s, false, err
	}
	s.lines = bytes.Count(text, []byte("\n"))
	code := codeLines(text)
	s.code = len(code)
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		first, last := set.Position(f.Body.Lbrace).Line, set.Position(f.Body.Rbrace).Line
		lines := max(last-first-1, 0)
		for _, group := range file.Comments {
			for _, c := range group.List {
				from, to := set.Position(c.Pos()).Line, set.Position(c.End()).Line
				for l := max(from, first+1); l <= min(to, last-1); l++ {
					if !code[l] {
						lines--
					}
				}
			}
		}
		s.functions = append(s.functions, function{name: functionName(f), line: set.Position(f.Pos()).Line, lines: lines})
	}
	return s, ast.IsGenerated(file), nil
}

// codeLines are the lines that hold a token which is no comment.
func codeLines(text []byte) map[int]bool {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		first := file.Line(pos)
		for l := range 1 + strings.Count(literal, "\n") {
			lines[first+l] = true
		}
	}
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// violations are the packages, files and functions over their limits, and the
// exceptions that nothing needs.
func violations(files map[string]size) []string {
	var out []string
	needed := map[string]bool{}
	over := func(key, what string, lines, limit int) {
		if lines <= limit {
			return
		}
		if _, ok := exceptions[key]; ok {
			needed[key] = true
			return
		}
		out = append(out, fmt.Sprintf("%s: %d lines, at most %d", what, lines, limit))
	}
	packages := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if forTests(path.Dir(name)) {
			continue
		}
		packages[path.Dir(name)] += f.lines
		over(name, name, f.lines, maxFile)
		for _, fn := range f.functions {
			over(name+":"+fn.name, fmt.Sprintf("%s:%d: %s", name, fn.line, fn.name), fn.lines, maxFunction)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		over(name, "package "+name, packages[name], maxPackage)
	}
	for _, key := range slices.Sorted(maps.Keys(exceptions)) {
		if !needed[key] {
			out = append(out, key+": is within the limits: remove its exception")
		}
	}
	return out
}

// forTests reports whether only tests import a package: its folder, or one
// around it, is named so.
func forTests(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool { return strings.HasSuffix(part, "test") })
}

// table prints the packages, and their sum.
func table(files map[string]size, codeOnly bool) {
	type row struct {
		lines, code, files int
		largest            string
		longest            function
	}
	rows := map[string]*row{}
	var all row
	tests := 0 // lines of code that only tests import
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, dir := files[name], path.Dir(name)
		r := rows[dir]
		if r == nil {
			r = &row{largest: name}
			rows[dir] = r
		}
		r.lines, r.code, r.files = r.lines+f.lines, r.code+f.code, r.files+1
		all.lines, all.code, all.files = all.lines+f.lines, all.code+f.code, all.files+1
		if forTests(dir) {
			tests += f.code
		}
		if f.lines > files[r.largest].lines {
			r.largest = name
		}
		for _, fn := range f.functions {
			if fn.lines > r.longest.lines {
				r.longest = fn
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	if codeOnly {
		for _, dir := range slices.Sorted(maps.Keys(rows)) {
			fmt.Fprintf(w, "%s\t%6d\n", dir, rows[dir].code)
		}
		fmt.Fprintf(w, "for tests\t%6d\n", tests)
		fmt.Fprintf(w, "production\t%6d\n", all.code-tests)
		return
	}
	fmt.Fprintln(w, "package\tfiles\tlines\tcode\tlargest file\tlongest function")
	for _, dir := range slices.Sorted(maps.Keys(rows)) {
		r := rows[dir]
		fmt.Fprintf(w, "%s\t%5d\t%5d\t%5d\t%s %d\t%s %d\n", dir, r.files, r.lines, r.code, path.Base(r.largest), files[r.largest].lines, r.longest.name, r.longest.lines)
	}
	fmt.Fprintf(w, "all\t%5d\t%5d\t%5d\n", all.files, all.lines, all.code)
}
