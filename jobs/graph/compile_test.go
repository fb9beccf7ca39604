package graph_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), -update accepts:\n%s", path, d)
	}
}

func TestGraphs(t *testing.T) {
	for name, plan := range map[string]string{"chain": jobstest.Plan, "fan": jobstest.FanPlan} {
		g := jobstest.NewBench(t, plan).Graph()
		golden(t, name+".graph", g.String())
		golden(t, name+".dot", g.DOT())
	}
}

func TestCompileReportsEverythingOnceWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name, stages string
		want         []string // "line: part of the message", in order
	}{
		{"misspelt kind", "  - {name: mak}\n  - {name: refine}", []string{`3: no kind of stage is called "mak"`}},
		{"misspelt option", "  - {name: make, with: {txt: a}}\n  - {name: refine}", []string{"3: unknown option"}},
		{"two mistakes", "  - {name: make, with: {times: 10}}\n  - {name: refine, with: {text: bad}}\n  - {name: join}", []string{"3: 10 is out of range", "4: must not be bad"}},
		{"no maker", "  - {name: refine}", []string{"3: no stage before refine makes raw"}},
		{"cycle", "  - {name: make, needs: [refine]}\n  - {name: refine}", []string{"3: in a circle"}},
		{"two makers", "  - {name: a, kind: make, needs: []}\n  - {name: b, kind: make, needs: []}\n  - {name: refine, needs: [a, b]}", []string{"5: raw is made by a and b, equally near"}},
		{"unknown input", "  - {name: make}\n  - {name: refine, inputs: {row: make.raw}}", []string{"4: reads no artifact of this name"}},
		{"input from nowhere", "  - {name: make}\n  - {name: refine, inputs: {raw: join.raw}}", []string{"4: join.raw is no artifact raw"}},
		{"missing file and more", "  - {name: make, with: {file: none.txt}}\n  - {name: refine, with: {rate: x}}", []string{"3: none.txt", "4: want a number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jobstest.NewBench(t, "name: toys\nstages:\n"+c.stages+"\n").Compile()
			var errs diagnostic.Errors
			if !errors.As(err, &errs) || executor.Code(err) != 3 {
				t.Fatalf("got %v", err)
			}
			if len(errs) != len(c.want) {
				t.Fatalf("%d errors, want %d:\n%v", len(errs), len(c.want), err)
			}
			for i, want := range c.want {
				line, text, _ := strings.Cut(want, ": ")
				if fmt.Sprint(errs[i].Pos.Line) != line || !strings.Contains(errs[i].Message, text) {
					t.Errorf("error %d: %v, want line %s, %q", i, errs[i], line, text)
				}
			}
		})
	}
}

func TestNearestMakerWins(t *testing.T) {
	b := jobstest.NewBench(t, `name: near
stages:
  - {name: a, kind: make}
  - {name: b, kind: make}
  - {name: c, kind: refine}
  - {name: d, kind: refine, inputs: {raw: a.raw}}
`)
	g := b.Graph()
	c, _ := g.Node("c")
	d, _ := g.Node("d")
	if c.Inputs[0].From != "b" || d.Inputs[0].From != "a" {
		t.Errorf("c reads from %s, d from %s", c.Inputs[0].From, d.Inputs[0].From)
	}
}

// Order, spelling, comments and written-out defaults never change a key;
// different values always do.
func TestKeysFollowMeaning(t *testing.T) {
	key := func(t *rapid.T, b *jobstest.Bench, with string) string {
		b.Plan = "name: p\nstages:\n  - name: make\n    with: " + with + "\n"
		g, err := b.Compile()
		if err != nil {
			t.Fatalf("%s: %v", with, err)
		}
		k, _, err := g.Nodes[0].Preimage(nil).Key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	b := jobstest.NewBench(t, jobstest.Plan)
	draw := func(t *rapid.T) (text string, times int, rate float64, tags []string) {
		return rapid.StringMatching(`[a-z0-9 :#é'"-]{0,8}`).Draw(t, "text"), rapid.IntRange(1, 9).Draw(t, "times"),
			float64(rapid.IntRange(-100, 100).Draw(t, "rate")) / 8, rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,3}`), 0, 3).Draw(t, "tags")
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	list := func(tags []string) string { return "[" + strings.Join(tags, ", ") + "]" }
	rapid.Check(t, func(t *rapid.T) {
		text, times, rate, tags := draw(t)
		if text == "bad" {
			return
		}
		plain := fmt.Sprintf("{text: %s, times: %d, rate: %v, tags: %s}", quote(text), times, rate, quoteAll(tags))
		first := key(t, b, plain)
		for _, same := range []string{
			fmt.Sprintf("{ tags: %s , rate: %e, times: %d, text: %q } # a comment", quoteAll(tags), rate, times, text),
			fmt.Sprintf("{pace: 3s, extra: null, text: %s, times: %d.0, rate: %v, tags: %s}", quote(text), times, rate, quoteAll(tags)),
		} {
			if k := key(t, b, same); k != first {
				t.Fatalf("%s and %s have different keys", plain, same)
			}
		}
		text2, times2, rate2, tags2 := draw(t)
		if text2 == "bad" {
			return
		}
		equal := text == text2 && times == times2 && rate == rate2 && list(tags) == list(tags2)
		other := fmt.Sprintf("{text: %s, times: %d, rate: %v, tags: %s}", quote(text2), times2, rate2, quoteAll(tags2))
		if k := key(t, b, other); (k == first) != equal {
			t.Fatalf("%s and %s: same key %v", plain, other, k == first)
		}
	})
	// Defaults written out are no change.
	rapid.Check(t, func(t *rapid.T) {
		if key(t, b, "{}") != key(t, b, "{text: x, times: 1, rate: 0.5}") {
			t.Fatal("defaults written out change the key")
		}
	})
}

func quoteAll(tags []string) string {
	q := make([]string, len(tags))
	for i, s := range tags {
		q[i] = "'" + s + "'"
	}
	return "[" + strings.Join(q, ",") + "]"
}

func TestChangedFileChangesTheKey(t *testing.T) {
	b := jobstest.NewBench(t, "name: p\nstages:\n  - {name: make, with: {file: data.txt}}\n")
	write := func(s string) string {
		if err := os.WriteFile(filepath.Join(b.Dir, "data.txt"), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
		k, _, err := b.Graph().Nodes[0].Preimage(nil).Key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, two, again := write("1"), write("2"), write("1")
	if one == two || one != again {
		t.Errorf("keys %s, %s, %s", one, two, again)
	}
}
