package graph_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
	"pgregory.net/rapid"
)

// sketch is a plan before it is spelled.
type sketch struct {
	stages []sketchStage
}

type sketchStage struct {
	name, kind string
	needs      []string
	inputs     map[string]string
	with       map[string]any // what differs from the defaults
}

// toyDefaults are the defaults of toyOptions, as a plan may write them out.
var toyDefaults = map[string]any{"text": "x", "times": 1, "rate": 0.5, "pace": "0s", "end": "done", "tags": []string{}, "extra": map[string]string{}, "file": ""}

func drawSketch(t *rapid.T) sketch {
	var s sketch
	n := rapid.IntRange(1, 6).Draw(t, "stages")
	for i := range n {
		st := sketchStage{name: fmt.Sprintf("s%d", i), kind: "make", with: drawOptions(t)}
		if i > 0 {
			st.kind = rapid.SampledFrom([]string{"make", "refine", "join"}).Draw(t, "kind")
		}
		switch st.kind {
		case "refine":
			from := s.pick(t, "raw")
			st.needs, st.inputs = []string{from}, map[string]string{"raw": from + ".raw"}
		case "join":
			for _, artifact := range []string{"fine", "raw"} {
				if from := s.pick(t, artifact); from != "" {
					if st.inputs == nil {
						st.inputs = map[string]string{}
					}
					st.inputs[artifact] = from + "." + artifact
					if !slices.Contains(st.needs, from) {
						st.needs = append(st.needs, from)
					}
				}
			}
		}
		s.stages = append(s.stages, st)
	}
	return s
}

// pick draws an earlier stage that makes an artifact; empty if none does.
func (s *sketch) pick(t *rapid.T, artifact string) string {
	var makers []string
	for _, st := range s.stages {
		if st.kind == "make" && artifact == "raw" || st.kind == "refine" && artifact == "fine" {
			makers = append(makers, st.name)
		}
	}
	if len(makers) == 0 {
		return ""
	}
	return rapid.SampledFrom(makers).Draw(t, "from")
}

func drawOptions(t *rapid.T) map[string]any {
	with := map[string]any{}
	if rapid.Bool().Draw(t, "has text") {
		with["text"] = rapid.StringMatching(`[a-zåäö "'#:{\\-]{0,8}`).Draw(t, "text")
	}
	if rapid.Bool().Draw(t, "has times") {
		with["times"] = rapid.IntRange(1, 9).Draw(t, "times")
	}
	if rapid.Bool().Draw(t, "has rate") {
		with["rate"] = float64(rapid.IntRange(1, 1000).Draw(t, "rate")) / 16
	}
	if rapid.Bool().Draw(t, "has tags") {
		with["tags"] = rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,4}`), 0, 3).Draw(t, "tags")
	}
	if rapid.Bool().Draw(t, "has extra") {
		with["extra"] = rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}`), rapid.StringMatching(`[a-z0-9]{0,3}`), 0, 3).Draw(t, "extra")
	}
	return with
}

// speller writes a plan in one of many ways that mean the same.
type speller struct{ t *rapid.T }

func (w speller) coin(what string) bool { return rapid.Bool().Draw(w.t, what) }

