package progress

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// TestAnnotations: of each level ten are written, at their lines, and the rest is counted;
// no message and no name becomes another command.
func TestAnnotations(t *testing.T) {
	var out strings.Builder
	a := newAnnotator(&out, "/checkout")
	at := diagnostic.Position{File: "/checkout/news/a,b:c.yaml", Line: 7, Col: 3}
	a.annotate("error", at, "train,file=x failed::\n", "100%\r\n::set-output name=x::y\x1b[2J"+strings.Repeat("x", 3000))
	if got, want := out.String(), "::error file=news/a%2Cb%3Ac.yaml,line=7,col=3,title=train%2Cfile=x failed%3A%3A%0A::100%25%0D%0A::set-output name=x::y\\u001b[2J"+strings.Repeat("x", 1968)+"...\n"; got != want {
		t.Errorf("it is %.200q..., want %.200q...", got, want)
	}
	out.Reset()
	for i := range 30 {
		a.annotate("warning", diagnostic.Position{}, "", fmt.Sprint(i))
		a.annotate("error", diagnostic.Position{File: "-", Line: 3}, "", fmt.Sprint(i))
	}
	a.rest()
	if n := strings.Count(out.String(), "\n::"); n != 18 || strings.Count(out.String(), "::warning::") != 10 || strings.Count(out.String(), "::error::") != 9 || !strings.Contains(out.String(), "21 more of level error") || !strings.Contains(out.String(), "20 more of level warning") {
		t.Errorf("%d are\n%s", n+1, out.String())
	}
}

// TestGitHubAnywhere: what is printed beside this view cannot steer the log either, whatever
// the environment says of where that is.
func TestGitHubAnywhere(t *testing.T) {
	var out, log bytes.Buffer
	o := Options{Out: &sanitize.Writer{Out: &out}, Err: &sanitize.Writer{Out: &log}, Getenv: func(string) string { return "" }}
	v := New("github", o)
	fmt.Fprintln(o.Out, "::error::title")
	fmt.Fprintln(o.Err, "x ##[add-mask]title")
	v.(*githubView).group("train")
	v.Close()
	if got, want := out.String()+log.String(), "\\u003a:error::title\n::group::train\n::endgroup::\nx \\u0023#[add-mask]title\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFitting: a summary is cut at the end of a block, with where all of it is, and never
// longer than what is left.
func TestFitting(t *testing.T) {
	report := []byte("# Run\n\n" + strings.Repeat("| a | b |\n| c | d |\n\n", 20))
	for _, room := range []int{len(report), len(report) - 1, 200, 160, 100, 0, -5} {
		got := string(fitting(slices.Clone(report), room, "20260102-030405-a1b2c3"))
		whole, said := got == string(report), strings.HasSuffix(got, "`sprint report 20260102-030405-a1b2c3` shows all of it.\n\n")
		if len(got) > max(room, 0) || whole != (room >= len(report)) || !whole && got != "" && !said {
			t.Errorf("room for %d: %q", room, got)
		}
		if begun, _, cut := strings.Cut(got, "\n\nThe report is longer"); cut && !strings.HasSuffix(begun, "|") && begun != "# Run" && begun != "" {
			t.Errorf("room for %d: cut within a block: %q", room, begun)
		}
	}
	if got := fitting(slices.Clone(report), 300, "r"); len(got) < 200 {
		t.Errorf("of 300 bytes %d are used", len(got))
	}
}

// TestWriteOutputs: nothing that a store or a plan says becomes another output.
func TestWriteOutputs(t *testing.T) {
	score := 0.87654
	run, hostile := "20260102-030405-a1b2c3", "x\nversion=666\nrun_id<<EOF\nowned\nEOF"
	for _, c := range []struct {
		r    runs.Result
		want string
	}{
		{runs.Result{Run: &run, Figures: &runs.Figures{Model: "news@3", MacroF1: &score}}, "run_id=" + run + "\ncode=0\nretryable=false\nmodel=news\nversion=3\nmacro_f1=0.8765\n"},
		{runs.Result{Code: 75, Retryable: true}, "run_id=\ncode=75\nretryable=true\nmodel=\nversion=\nmacro_f1=\n"},
		{runs.Result{Run: &hostile, Figures: &runs.Figures{Model: "news\nversion=666@3"}}, "run_id=\ncode=0\nretryable=false\nmodel=\nversion=\nmacro_f1=\n"},
		{runs.Result{Figures: &runs.Figures{Model: "news@3\nmodel=other"}}, "run_id=\ncode=0\nretryable=false\nmodel=\nversion=\nmacro_f1=\n"},
	} {
		path := filepath.Join(t.TempDir(), "outputs")
		if err := os.WriteFile(path, []byte("before=1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := WriteOutputs(path, &c.r); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff("before=1\n"+c.want, string(got)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if err := WriteOutputs("", &runs.Result{}); err != nil {
		t.Error(err)
	}
}
