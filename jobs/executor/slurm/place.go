package slurm

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// place is the folder that all nodes see.
type place struct {
	shell    shell
	folder   string // as the config has it
	name     string // of the executor
	turn     turn
	found    *found
	programs map[string]bool // by digest, those that are there
}

// found is what is known of a place that was reached.
type found struct {
	folder string // its whole path
	user   string // as whom jobs are submitted
}

func (f found) log(name string) string { return path.Join(f.folder, "logs", name+".log") }
func (f found) programs() string       { return path.Join(f.folder, "programs") }

// get finds the folder, which is made for its owner alone.
func (p *place) get(ctx context.Context) (found, error) {
	if err := p.turn.take(ctx); err != nil {
		return found{}, err
	}
	defer p.turn.leave()
	return p.find(ctx)
}

func (p *place) find(ctx context.Context) (found, error) {
	if p.found != nil {
		return *p.found, nil
	}
	const line = `set -e; umask 077; cd "$HOME"; mkdir -p "$d/programs" "$d/logs"; cd "$d"; [ -w logs ]; echo "folder:$(pwd -P)"; echo "user:$(id -un)"`
	lines, err := p.shell.ask(ctx, nil, "d="+executor.Quote(p.folder)+"; "+line)
	if err != nil {
		return found{}, p.unreached(err)
	}
	var f found
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "folder:"); ok {
			f.folder = v
		}
		if v, ok := strings.CutPrefix(l, "user:"); ok {
			f.user = v
		}
	}
	if f.folder == "" || f.user == "" {
		return found{}, stages.Lose(stages.CodeEnvironment, "", "executor %s: no folder and user in its answer %.200q", p.name, lines)
	}
	p.found = &f
	return f, nil
}

// unreached sorts the failure to find or fill the folder.
func (p *place) unreached(err error) error {
	what := fmt.Sprintf("executor %s: the folder %s", p.name, p.folder)
	text := strings.ToLower(err.Error())
	for _, words := range []string{"permission denied", "read-only", "not a directory", "no such file"} {
		if strings.Contains(text, words) && !strings.Contains(text, "permission denied (") {
			return stages.Fail(stages.CodeEnvironment, p.words("let executors.NAME.folder be one that you may write to and that all nodes see"), "%s: %w", what, err)
		}
	}
	for _, words := range []string{"no space left", "quota exceeded"} {
		if strings.Contains(text, words) {
			return stages.Fail(stages.CodeEnvironment, p.words("free space there, or let executors.NAME.folder be on another disk"), "%s: %w", what, err)
		}
	}
	return p.failure(what, err)
}

// put brings the program there. It is checked where it arrives, and a job checks it
// again before it starts it.
func (p *place) put(ctx context.Context, program executor.Program) error {
	if err := p.turn.take(ctx); err != nil {
		return err
	}
	defer p.turn.leave()
	at, err := p.find(ctx)
	if err != nil || p.programs[program.Digest] {
		return err
	}
	file := path.Join(at.programs(), program.Digest)
	setup := "f=" + executor.Quote(file) + "; d=" + executor.Quote(program.Digest) + `; ok() { [ "$(sha256sum <"$1" 2>/dev/null | cut -d" " -f1)" = "$d" ]; }; `
	lines, err := p.shell.ask(ctx, nil, setup+`if ok "$f"; then echo there; fi`)
	if err != nil {
		return p.unreached(err)
	}
	if !contains(lines, "there") {
		if err := p.copy(ctx, program, setup); err != nil {
			return err
		}
	}
	p.programs[program.Digest] = true
	return nil
}

func (p *place) copy(ctx context.Context, program executor.Program, setup string) error {
	r, err := program.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	const line = `set -e; umask 077; t="$f.$$.new"; trap 'rm -f "$t"' EXIT; cat >"$t"; ok "$t" || { echo "what arrived is not the program $d" >&2; exit 9; }; chmod 700 "$t"; mv -f "$t" "$f"; echo there`
	lines, err := p.shell.ask(ctx, r, setup+line)
	if err != nil {
		return p.unreached(err)
	}
	if !contains(lines, "there") {
		return stages.Lose(stages.CodeEnvironment, "", "executor %s: the program did not arrive: %.200q", p.name, lines)
	}
	return nil
}

func contains(lines []string, line string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}
