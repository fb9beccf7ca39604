package examples

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// unusedName is a name that this repository does not use: it says less than the
// word that is used instead, or it says what another word means here.
type unusedName struct {
	name    string // of a declaration in any case, or of a file or folder
	instead string
	under   string // where this goes: a folder, or how paths there begin
	// exact leaves longer names alone: these may hold a common word.
	exact bool
}

// unusedNames are checked in declarations of packages and members of types, and
// in the names of files and folders, under every build tag. Local variables are
// free.
var unusedNames = []unusedName{
	{name: "verdict", instead: "Decision: storage and stages have verdicts of gates", under: "jobs"},
	{name: "task", instead: "Node", under: "jobs"},
	{name: "look", instead: "lookup", under: "jobs/evaluate", exact: true},
	{name: "lookAhead", instead: "prefetch", under: "jobs"},
	{name: "ahead", instead: "prefetch", under: "jobs"},
	{name: "rely", instead: "decideAndMark", under: "jobs"},
	{name: "find", instead: "lookup", under: "jobs/evaluate", exact: true},
	{name: "judge", instead: "decide", under: "jobs/evaluate"},
	{name: "standing", instead: "Status", under: "jobs"},
	{name: "stand", instead: "Load", under: "jobs"},
	{name: "glance", instead: "LoadBrief", under: "jobs"},
	{name: "pulse", instead: "Liveness", under: "jobs"},
	{name: "soFar", instead: "Progress", under: "jobs"},
	{name: "uses", instead: "ReadSet", under: "jobs/runs", exact: true},
	{name: "used", instead: "ReadSet", under: "jobs/runs", exact: true},
	{name: "patience", instead: "retryBudget", under: "jobs"},
	{name: "again", instead: "retryAfter", under: "jobs", exact: true},
	{name: "attend", instead: "announce", under: "jobs"},
	{name: "heed", instead: "watchCancel", under: "jobs"},
	{name: "chunk", instead: "logWriter", under: "jobs"},
	{name: "performer", instead: "inProcess", under: "jobs"},
	{name: "notebook", instead: "notes", under: "jobs"},
	{name: "walk.go", instead: "schedule.go", under: "jobs"},
	{name: "try.go", instead: "attempt.go", under: "jobs"},
	{name: "hold.go", instead: "lease.go", under: "jobs"},
	{name: "reach.go", instead: "reachable.go", under: "jobs"},
	{name: "seal.go", instead: "record.go", under: "jobs"},
	{name: "alive.go", instead: "Liveness in status.go", under: "jobs/runs"},
	{name: "nearest.go", instead: "earlier.go", under: "jobs"},

	{name: "said", instead: "messages", under: "storage"},
	{name: "behind", instead: "asyncHash", under: "storage"},
	{name: "stranger", instead: "denied probe", under: "storage"},
	{name: "whole.go", instead: "present.go of the package check", under: "storage"},
	{name: "mover", instead: "bulkTransfer", under: "storage"},
	{name: "audit", instead: "verify", under: "storage"},

	{name: "near.go", instead: "the package dedup", under: "stages/rows"},
	{name: "shingle.go", instead: "the package dedup", under: "stages/rows"},
	{name: "union.go", instead: "the package dedup", under: "stages/rows"},
	{name: "apart", instead: "overlap", under: "stages"},
	{name: "seen.go", instead: "time.go", under: "stages/rows"},
	{name: "mend.go", instead: "json_repair.go", under: "stages/rows"},
	{name: "footer.go", instead: "the package parquet", under: "stages/rows"},
	{name: "pages.go", instead: "the package parquet", under: "stages/rows"},
	{name: "board", instead: "assembly", under: "stages/label"},
	{name: "ruled", instead: "RulesBeside", under: "stages"},
	{name: "with_rules.go", instead: "RulesBeside", under: "stages"},
	{name: "decided", instead: "RulesBeside", under: "stages/train"},
	{name: "share", instead: "RulesBeside", under: "stages/train", exact: true},
	{name: "parting", instead: "partition", under: "stages/split"},
	{name: "part", instead: "partition", under: "stages/split", exact: true},
	{name: "proof", instead: "integrity", under: "stages/verify"},
	{name: "veil", instead: "redactor", under: "stages/program"},
	{name: "strays", instead: "orphans", under: "stages/program"},
	{name: "demand", instead: "resources", under: "stages", exact: true},

	{name: "faint", instead: "the number that it is", under: "ml/metrics"},
	{name: "coldest", instead: "the number that it is", under: "ml/metrics"},
	{name: "hottest", instead: "the number that it is", under: "ml/metrics"},
	{name: "confident", instead: "labelnoise", under: "ml", exact: true},
	{name: "judge", instead: "OutOfFold", under: "ml/labelnoise"},
	{name: "suspects", instead: "Issues", under: "ml"},
	{name: "vote", instead: "labelmodel", under: "ml/vote", exact: true},
	{name: "cut", instead: "accumulation steps", under: "ml/train", exact: true},
	{name: "micro", instead: "accumulation steps", under: "ml/train", exact: true},
	{name: "halve", instead: "accumulation steps", under: "ml/train"},
	{name: "part", instead: "accumulation steps", under: "ml/train", exact: true},
	{name: "boundary", instead: "frozenCache", under: "ml/train"},
	{name: "held", instead: "frozenCache", under: "ml/train", exact: true},
	{name: "hold", instead: "frozenCache", under: "ml/train", exact: true},
	{name: "below", instead: "frozenCache", under: "ml/train", exact: true},
	{name: "rehearse", instead: "WarmUp", under: "ml"},
	{name: "next", instead: "Step", under: "ml/train", exact: true},
	{name: "layOut", instead: "collate", under: "ml/train"},
	{name: "hide", instead: "wordDropout", under: "ml/train"},
	{name: "hider", instead: "wordDropout", under: "ml/train"},
	{name: "sum", instead: "the gradient program", under: "ml/train/program", exact: true},
	{name: "apply", instead: "the update program", under: "ml/train/program", exact: true},
	{name: "lanes", instead: "scan", under: "ml/keywords"},
	{name: "judge", instead: "result", under: "ml/keywords"},
	{name: "interpose.go", instead: "the package xla", under: "ml/device"},
	{name: "donate.go", instead: "the package xla", under: "ml/device"},
	{name: "flags.go", instead: "the package xla", under: "ml/device"},
	{name: "programs.go", instead: "the package xla", under: "ml/device"},
	{name: "faultstore", instead: "faults", under: "storage"},
}

