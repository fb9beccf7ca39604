package model

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/text"
	"github.com/sprint-ml/sprint/stages/rows/titles"
	"github.com/sprint-ml/sprint/storage"
)

// formatText is the format of an input with one text a line.
const formatText = "text"

// formats are the words of --format.
var formats = []string{rows.JSONL, rows.CSV, rows.Parquet, formatText}

const formatHint = "--format says what the input is: jsonl, csv, parquet or text"

// input says where the texts to classify come from.
type input struct {
	args   []string // texts; with any, nothing is read
	file   string   // - or empty is standard input
	format string   // of formats; empty is told from the name or the first bytes
	// columns are the file's names of columns by ours.
	columns map[string]string
	// others are columns to pass on; nil passes none on.
	others *rows.Others
	// source is the open file; nil is standard input.
	source *answers.Source
	// skip is how many rows are passed over.
	skip int
	// remarks say how the input was read, where that is no matter of course.
	remarks []string
}

func (in *input) check() error {
	if len(in.args) > 0 && in.file != "" {
		return &diagnostic.UsageError{Message: "texts and --input cannot be given together"}
	}
	if in.format != "" && !slices.Contains(formats, in.format) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--format %s: the input is %s", in.format, strings.Join(formats[:3], ", ")+" or text"), Hint: diagnostic.Meant(in.format, formats)}
	}
	if err := in.foreign(); err != nil {
		return err
	}
	if problems := rows.CheckColumns("", in.columns); len(problems) > 0 {
		return &diagnostic.UsageError{Message: "--columns: " + problems[0].Message, Hint: problems[0].Hint}
	}
	return nil
}

// foreign refuses a file whose name tells that it holds neither rows nor lines, unless
// --format says what it holds.
func (in *input) foreign() error {
	if _, ok := rows.FormatOf(in.file); ok || in.format != "" || textFile(in.file) {
		return nil
	}
	extension, hint := strings.ToLower(filepath.Ext(in.file)), ""
	if _, ok := text.Export(extension); !ok {
		if extension != ".gz" {
			return nil
		}
		hint = formatHint
	}
	return &diagnostic.UsageError{Message: rows.NoFormat(in.file), Hint: hint}
}

// textFile reports whether a file is called one of lines.
func textFile(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(name), ".gz"), ".txt")
}

// open opens the file of rows, if there is one. again asks for one that can be read twice.
func (in *input) open(ctx context.Context, again bool) (err error) {
	if len(in.args) > 0 || in.file == "" || in.file == "-" {
		return nil
	}
	in.source, err = answers.OpenSource(ctx, in.file, again)
	var path *fs.PathError
	if errors.As(err, &path) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("cannot read --input: %v", err)}
	}
	if err != nil {
		return stages.Fail(stages.CodeEnvironment, "check --input", "cannot read --input: %w", err)
	}
	return nil
}

// close closes what open opened.
func (in *input) close() {
	if in.source != nil {
		in.source.Close()
	}
}

// share is which part of the input was read; ok is false where that is not known.
func (in *input) share() (share float64, ok bool) {
	if in.source == nil {
		return 0, false
	}
	return in.source.Share()
}

// asked reports whether somebody types the texts at a terminal.
func (in *input) asked(a *app.App) bool {
	f, ok := a.Stdin.(*os.File)
	return ok && len(in.args) == 0 && (in.file == "" || in.file == "-") && sanitize.Terminal(f) != nil
}

// overwrittenBy reports whether the file of the answers is that of the input, under
// whichever name.
func (in *input) overwrittenBy(a *app.App, output string) bool {
	if len(in.args) > 0 || output == "-" || output == "" {
		return false
	}
	if answers.SameFile(in.file, output) {
		return true
	}
	output = storage.LocalPath(output)
	if in.file == "-" || in.file == "" {
		stdin, isFile := a.Stdin.(*os.File)
		return isFile && plainfile.SameAs(stdin, output)
	}
	return plainfile.Same(storage.LocalPath(in.file), output)
}

