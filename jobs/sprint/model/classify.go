// Package model holds the commands that use a model, list models and move their aliases.
// Each file is a command, or what one reads or shows. What answers is in jobs/answers and jobs/serve.
package model

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Commands are the commands that use a model.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{classifyCommand(a), serveCommand(a), modelsCommand(a), promoteCommand(a), rollbackCommand(a)}
}

// modelFlags say which model answers, and on what.
type modelFlags struct {
	ref, backend string
	strict       bool
}

func (m *modelFlags) add(cmd *cobra.Command, a *app.App) {
	cmd.Flags().StringVar(&m.ref, "model", "", "NAME, NAME@VERSION, NAME@ALIAS, a release folder, or a store URL of one")
	cmd.Flags().BoolVar(&m.strict, "strict", false, "end with code 4 instead of letting keywords answer when the model cannot be loaded, and with 9 if a release folder has no manifest.json")
	cmd.Flags().StringVar(&a.Flags.Device, "device", "", "device: auto, cpu, cuda or go")
	app.Overrides(cmd.Flags(), "device")
	a.KeyFlag(cmd, "file of a public key; a model that it, or another --key, did not sign is refused before it is loaded")
	cmd.Flags().StringVar(&m.backend, "backend", release.BackendDevice, "what computes: device, or onnx: ONNX Runtime, fetched once (28 MB), seldom sooner where the processor has AVX2")
	_ = cmd.MarkFlagRequired("model")
}

// classifyLong is the help of classify.
const classifyLong = `Answer for each row of the input, in order: a table on a terminal, elsewhere a JSON
line on stdout, or csv or parquet by the extension of --output. A model of one label per
row answers one category or none, with its probability; one that always saw a category
answers one of a text about nothing, too: --min-probability says how sure it must be. top
is the strongest category over its threshold, or null. Rows need a title; description,
id and url are used if there, and language where the model's rules are by language. Texts
can be given as arguments too, or one a line: as a .txt file, on standard input or typed
at a terminal. Blank lines are passed over. That a text is not UTF-8 is said on standard
error, with the encoding it was read as. Answers stand in the order of the rows; a csv
file has the other columns of a csv or parquet input behind them, JSON lines and parquet
have id and url alone.

--input and --output may be store URLs too (s3://, gs://, file://). A file of answers is
there under its name when all rows are answered, never half: until then it is
OUTPUT.partial (of a store URL, a file in the cache folder). --resume goes on with what a
killed command left there, from the last answers that are whole, and writes the bytes
that it would have written; it refuses if the input, the model or a flag changed since.
A killed command loses the answers of seconds.
However long the input is, a few thousand rows of it are held in memory.`

func classifyCommand(a *app.App) *cobra.Command {
	var m modelFlags
	var in input
	var output, show string
	var showAll, resume bool
	var sure float64
	cmd := &cobra.Command{
		Use: "classify --model REF [TEXT...]", Short: "Answer which categories texts belong to",
		Long:    classifyLong,
		Example: "  sprint classify --model quickstart \"Storm closes the harbour\"\n  sprint classify --model quickstart --input rows.jsonl --output answers.csv\n  sprint classify --model quickstart --input rows.jsonl --output s3://bucket/answers.parquet --resume\n  sprint classify --model quickstart --input texts.txt -o table",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.args = args
			if err := in.check(); err != nil {
				return err
			}
			switch {
			case sure < 0 || sure > 1:
				return &diagnostic.UsageError{Message: fmt.Sprintf("--min-probability %g: a probability is from 0 to 1", sure)}
			case !slices.Contains([]string{"", "json", "table"}, show):
				return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: answers are shown as json or table", show), Hint: "csv and parquet are written to a file: --output answers.csv"}
			case resume && (output == "-" || output == "" || len(args) > 0 || in.file == "" || in.file == "-"):
				return &diagnostic.UsageError{Message: "--resume goes on with a file of answers about a file of rows", Hint: "name both, --input FILE --output FILE"}
			case show != "" && output != "-":
				return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s is for standard output, --output writes to a file by its extension: choose one", show)}
			}
			if format := answersFormat(output); format != "" && !slices.Contains(answersFormats, format) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--output %s: answers are written as .csv, .parquet, .jsonl or .json", output), Hint: "name the file by one of them, or - for standard output"}
			}
			if in.overwrittenBy(a, output) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--output %s is the file of the input: its rows would be lost", output), Hint: "name another file for the answers"}
			}
			return classifyTexts(cmd.Context(), a, cmd, &m, &in, sinkOptions{output, show, m.backend, showAll, resume, sure})
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVarP(&in.file, "input", "i", "", "file or store URL of rows, - for stdin")
	cmd.Flags().StringVar(&output, "output", "-", "file or store URL for the answers, .csv, .parquet, .jsonl or .json; - for stdout")
	cmd.Flags().BoolVar(&resume, "resume", false, "go on with the answers that a killed command left beside --output")
	cmd.Flags().StringVarP(&show, "show", "o", "", "json or table: how answers are shown on stdout; a table on a terminal, else json")
	cmd.Flags().StringVar(&in.format, "format", "", "format of the input: jsonl, csv, parquet or text, one text a line; if absent by extension, or by how it begins")
	cmd.Flags().StringToStringVar(&in.columns, "columns", nil, "what the file calls columns, by our names: title=subject,description=body")
	cmd.Flags().Float64Var(&sure, "min-probability", 0, "how probable the answer of a model of one label per row must be, 0 to 1; less is none")
	cmd.Flags().BoolVar(&showAll, "all", false, "show categories below their threshold too")
	return cmd
}

// answersFormats are the extensions of files of answers. A file without any, such as a
// pipe, takes JSON lines.
var answersFormats = []string{rows.CSV, rows.Parquet, rows.JSONL, "json", "ndjson"}

// answersFormat is the extension of --output in small letters, without its dot.
func answersFormat(output string) string {
	if strings.Contains(output, "://") {
		output, _, _ = strings.Cut(output, "?")
	}
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(output), "."))
}