// plan spells a sketch: order of keys, quotes, flow or block, comments, blank
// lines, numbers, written-out defaults, and what is never keyed.
func (w speller) plan(s sketch) string {
	var b strings.Builder
	b.WriteString("name: toys" + w.comment() + "\nstages:\n")
	for _, st := range s.stages {
		if w.coin("blank") {
			b.WriteString("\n  # " + st.name + " comes next\n")
		}
		fields := map[string]string{"name": w.text(st.name), "kind": w.text(st.kind), "needs": w.list(st.needs)}
		if len(st.inputs) > 0 {
			fields["inputs"] = w.texts(st.inputs)
		}
		if w.coin("retry") {
			fields["retry"] = strconv.Itoa(rapid.IntRange(0, 5).Draw(w.t, "retries"))
		}
		if w.coin("timeout") {
			fields["timeout"] = rapid.SampledFrom([]string{"1h", "90m"}).Draw(w.t, "limit")
		}
		if w.coin("device") {
			fields["resources"] = "{device: " + rapid.SampledFrom([]string{"auto", "cpu", "go"}).Draw(w.t, "device") + "}"
		}
		with := maps.Clone(st.with)
		for name, value := range toyDefaults {
			if _, given := with[name]; !given && w.coin("written default") {
				with[name] = value
			}
		}
		if w.coin("unkeyed") {
			with["pace"] = rapid.SampledFrom([]string{"0s", "1ms", "2s"}).Draw(w.t, "pace")
		}
		if len(with) > 0 {
			fields["with"] = w.with(with)
		}
		first := true
		for _, key := range rapid.Permutation(slices.Sorted(maps.Keys(fields))).Draw(w.t, "order") {
			lead := "    "
			if first {
				lead, first = "  - ", false
			}
			b.WriteString(lead + key + ": " + fields[key] + w.comment() + "\n")
		}
	}
	return b.String()
}

func (w speller) comment() string {
	if w.coin("comment") {
		return "  # why: {not, a, map}"
	}
	return ""
}

