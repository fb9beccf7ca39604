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
	"github.com/sprint-ml/sprint/storage"
)

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
		return problem(formatHint, "%s", rows.NoFormat(path))
	}
	return nil
}

// cause is an error of a file without its path, which the message has.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
