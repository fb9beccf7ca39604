package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

var (
	// quotedLine is a command line in the prose of a message, shownLine one that
	// stands on a line of its own, or is a message of its own.
	quotedLine = regexp.MustCompile("`(sprint [^`]+)`")
	shownLine  = regexp.MustCompile(`(?m)^ *(sprint [a-z][a-z-]*(?: .*)?)$`)
	verb       = regexp.MustCompile(`%[-+#]?[0-9.]*[a-z]`)
	// prose is what begins like a command line and is none.
	prose = regexp.MustCompile(`^sprint (knows|reads|built|program|runs the stages|report$|doctor --store URL shows)`)
)

// TestShownCommandLines: every command line that any message prints is one of
// this program, with flags that its command has.
func TestShownCommandLines(t *testing.T) {
	shown := 0
	check := func(at token.Position, line string) {
		shown++
		words := strings.Fields(verb.ReplaceAllString(strings.TrimPrefix(line, "sprint "), "x"))
		if err := checkShown(words); err != nil {
			t.Errorf("%s: %q: %v", at, line, err)
		}
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if words, ok := lineOf(n); ok {
				check(set.Position(n.Pos()), "sprint "+strings.Join(words, " "))
				return false
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				for _, m := range quotedLine.FindAllStringSubmatch(text, -1) {
					check(set.Position(lit.Pos()), m[1])
				}
				for _, m := range shownLine.FindAllStringSubmatch(text, -1) {
					for line := range strings.SplitSeq(m[1], " && ") {
						if !prose.MatchString(line) {
							check(set.Position(lit.Pos()), line)
						}
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown < 40 {
		t.Errorf("%d command lines were found", shown)
	}
}

// checkShown finds the command of a line and parses its flags. How many arguments
// it has is no matter: prose names commands alone.
func checkShown(words []string) error {
	root := newRoot(&app.App{})
	root.InitDefaultHelpCmd()
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return fmt.Errorf("%s has no command %s", cmd.CommandPath(), args[0])
	}
	return nil
}

// lineOf are the words of an expression that makes a commandline.Line; an x stands
// for what is not constant.
func lineOf(n ast.Node) (words []string, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall {
		return nil, false
	}
	f, isSelector := call.Fun.(*ast.SelectorExpr)
	if !isSelector {
		return nil, false
	}
	word := func(e ast.Expr) string {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			return strings.ReplaceAll(text, " ", "_")
		}
		return "x"
	}
	if pkg, isIdent := f.X.(*ast.Ident); isIdent && pkg.Name == "commandline" && f.Sel.Name == "Of" {
		if call.Ellipsis.IsValid() {
			return nil, false
		}
	} else if words, ok = lineOf(f.X); !ok {
		return nil, false
	}
	switch f.Sel.Name {
	case "Of", "With":
		for _, a := range call.Args {
			words = append(words, word(a))
		}
	case "Flag":
		words = append(words, "--"+word(call.Args[0]), word(call.Args[1]))
	case "String":
	default:
		return nil, false
	}
	return words, true
}
