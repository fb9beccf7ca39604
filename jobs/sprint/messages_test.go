package main

import (
	"errors"
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
	"unicode"

	"github.com/spf13/pflag"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

var (
	// quotedLine is a command line in the prose of a message, shownLine one that
	// stands on a line of its own, or is a message of its own.
	quotedLine = regexp.MustCompile("`(sprint [^`]+)`")
	shownLine  = regexp.MustCompile(`(?m)^ *(sprint [a-z][a-z-]*(?: .*)?)$`)
	verb       = regexp.MustCompile(`%[-+#]?[0-9.]*[a-z]`)
	// prose is what begins like a command line and is none.
	prose = regexp.MustCompile(`^sprint (knows|reads|built|program|runs the stages|report$|taxonomy$|doctor --store URL shows)`)
)

// TestShownCommandLines: every command line that any message prints is one of
// this program, with flags that its command has.
func TestShownCommandLines(t *testing.T) {
	shown := 0
	check := func(at token.Position, line string) {
		shown++
		words := shellWords(t, verb.ReplaceAllString(strings.TrimPrefix(line, "sprint "), "x"))
		if err := checkShown(words); err != nil {
			t.Errorf("%s: %q: %v", at, line, err)
		}
	}
	eachNode(t, func(at token.Position, n ast.Node) bool {
		if words, ok := lineOf(n); ok {
			check(at, "sprint "+strings.Join(words, " "))
			return false
		}
		text, _ := constant(n)
		for _, m := range quotedLine.FindAllStringSubmatch(text, -1) {
			check(at, m[1])
		}
		for _, m := range shownLine.FindAllStringSubmatch(text, -1) {
			for line := range strings.SplitSeq(m[1], " && ") {
				if !prose.MatchString(line) {
					check(at, line)
				}
			}
		}
		return true
	})
	if shown < 40 {
		t.Errorf("%d command lines were found", shown)
	}
}

// TestHints: a hint is a fragment that goes on where a message ended: it begins in
// lower case and has no full stop.
func TestHints(t *testing.T) {
	hints := 0
	eachNode(t, func(at token.Position, n ast.Node) bool {
		var hint ast.Expr
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Fail" && len(n.Args) > 2 {
				hint = n.Args[1]
			}
		case *ast.KeyValueExpr:
			if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Hint" {
				hint = n.Value
			}
		}
		text, ok := constant(hint)
		if !ok || text == "" {
			return true
		}
		hints++
		first := []rune(text + "  ")[:2]
		if strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "...") || unicode.IsUpper(first[0]) && unicode.IsLower(first[1]) {
			t.Errorf("%s: %q is a sentence", at, text)
		}
		return true
	})
	if hints < 100 {
		t.Errorf("%d hints were found", hints)
	}
}

// eachNode visits the syntax of all that is not a test.
func eachNode(t *testing.T, visit func(at token.Position, n ast.Node) bool) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool { return n == nil || visit(set.Position(n.Pos()), n) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// constant is the text of a string literal.
func constant(n ast.Node) (text string, ok bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
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
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 && cmd.ValidateArgs(args) != nil {
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
		if text, ok := constant(e); ok {
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
