//go:build ignore

// Pairs measures the working tree against another commit: whole commands of
// both binaries in turns, so that a busy machine slows both alike. It prints the
// median ratio new/old with a 95 % interval of the median by order statistics.
//
//	go run .ci/pairs.go [-n 20] [-only help,noop] COMMIT
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// work is one thing measured: prepare runs once for each side, before is not
// timed and runs ahead of each round.
type work struct {
	name    string
	prepare func(context.Context, side) error
	before  func(context.Context, side) error
	run     func(side) []string
}

// side is one of the two commits: its source, its binaries and a folder of its own.
type side struct{ name, source, bin, folder string }

func (s side) sprint(args ...string) []string {
	return append([]string{filepath.Join(s.bin, "sprint"), "--store", filepath.Join(s.folder, "store"), "--quiet"}, args...)
}

func main() {
	n := flag.Int("n", 20, "rounds of each pair")
	only := flag.String("only", "", "names of what to measure, joined by commas; all when empty")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "pairs: name the commit to compare with")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, flag.Arg(0), *only, *n); err != nil {
		fmt.Fprintln(os.Stderr, "pairs:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, commit, only string, n int) error {
	folder, err := os.MkdirTemp("", "sprint-pairs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	source := filepath.Join(folder, "source")
	if err := execute(ctx, ".", "git", "worktree", "add", "--detach", source, commit); err != nil {
		return err
	}
	// The interrupt that ends the measuring must not leave the worktree listed.
	defer execute(context.WithoutCancel(ctx), ".", "git", "worktree", "remove", "--force", source)
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	sides := []side{{name: "old", source: source}, {name: "new", source: here}}
	for i := range sides {
		if err := build(ctx, folder, &sides[i]); err != nil {
			return err
		}
	}
	fmt.Printf("%-12s %6s %18s %9s %9s\n", "WHAT", "RATIO", "95 % INTERVAL", "OLD", "NEW")
	for _, w := range works {
		if only != "" && !slices.Contains(strings.Split(only, ","), w.name) {
			continue
		}
		if err := compare(ctx, w, sides, n); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// build makes a side's binaries and the plans that both sides run.
func build(ctx context.Context, folder string, s *side) error {
	s.folder = filepath.Join(folder, s.name)
	s.bin = filepath.Join(s.folder, "bin")
	if err := os.MkdirAll(s.bin, 0o700); err != nil {
		return err
	}
	if err := execute(ctx, s.source, "go", "build", "-trimpath", "-o", filepath.Join(s.bin, "sprint"), "./jobs/sprint"); err != nil {
		return err
	}
	if err := execute(ctx, s.source, "go", "test", "-trimpath", "-c", "-o", filepath.Join(s.bin, "tokenize.test"), "./ml/tokenize"); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(s.folder, "quickstart"), os.DirFS("examples/quickstart")); err != nil {
		return err
	}
	return s.plans()
}

// plans writes what is measured beside the quickstart: 200,000 rows to label,
// and 400 MB to keep.
func (s side) plans() error {
	var rows strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&rows, `{"id":"r%d","title":"Minister %d says the bank of town %d wins the storm match"}`+"\n", i, i%977, i%53)
	}
	for name, text := range map[string]string{
		"quickstart/many.jsonl": rows.String(),
		"quickstart/label.yaml": `name: many
taxonomy: taxonomy.yaml
stages:
  - {name: fetch, with: {source: files, files: {paths: [many.jsonl]}}}
  - {name: label, with: {rules: taxonomy}}
`,
		"bytes.yaml": `name: bytes
stages:
  - name: make
    kind: command
    with:
      argv: [sh, -c, 'head -c 419430400 /dev/urandom > "$SPRINT_OUTPUTS/data"']
      outputs: [data]
`,
	} {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

var works = []work{
	{name: "help", run: func(s side) []string { return s.sprint("--help") }},
	{
		name:    "noop",
		prepare: func(ctx context.Context, s side) error { return s.quickstart(ctx) },
		run:     func(s side) []string { return s.sprint("run", filepath.Join(s.folder, "quickstart/plan.yaml")) },
	},
	{
		name:    "training",
		prepare: func(ctx context.Context, s side) error { return s.quickstart(ctx) },
		run: func(s side) []string {
			return s.sprint("run", filepath.Join(s.folder, "quickstart/plan.yaml"), "--only", "train", "--force")
		},
	},
	{
		name: "labelling",
		prepare: func(ctx context.Context, s side) error {
			return execute(ctx, "", s.sprint("run", filepath.Join(s.folder, "quickstart/label.yaml"))...)
		},
		run: func(s side) []string {
			return s.sprint("run", filepath.Join(s.folder, "quickstart/label.yaml"), "--only", "label", "--force")
		},
	},
	{
		name: "get",
		prepare: func(ctx context.Context, s side) error {
			return execute(ctx, "", s.sprint("run", filepath.Join(s.folder, "bytes.yaml"))...)
		},
		before: func(_ context.Context, s side) error { return os.RemoveAll(filepath.Join(s.folder, "data")) },
		run: func(s side) []string {
			return s.sprint("artifacts", "get", "make.data", filepath.Join(s.folder, "data"))
		},
	},
	{
		name:   "put",
		before: func(_ context.Context, s side) error { return os.RemoveAll(filepath.Join(s.folder, "store")) },
		run:    func(s side) []string { return s.sprint("run", filepath.Join(s.folder, "bytes.yaml")) },
	},
	{
		name: "tokenising",
		run: func(s side) []string {
			return []string{filepath.Join(s.bin, "tokenize.test"), "-test.run", "^$", "-test.bench", "^BenchmarkEncode$", "-test.benchtime", "5x"}
		},
	},
}

func (s side) quickstart(ctx context.Context) error {
	return execute(ctx, "", s.sprint("run", filepath.Join(s.folder, "quickstart/plan.yaml"))...)
}

// compare times both sides in turns, the first of them changing each round.
func compare(ctx context.Context, w work, sides []side, n int) error {
	took := map[string][]float64{}
	if w.prepare != nil {
		for _, s := range sides {
			if err := w.prepare(ctx, s); err != nil {
				return err
			}
		}
	}
	for round := range n + 1 {
		order := slices.Clone(sides)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if w.before != nil {
				if err := w.before(ctx, s); err != nil {
					return err
				}
			}
			began := time.Now()
			if err := execute(ctx, filepath.Join(s.source, "ml/tokenize"), w.run(s)...); err != nil {
				return err
			}
			if round > 0 { // the first round warms the caches
				took[s.name] = append(took[s.name], time.Since(began).Seconds())
			}
		}
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = took["new"][i] / took["old"][i]
	}
	low, middle, high := interval(ratios)
	_, before, _ := interval(took["old"])
	_, after, _ := interval(took["new"])
	fmt.Printf("%-12s %6.2f %8.2f to %6.2f %8.3fs %8.3fs\n", w.name, middle, low, high, before, after)
	return nil
}

// interval is the median with its distribution-free 95 % interval: the order
// statistics n/2 -+ sqrt(n) (David and Nagaraja, Order Statistics, 7.1).
func interval(values []float64) (low, median, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	root := 0
	for (root+1)*(root+1) <= n {
		root++
	}
	return sorted[max(0, n/2-root)], (sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[min(n-1, n/2+root)]
}

// execute runs a command to its end and tells what it printed only if it failed.
func execute(ctx context.Context, folder string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}
