package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChanged: what a tag changes reaches tests by constants, types, their methods and other
// packages, and no test besides.
func TestChanged(t *testing.T) {
	const tree = `
-- go.mod --
module github.com/sprint-ml/sprint
-- level/level.go --
//go:build !e2e
package level
const Level = 0
-- level/level_e2e.go --
//go:build e2e
package level
const Level = 1
-- level/main.go --
package level
func Main() int { return Level }
-- bench/bench.go --
package bench
import "github.com/sprint-ml/sprint/level"
type Bench[T any] struct{}
func (*Bench[T]) Rounds() int { return level.Level }
func Still() int { return 3 }
-- a/a_test.go --
package a
import tools "github.com/sprint-ml/sprint/bench"
import "github.com/sprint-ml/sprint/level"
var made = map[string]*tools.Bench[int]{}
func TestByMethod(t *testing.T) { made["x"].Rounds() }
func TestStill(t *testing.T) { tools.Still() }
func ExampleLevel() { println(level.Level) }
-- a/a_e2e_test.go --
//go:build e2e && !soak
package a
func TestAdded(t *testing.T) {}
func rounds() {}
-- a/a.go --
package a
func rounds() {}
func Names() { rounds() }
-- a/a_soak_test.go --
//go:build soak
package a
func TestSoak(t *testing.T) {}
-- b/b_test.go --
package b
import "github.com/sprint-ml/sprint/a"
func TestOther(t *testing.T) { a.Names() }
-- main/main_test.go --
package main
import "github.com/sprint-ml/sprint/level"
func TestMain(m *testing.M) { level.Main() }
func TestOne(t *testing.T) { _ = level.Level }
func TestBeside(t *testing.T) {}
-- same/main_test.go --
package same
import "github.com/sprint-ml/sprint/level"
func TestMain(m *testing.M) { level.Main() }
func TestSame(t *testing.T) {}
-- nested/go.mod --
module elsewhere
-- nested/x_test.go --
//go:build e2e
package nested
func TestNested(t *testing.T) {}
`
	t.Chdir(t.TempDir())
	for file := range strings.SplitSeq(strings.TrimPrefix(tree, "\n-- "), "\n-- ") {
		name, text, _ := strings.Cut(file, " --\n")
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	words, err := changedTests("e2e")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(words, " "), "^(ExampleLevel|TestAdded|TestBeside|TestByMethod|TestOne)$ ./a ./main"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if words, err := changedTests("none"); err == nil {
		t.Errorf("a tag that no file has changes %v", words)
	}
}