// declared is a name with its place.
type declared struct{ name, at string }

// TestNoUnusedName: a name that this repository does not use is nowhere.
func TestNoUnusedName(t *testing.T) {
	names := declarations(t, "..")
	if len(names) < 5000 {
		t.Fatalf("only %d names were found", len(names))
	}
	for _, d := range names {
		for _, u := range unusedNames {
			if u.goesFor(d) && u.matches(d.name) {
				t.Errorf("%s: %s is not used here; use %s", d.at, d.name, u.instead)
			}
		}
	}
}

// TestUnusedNamesAreFound: the check sees a name in each case, with another word
// beside it, and as a file; it leaves a longer word alone.
func TestUnusedNamesAreFound(t *testing.T) {
	chunk, used := unusedName{name: "chunk"}, unusedName{name: "used", exact: true}
	for name, want := range map[string]bool{"chunk": true, "Chunk": true, "newChunk": true, "chunkKey": true, "chunk.go": true, "chunk_test.go": true, "big_chunk.go": true, "chunky": false} {
		if got := chunk.matches(name); got != want {
			t.Errorf("chunk is in %s: %v", name, got)
		}
	}
	for name, want := range map[string]bool{"used": true, "Used": true, "usedBy": false, "unused": false, "used.go": true} {
		if got := used.matches(name); got != want {
			t.Errorf("used is %s: %v", name, got)
		}
	}
}

// goesFor reports whether a name stands where u is checked: below the folder, and
// a file right in it.
func (u unusedName) goesFor(d declared) bool {
	if path.Ext(u.name) == ".go" {
		return path.Dir(d.at) == u.under
	}
	return strings.HasPrefix(d.at, u.under)
}

// matches reports whether a declaration, file or folder has the name.
func (u unusedName) matches(name string) bool {
	if file, ok := strings.CutSuffix(u.name, ".go"); ok {
		return strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test") == file && strings.HasSuffix(name, ".go")
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
	have, want := words(name), words(u.name)
	if u.exact {
		return slices.Equal(have, want)
	}
	for i := range len(have) - len(want) + 1 {
		if slices.Equal(have[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

// words splits a name in lower case where a capital or an underscore begins a
// new one.
func words(name string) []string {
	var out []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range name {
		if r == '_' || unicode.IsUpper(r) {
			end()
		}
		if r != '_' {
			word.WriteRune(unicode.ToLower(r))
		}
	}
	end()
	return out
}

// declarations returns all names of files, folders and packages, of what is
// declared in packages, and of fields and methods. Build constraints do not
// matter: files are parsed, not built.
func declarations(t *testing.T, root string) []declared {
	t.Helper()
	var out []declared
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "testdata" || d.Name() == "bin" {
				return filepath.SkipDir
			}
			out = append(out, declared{d.Name(), rel})
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		out = append(out, declared{d.Name(), rel})
		file, err := parser.ParseFile(set, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		add := func(id *ast.Ident) {
			out = append(out, declared{id.Name, fmt.Sprintf("%s:%d", rel, set.Position(id.Pos()).Line)})
		}
		add(file.Name)
		for _, decl := range file.Decls {
			addDeclaration(decl, add)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func addDeclaration(decl ast.Decl, add func(*ast.Ident)) {
	f, ok := decl.(*ast.FuncDecl)
	if ok {
		add(f.Name)
		return
	}
	for _, spec := range decl.(*ast.GenDecl).Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			for _, id := range s.Names {
				add(id)
			}
		case *ast.TypeSpec:
			add(s.Name)
			ast.Inspect(s.Type, func(n ast.Node) bool {
				if _, isFunc := n.(*ast.FuncType); isFunc {
					return false // parameters
				}
				if field, ok := n.(*ast.Field); ok {
					for _, id := range field.Names {
						add(id)
					}
				}
				return true
			})
		}
	}
}