func (w speller) text(s string) string {
	plain := s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" && !slices.Contains([]string{"y", "n", "no", "on", "yes", "off", "true", "false", "null"}, s)
	switch {
	case plain && w.coin("plain"):
		return s
	case w.coin("single"):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.Quote(s)
}

func (w speller) list(items []string) string {
	var out []string
	for _, s := range items {
		out = append(out, w.text(s))
	}
	return "[" + strings.Join(out, w.comma()) + "]"
}

func (w speller) comma() string {
	return rapid.SampledFrom([]string{",", ", ", " ,  "}).Draw(w.t, "comma")
}

func (w speller) texts(m map[string]string) string {
	var out []string
	for _, k := range rapid.Permutation(slices.Sorted(maps.Keys(m))).Draw(w.t, "keys") {
		out = append(out, w.text(k)+": "+w.text(m[k]))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func (w speller) value(v any) string {
	switch x := v.(type) {
	case string:
		return w.text(x)
	case int:
		return rapid.SampledFrom([]string{strconv.Itoa(x), fmt.Sprintf("0x%x", x), fmt.Sprintf("%d.0", x)}).Draw(w.t, "int")
	case float64:
		return rapid.SampledFrom([]string{fmt.Sprintf("%.6f", x), fmt.Sprintf("%.8e", x), fmt.Sprintf("%.10f", x)}).Draw(w.t, "float")
	case []string:
		return w.list(x)
	case map[string]string:
		return w.texts(x)
	}
	panic(fmt.Sprintf("no spelling of %T", v))
}

// with spells the options, on one line or below.
func (w speller) with(with map[string]any) string {
	keys := rapid.Permutation(slices.Sorted(maps.Keys(with))).Draw(w.t, "options")
	var out []string
	for _, k := range keys {
		out = append(out, k+": "+w.value(with[k]))
	}
	if w.coin("flow") {
		return "{" + strings.Join(out, ", ") + "}"
	}
	return "\n      " + strings.Join(out, "\n      ")
}

// keysOf computes the key of every stage as if all were done: an output is a
// function of its stage's key.
func keysOf(t interface{ Fatalf(string, ...any) }, source string, set ...string) map[string]string {
	dir := filepath.Join("/", "nowhere")
	plan, err := config.ParsePlan(filepath.Join(dir, "plan.yaml"), []byte(source))
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	options, err := config.NewOptions(plan, config.Overrides{Set: set})
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	look := graph.NewLookup(dir, dir, true, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	g, err := graph.Compile(context.Background(), plan, graph.CompileOptions{Registry: jobstest.Kinds(&jobstest.Counter{}), Options: options, Lookup: look})
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	return keysOfGraph(t, g)
}

func keysOfGraph(t interface{ Fatalf(string, ...any) }, g *graph.Graph) map[string]string {
	keys := map[string]string{}
	for _, task := range g.Nodes {
		inputs := map[string]storage.Artifact{}
		for _, r := range task.Inputs {
			if r.From != "" {
				sum := sha256.Sum256([]byte(keys[r.From] + r.Name))
				inputs[r.Name] = storage.Artifact{Name: r.Name, Digest: fmt.Sprintf("sha256:%x", sum)}
			}
		}
		key, _, err := task.Preimage(inputs).Key()
		if err != nil {
			t.Fatalf("%v", err)
		}
		keys[task.Name] = key
	}
	return keys
}

// TestSpellingNeverChangesAKey: two spellings of one plan have the same keys.
func TestSpellingNeverChangesAKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		one, two := speller{t}.plan(s), speller{t}.plan(s)
		a, b := keysOf(t, one), keysOf(t, two)
		for name, key := range a {
			if b[name] != key {
				t.Fatalf("stage %s has two keys:\n%s\n%s", name, one, two)
			}
		}
	})
}

// TestWrittenAsEmptyIsLeftOut: a list, a map, a path or a default that is written
// out has the key of one that is not, in its stage and in the one that follows.
func TestWrittenAsEmptyIsLeftOut(t *testing.T) {
	spell := func(with string) string {
		return "name: toys\nstages:\n  - {name: s0, kind: make, with: {text: a" + with + "}}\n  - {name: s1, kind: refine, needs: [s0], inputs: {raw: s0.raw}, with: {rate: 0.25" + with + "}}\n"
	}
	want := keysOf(t, spell(""))
	for _, with := range []string{", tags: []", ", extra: {}", ", file: ''", ", end: done", ", tags: [], extra: {}, file: '', end: done"} {
		if diff := cmp.Diff(want, keysOf(t, spell(with))); diff != "" {
			t.Errorf("with%s (-want +got):\n%s", with, diff)
		}
	}
	if other := keysOf(t, spell(", tags: [a]")); other["s0"] == want["s0"] || other["s1"] == want["s1"] {
		t.Errorf("another list has the same key: %v", other)
	}
}

// TestOneValueChangesItsStageAndWhatFollows: another value of one option
// changes the key of that stage and of all that read from it, and no other.
func TestOneValueChangesItsStageAndWhatFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		at := rapid.IntRange(0, len(s.stages)-1).Draw(t, "stage")
		before := keysOf(t, speller{t}.plan(s))
		changed := s
		changed.stages = slices.Clone(s.stages)
		st := &changed.stages[at]
		st.with = maps.Clone(st.with)
		mutate(t, st.with)
		source := speller{t}.plan(changed)
		after := keysOf(t, source)
		dirty := map[string]bool{st.name: true}
		for _, later := range s.stages { // in an order in which inputs come first
			for _, from := range later.inputs {
				name, _, _ := strings.Cut(from, ".")
				if dirty[name] {
					dirty[later.name] = true
				}
			}
		}
		for name := range before {
			if differs := before[name] != after[name]; differs != dirty[name] {
				t.Fatalf("stage %s: its key changed: %v, want %v, after a change of %s to %v\n%s", name, differs, dirty[name], st.name, st.with, source)
			}
		}
	})
}

// mutate gives one option another value than it has.
func mutate(t *rapid.T, with map[string]any) {
	switch rapid.SampledFrom([]string{"text", "times", "rate", "tags", "extra"}).Draw(t, "option") {
	case "text":
		old, given := with["text"].(string)
		if !given {
			old = "x"
		}
		with["text"] = old + rapid.SampledFrom([]string{"a", " ", "'"}).Draw(t, "more")
	case "times":
		old, given := with["times"].(int)
		if !given {
			old = 1
		}
		with["times"] = old%9 + 1
	case "rate":
		old, given := with["rate"].(float64)
		if !given {
			old = 0.5
		}
		with["rate"] = old + rapid.SampledFrom([]float64{1. / 1024, 0.25, 7}).Draw(t, "by")
	case "tags":
		old, _ := with["tags"].([]string)
		with["tags"] = append(slices.Clone(old), "zz")
	case "extra":
		old, _ := with["extra"].(map[string]string)
		next := maps.Clone(old)
		if next == nil {
			next = map[string]string{}
		}
		next["long name"] = "v"
		with["extra"] = next
	}
}