// eachArgument visits the texts of a command line.
func (in *input) eachArgument(ctx context.Context, visit func(context.Context, *rows.Row) error) error {
	mended := 0
	for _, t := range in.args {
		row := &rows.Row{Title: titles.Normalize(t)}
		if row.Title == "" {
			row.Problem = "no title"
		}
		if !utf8.ValidString(t) {
			mended++
		}
		if err := visit(ctx, row); err != nil {
			return err
		}
	}
	if mended > 0 {
		in.remarks = append(in.remarks, fmt.Sprintf("in %d of the texts U+FFFD stands for bytes that are no UTF-8", mended))
	}
	return nil
}

// each visits the rows to classify in order, and in the place of those that cannot be
// used what is wrong with them. It holds none of them.
func (in *input) each(ctx context.Context, a *app.App, visit func(context.Context, *rows.Row) error) error {
	if len(in.args) > 0 {
		return in.eachArgument(ctx, visit)
	}
	r := a.Stdin
	if in.source != nil {
		r = in.source
	}
	buffered := bufio.NewReaderSize(r, 64<<10)
	format := in.format
	if format == "" {
		format = in.guess(buffered)
	}
	var failed error // of the answers, not of the input
	visitRow := func(row *rows.Row, _ []string) error {
		if in.skip > 0 {
			in.skip--
			return ctx.Err()
		}
		if failed = ctx.Err(); failed == nil {
			failed = visit(ctx, row)
		}
		return failed
	}
	if format == formatText {
		encoding, mended, err := in.eachLine(buffered, in.asked(a), visitRow)
		if err != nil && failed == nil {
			err = in.unreadable(err)
		}
		in.remark(encoding, mended)
		return err
	}
	from := io.Reader(buffered)
	if format == rows.Parquet && in.source != nil && in.source.File() != nil {
		from = in.source.File() // it is read where its columns lie
	}
	_, stats, err := rows.Each(from, rows.Layout{Format: format, Columns: in.columns, Titled: true, Flag: "--columns", Others: in.others, Live: r == a.Stdin}, &rows.Budget{}, visitRow)
	if err != nil && failed == nil {
		err = in.unreadable(err)
	}
	in.remark(stats.Encoding, stats.Mended)
	return err
}

// remark keeps what is to be said of an encoding, and of rows with bytes that are none of it.
func (in *input) remark(encoding string, mended int) {
	if encoding != "" && encoding != text.UTF8 {
		in.remarks = append(in.remarks, fmt.Sprintf("%s is no UTF-8 and was read as %s", in.name(), encoding))
	}
	if mended > 0 {
		in.remarks = append(in.remarks, fmt.Sprintf("%s is not all UTF-8: U+FFFD stands for bytes that are none (rows: %d); save it as UTF-8", in.name(), mended))
	}
}

// name is what messages call the input.
func (in *input) name() string {
	if in.file == "" || in.file == "-" {
		return "standard input"
	}
	return in.file
}

// unreadable is the failure of an input that cannot be read. A flag that names a column
// which is not there is a mistake of the command line.
func (in *input) unreadable(err error) error {
	name := "read the input"
	if columns, ok := errors.AsType[*rows.UnknownColumns](err); ok {
		if name = in.name(); columns.Named {
			return &diagnostic.UsageError{Message: fmt.Sprintf("%s %v", name, columns)}
		}
	}
	return rows.Unreadable(stages.CodeStage, formatHint, name, err)
}

// guess tells the format from the file's name, else from how the input begins: JSON
// begins with a bracket, parquet with its mark, a csv with a line that names the column
// title. All else is text.
func (in *input) guess(r *bufio.Reader) string {
	if format, ok := rows.FormatOf(in.file); ok {
		return format
	}
	if textFile(in.file) {
		return formatText
	}
	_, _ = r.Peek(1) // what it cannot read, the reading tells
	begin, _ := r.Peek(r.Buffered())
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte("\ufeff")), " \t\r\n")
	head, _, _ := bytes.Cut(begin, []byte("\n"))
	columns := strings.Split(strings.TrimSpace(string(head)), ",")
	switch {
	case bytes.HasPrefix(begin, []byte("{")), bytes.HasPrefix(begin, []byte("[")):
		return rows.JSONL
	case bytes.HasPrefix(begin, []byte("PAR1")):
		return rows.Parquet
	case slices.ContainsFunc(columns, func(c string) bool { return strings.EqualFold(strings.Trim(c, ` "`), "title") }):
		return rows.CSV
	}
	return formatText
}
