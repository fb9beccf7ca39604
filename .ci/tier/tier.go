// Tier prints which tests a build tag changes, as words for go test: a pattern of
// their names, then their packages. The others have run without the tag as they are.
//
// A test is changed if what it uses is declared in a file that the tag adds or
// removes, directly or by other declarations, also of other packages of this module.
// With one test, all of its package are where TestMain is changed too. Declarations
// are told apart by name alone, so a test may be named that is the same, and none
// that differs is left out.
//
//	go run ./.ci/tier e2e
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/sprint-ml/sprint"

// names is a set of "import path.name"; what a test file declares stands under
// "import path test.name", since nothing but tests of its package can use it.
type names map[string]bool

// declaration is one at the top level. A method is taken for its type's: who uses
// the method got the value from something that names the type.
type declaration struct {
	dir      string
	declares []string
	uses     names
}

// tree is what is built with the tag.
type tree struct {
	declarations []declaration
	changed      names
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: go run ./.ci/tier TAG")
		return 2
	}
	words, err := changedTests(args[0])
	if err != nil {
		fmt.Fprintln(stderr, "tier:", err)
		return 1
	}
	fmt.Fprintln(stdout, strings.Join(words, " "))
	return 0
}

// changedTests returns the pattern and the packages.
func changedTests(tag string) ([]string, error) {
	t := &tree{changed: names{}}
	if err := t.read(tag); err != nil {
		return nil, err
	}
	for t.spread() {
	}
	all, changed := map[string][]string{}, map[string]bool{} // by folder
	tests := names{}
	for _, d := range t.declarations {
		for _, n := range d.declares {
			name, test := strings.CutPrefix(n, scope(d.dir, true))
			if !test || !isTest(name) {
				continue
			}
			all[d.dir] = append(all[d.dir], name)
			if t.changed[n] {
				tests[name], changed[d.dir] = true, true
			}
		}
	}
	if len(tests) == 0 {
		return nil, errors.New("no test is changed by " + tag + ": is it a tag of this module?")
	}
	words := []string{""}
	for _, dir := range slices.Sorted(maps.Keys(changed)) {
		words = append(words, "./"+dir)
		if t.changed[scope(dir, true)+"TestMain"] {
			for _, name := range all[dir] {
				tests[name] = true
			}
		}
	}
	words[0] = "^(" + strings.Join(slices.Sorted(maps.Keys(tests)), "|") + ")$"
	return words, nil
}

func isTest(name string) bool {
	return name != "TestMain" && slices.ContainsFunc([]string{"Test", "Fuzz", "Example"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// scope is what the names that a folder's files declare begin with.
func scope(dir string, test bool) string {
	if test {
		return module + "/" + dir + " test."
	}
	return module + "/" + dir + "."
}

// read parses the module below this folder.
func (t *tree) read(tag string) error {
	with, without := build.Default, build.Default
	with.BuildTags = []string{tag}
	return filepath.WalkDir(".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if file != "." && (err == nil || strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		built, err := with.MatchFile(filepath.Dir(file), e.Name())
		if err != nil || !built {
			return err
		}
		always, err := without.MatchFile(filepath.Dir(file), e.Name())
		if err != nil {
			return err
		}
		return t.add(file, !always)
	})
}

// add takes the declarations of a file.
func (t *tree) add(file string, changed bool) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir, test := filepath.ToSlash(filepath.Dir(file)), strings.HasSuffix(file, "_test.go")
	in := source{scopes: []string{scope(dir, false)}, imports: map[string]string{}}
	if test {
		in.scopes = append(in.scopes, scope(dir, true))
	}
	for _, i := range parsed.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		name := path.Base(p)
		if i.Name != nil {
			name = i.Name.Name
		}
		in.imports[name] = p
	}
	for _, decl := range parsed.Decls {
		for _, d := range in.describe(decl) {
			d.dir = dir
			for i, n := range d.declares {
				d.declares[i] = scope(dir, test) + n
				t.changed[d.declares[i]] = t.changed[d.declares[i]] || changed
			}
			t.declarations = append(t.declarations, d)
		}
	}
	return nil
}

// source is a file: where the names may stand that it uses.
type source struct {
	scopes  []string
	imports map[string]string // path by name
}

// describe takes a group of constants, types or variables apart.
func (s source) describe(decl ast.Decl) []declaration {
	if f, ok := decl.(*ast.FuncDecl); ok {
		d := declaration{declares: []string{f.Name.Name}, uses: s.used(f)}
		if f.Recv != nil {
			d.declares = []string{receiver(f.Recv.List[0].Type)}
		}
		return []declaration{d}
	}
	var out []declaration
	for _, spec := range decl.(*ast.GenDecl).Specs {
		d := declaration{uses: s.used(spec)}
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			d.declares = []string{spec.Name.Name}
		case *ast.ValueSpec:
			for _, n := range spec.Names {
				d.declares = append(d.declares, n.Name)
			}
		}
		out = append(out, d)
	}
	return out
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return e.(*ast.Ident).Name
}

// used collects what a piece of source may name, save fields and methods.
func (s source) used(n ast.Node) names {
	out := names{}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && s.imports[x.Name] != "" {
				out[s.imports[x.Name]+"."+n.Sel.Name] = true
			}
			maps.Copy(out, s.used(n.X))
			return false
		case *ast.Ident:
			for _, p := range s.scopes {
				out[p+n.Name] = true
			}
		}
		return true
	})
	return out
}

// spread changes the declarations that use changed ones, and says whether there were any.
func (t *tree) spread() bool {
	found := false
	for _, d := range t.declarations {
		for _, n := range d.declares {
			if t.changed[n] || strings.HasSuffix(n, "._") {
				continue
			}
			for u := range d.uses {
				if t.changed[u] {
					t.changed[n], found = true, true
					break
				}
			}
		}
	}
	return found
}
