package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
	"github.com/sprint-ml/sprint/stages/rows/text"
	"github.com/sprint-ml/sprint/storage"
)

// RowFiles names the files of the source files that lie on this machine.
func (o *Options) RowFiles() []string {
	paths, err := o.Files.expanded()
	if o.Source != sourceFiles || err != nil {
		return nil
	}
	var out []string
	for _, path := range paths {
		if !strings.Contains(path, "://") {
			path = storage.LocalPath(path)
		}
		out = append(out, path)
	}
	return out
}

// CheckFiles looks into the files of the source files that lie on this machine.
func (o *Options) CheckFiles(ctx context.Context, _ stages.Source) []stages.FileProblem {
	if o.Source != sourceFiles {
		return nil
	}
	var out []stages.FileProblem
	for i, pattern := range o.Files.Paths {
		if strings.Contains(pattern, "://") {
			continue
		}
		one := o.Files
		one.Paths = []string{pattern}
		paths, err := one.expanded()
		if err != nil {
			return append(out, stages.FileProblem{Option: option(i), Message: err.Error(), Hint: "mend the pattern"})
		}
		for _, path := range paths {
			if ctx.Err() != nil {
				return out
			}
			out = append(out, o.Files.checkFile(option(i), path)...)
		}
	}
	return out
}

func option(i int) string { return fmt.Sprintf("files.paths.%d", i) }

// checkFile returns what is wrong with a file of an option.
func (f *Files) checkFile(option, path string) []stages.FileProblem {
	problem := func(hint, format string, args ...any) []stages.FileProblem {
		return []stages.FileProblem{{Option: option, Message: fmt.Sprintf(format, args...), Hint: hint}}
	}
	info, err := os.Stat(storage.LocalPath(path))
	switch {
	case err != nil && strings.ContainsAny(path, "*?["):
		return problem("check the pattern", "cannot read %s: no file fits the pattern", path)
	case err != nil:
		return problem("check the path; paths in a plan are relative to the plan, those of --set to the working directory", "cannot read %s: %v", path, cause(err))
	case info.IsDir():
		return problem("", "cannot read %s: it is a folder: write %s/*.jsonl", path, strings.TrimRight(path, "/"))
	case !info.Mode().IsRegular():
		return problem("name a file of rows", "%s is not a regular file", path)
	}
	if _, ok := f.format(path); !ok {
		return problem(formatHint(path), "%s", rows.NoFormat(path))
	}
	file, err := os.Open(storage.LocalPath(path))
	if err != nil {
		return problem("give this user the right to read it", "cannot read %s: %v", path, cause(err))
	}
	defer file.Close()
	sample, err := filecheck.TakeSample(file, info.Size(), f.Layout(path))
	if err != nil {
		var failure *stages.Failure
		if err = rows.Unreadable(stages.CodePlan, wholeHint, path, err); errors.As(err, &failure) {
			return problem(failure.Hint, "%v", failure)
		}
		return problem("", "%v", err)
	}
	out := f.findings(path, sample)
	if f.labels != nil && f.labels.Check != nil {
		out = append(out, filecheck.Labels(file, info.Size(), option, path, f.Layout(path), *f.labels)...)
	}
	if f.languages != nil {
		out = append(out, filecheck.Languages(file, info.Size(), path, f.Layout(path), f.languages)...)
	}
	return out
}

// findings are what a sample of a file says.
func (f *Files) findings(path string, s *filecheck.Sample) []stages.FileProblem {
	var out []stages.FileProblem
	looked := "looked at"
	if s.Whole {
		looked = "in the file"
	}
	if bad := s.Stats.Bad(); bad > 0 {
		out = append(out, stages.FileProblem{File: path, Line: s.Line, Hint: badRowsHint, Warning: !s.TooBad(f.MaxBadRows),
			Message: fmt.Sprintf("%s; %d of the %d rows %s are of no use, files.max_bad_rows is %g", s.Problem, bad, s.Stats.Read, looked, f.MaxBadRows)})
	}
	warn := func(hint, format string, args ...any) {
		out = append(out, stages.FileProblem{File: path, Hint: hint, Warning: true, Message: fmt.Sprintf(format, args...)})
	}
	if s.Stats.Encoding == text.Windows1252 && (f.Encoding == "" || f.Encoding == text.Auto) {
		warn("files: {encoding: windows-1252} says so; any other name of an encoding is taken too", "the text is no UTF-8 and is read as Windows-1252 (Latin-1)")
	}
	if n := s.Stats.Mended; n > 0 {
		warn("save the file as UTF-8, or say files.encoding", "%d of the %d rows %s are no UTF-8, and are mended with U+FFFD", n, s.Stats.Read, looked)
	}
	return out
}

// cause is an error of a file without its path, which the message has.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
