// Package command runs any program as a stage.
//
// It brings the inputs to the program's folders and keeps the outputs; package program
// runs it.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/program"
	"github.com/sprint-ml/sprint/storage"
)

// Kind returns the kind "command".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "command",
		Version: 1,
		Doc: `Runs a program on declared inputs and keeps the outputs it writes.
Each input lies at $SPRINT_INPUTS/NAME (a file, or a folder for a tree); each
output is the file or folder that the program leaves at $SPRINT_OUTPUTS/NAME.
In argv {inputs.NAME}, {outputs.NAME} and {files.NAME} stand for those paths;
files are copied in and keyed by their bytes. No shell is involved unless shell
is true. Only PATH, HOME, LANG, TMPDIR and the variables that env names are
passed on. A program that does not end with 0 fails the stage.`,
		Example: "argv: [python3, \"{files.clean.py}\", \"{inputs.articles}\", \"{outputs.cleaned}\"]\nfiles: [clean.py]\ninputs: [articles]\noutputs: [cleaned]\n",
		Inputs: func(options any) []stages.Input {
			var in []stages.Input
			for _, n := range options.(*Options).Inputs {
				in = append(in, stages.Input{Name: n})
			}
			return in
		},
		Outputs: func(options any) []stages.Output {
			var out []stages.Output
			for _, n := range options.(*Options).Outputs {
				out = append(out, stages.Output{Name: n})
			}
			return out
		},
		Options: func() any { return new(Options) },
		New:     func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
	}
}

// Options of command.
type Options struct {
	Argv    []string          `yaml:"argv" required:"true" doc:"program and arguments; with shell: true, one script"`
	Shell   bool              `yaml:"shell" default:"false" doc:"hand the single argument to sh -c (cmd /c on Windows)"`
	Inputs  []string          `yaml:"inputs" doc:"artifacts to read"`
	Outputs []string          `yaml:"outputs" doc:"artifacts that the program makes"`
	Files   []string          `yaml:"files" path:"true" key:"-" doc:"files that the program needs, keyed by their bytes"`
	Env     []string          `yaml:"env" doc:"names of variables to pass on; their values do not enter the key"`
	Secrets map[string]string `yaml:"secrets" secret:"true" key:"-" doc:"variables whose value is a reference, env:NAME or file:PATH; never logged"`
	Grace   time.Duration     `yaml:"grace" default:"10s" min:"0s" key:"-" doc:"time between SIGTERM and SIGKILL on cancel"`
}

var (
	nameOK      = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	variableOK  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	placeholder = regexp.MustCompile(`\{(inputs|outputs|files)\.([^{}]+)\}`)
)

// Check reports names that cannot be and placeholders that stand for nothing.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	out.If(len(o.Argv) == 0 || o.Argv[0] == "", "argv", "For example argv: [python3, clean.py].", "no program given")
	out.If(o.Shell && len(o.Argv) != 1,
		"argv", "Write the script as one string.", "with shell: true argv is one script, not %d arguments", len(o.Argv))
	for field, names := range map[string][]string{"inputs": o.Inputs, "outputs": o.Outputs} {
		for i, n := range names {
			out.If(!nameOK.MatchString(n), field, "Use a-z, 0-9 and underscore.", "%q is no artifact name", n)
			out.If(slices.Contains(names[:i], n), field, "Name it once.", "%q is listed twice", n)
		}
	}
	files := map[string]bool{}
	for _, f := range o.Files {
		out.If(files[base(f)], "files", "Rename one of them.", "two files are called %s", base(f))
		files[base(f)] = true
	}
	for _, n := range o.Env {
		out.If(!variableOK.MatchString(n),
			"env", "List names only, for example env: [CUDA_VISIBLE_DEVICES].", "%q is no variable name", n)
	}
	for n, ref := range o.Secrets {
		out.If(!variableOK.MatchString(n) || !strings.HasPrefix(ref, "env:") && !strings.HasPrefix(ref, "file:"),
			"secrets", "Write NAME: env:NAME or NAME: file:PATH.", "secret %s is no reference", n)
	}
	for _, a := range o.Argv {
		for _, m := range placeholder.FindAllStringSubmatch(a, -1) {
			known := m[1] == "inputs" && slices.Contains(o.Inputs, m[2]) || m[1] == "outputs" && slices.Contains(o.Outputs, m[2]) || m[1] == "files" && files[m[2]]
			out.If(!known, "argv", "Declare it under "+m[1]+".", "%s stands for nothing that is declared", m[0])
		}
	}
	slices.SortFunc(out, func(a, b stages.Problem) int { return strings.Compare(a.Path+a.Message, b.Path+b.Message) })
	return out
}

func base(f string) string { return path.Base(filepath.ToSlash(f)) }

// Resolve keys the files by name and bytes.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	files := map[string]any{}
	for _, f := range o.Files {
		info, err := lookup.File(ctx, f)
		if err != nil {
			return nil, err
		}
		files[base(f)] = info.Digest
	}
	return stages.External{"files": files}, nil
}

type stage struct {
	o   *Options
	env stages.Env
}

// The attempt's folders. The program starts in the last one; the others have the names
// that placeholders use.
const (
	inputsDir  = "inputs"
	outputsDir = "outputs"
	filesDir   = "files"
	workDir    = "work"
)

// at is a place in the attempt's own folder.
func (s *stage) at(names ...string) string {
	return filepath.Join(s.env.Scratch, filepath.Join(names...))
}

// Run fetches the inputs, runs the program and keeps its outputs.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	for _, d := range []string{inputsDir, outputsDir, filesDir, workDir} {
		if err := os.MkdirAll(s.at(d), 0o755); err != nil {
			return err
		}
	}
	for _, name := range s.o.Inputs {
		if err := fetchInput(ctx, in, name, s.at(inputsDir, name)); err != nil {
			return fmt.Errorf("input %s: %w", name, err)
		}
	}
	for _, name := range s.o.Files {
		r, err := s.env.Files.Open(ctx, name)
		if err != nil {
			return err
		}
		if err := save(r, s.at(filesDir, base(name))); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
	}
	if err := s.execute(ctx); err != nil {
		return err
	}
	for _, name := range s.o.Outputs {
		if err := keepOutput(ctx, out, name, s.at(outputsDir)); err != nil {
			return err
		}
	}
	return nil
}

// execute runs the program in an empty folder.
func (s *stage) execute(ctx context.Context) error {
	return program.Program{
		Argv: s.argv(), Passed: s.o.Env, Secrets: s.o.Secrets, Resolve: s.env.Secret,
		Environ: []string{"SPRINT_INPUTS=" + s.at(inputsDir), "SPRINT_FILES=" + s.at(filesDir)}, Mark: "SPRINT_OUTPUTS=" + s.at(outputsDir),
		Dir: s.at(workDir), Grace: s.o.Grace, Guard: s.env.Program, Log: s.env.Log,
		Exited: func(code int) { s.env.Note("exit_code", code) },
	}.Run(ctx)
}

// argv puts paths in the place of placeholders.
func (s *stage) argv() []string {
	var argv []string
	for _, a := range s.o.Argv {
		argv = append(argv, placeholder.ReplaceAllStringFunc(a, func(p string) string {
			m := placeholder.FindStringSubmatch(p)
			return s.at(m[1], m[2])
		}))
	}
	switch {
	case !s.o.Shell:
		return argv
	case runtime.GOOS == "windows":
		return []string{"cmd", "/c", argv[0]}
	}
	return []string{"sh", "-c", argv[0]}
}

func fetchInput(ctx context.Context, in stages.Inputs, name, to string) error {
	if a, _ := in.Artifact(name); a.Media == storage.MediaTree {
		tree, err := in.Tree(ctx, name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		return tree.Fetch(ctx, to)
	}
	r, err := in.Open(ctx, name)
	if err != nil {
		return err
	}
	return save(r, to)
}

// save writes and closes r. Mode 0o755 lets a file that is a program run.
func save(r io.ReadCloser, to string) error {
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// keepOutput stores what the program left under a name: a file or a folder.
// Links and devices are refused: they could reach outside.
func keepOutput(ctx context.Context, out stages.Outputs, name, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return stages.Fail(stages.CodeStage, "let the program write $SPRINT_OUTPUTS/"+name, "the program ended well but left no output %s", name)
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		w, err := out.Create(ctx, name, "application/octet-stream")
		if err != nil {
			return err
		}
		return copyFile(root, name, w)
	}
	if !info.IsDir() {
		return notPlain(name, name)
	}
	tree, err := out.CreateTree(ctx, name)
	if err != nil {
		return err
	}
	defer tree.Abort()
	err = fs.WalkDir(root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return notPlain(name, p)
		}
		w, err := tree.Create(strings.TrimPrefix(p, name+"/"))
		if err != nil {
			return err
		}
		return copyFile(root, p, w)
	})
	if err != nil {
		return err
	}
	return tree.Commit()
}

func notPlain(output, path string) error {
	return stages.Fail(stages.CodeStage, "write plain files and folders", "output %s holds %s, which is no plain file", output, path)
}

func copyFile(root *os.Root, name string, w stages.Writer) error {
	defer w.Abort()
	r, err := root.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Commit()
}
