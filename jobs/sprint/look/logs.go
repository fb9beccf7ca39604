package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// runIDPattern tells a run's id from a stage's name, which begins with a letter.
var runIDPattern = regexp.MustCompile(`^[0-9]`)

func logsCommand(a *app.App) *cobra.Command {
	var stage string
	var attempt int
	var follow bool
	cmd := &cobra.Command{
		Use: "logs [RUN] [STAGE]", Short: "Print the logs of a run; the newest by default", Args: cobra.MaximumNArgs(2),
		Long: `Print the logs of a run, or of one of its stages; the newest run by default.
Stages come in the order of the run, each line with its local time; -v shows lines
for developers and whole dates too. Logs are in the store while they are written:
at most a second behind the run, from any machine that can read the store. Of what a
command prints they have the first 16 MiB of each stream, and its last 100 lines.

With --follow it goes on until the run ends, and then ends with the run's own
exit code. If the run's runner was killed, it says so and ends with 75.`,
		Example: "  sprint logs\n  sprint logs -f train\n  sprint logs -f 20260102-030405-a1b2c3 train --store s3://bucket",
		RunE: a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
			run := ""
			if len(args) > 0 && (len(args) == 2 || runIDPattern.MatchString(args[0])) {
				run, args = args[0], args[1:]
			}
			if len(args) > 0 {
				if stage != "" && stage != args[0] {
					return &diagnostic.UsageError{Message: fmt.Sprintf("two stages are asked for, %s and %s", args[0], stage), Hint: "leave out --stage"}
				}
				stage = args[0]
			}
			if run == "" {
				var err error
				if run, err = catalog.NewestWithLogs(ctx, store, follow); err != nil {
					return err
				}
			}
			if err := catalog.CheckTried(ctx, store, run, stage, follow); err != nil {
				return err
			}
			f := &runs.Follower{Store: store, Run: run, Stage: stage, Attempt: attempt, Out: a.Stdout, Line: logLine(a)}
			if !follow {
				return f.Print(ctx)
			}
			record, err := f.Until(ctx)
			switch {
			case errors.Is(err, runs.ErrRunnerGone):
				fmt.Fprintf(a.Stderr, "sprint: %v\n", err)
				if r, err := runs.LoadResolved(ctx, store, run); err == nil && r.Command != "" {
					fmt.Fprintf(a.Stderr, "continue with:\n  %s\n", a.Hint(r.Command))
				}
				return app.Exit(stages.CodeInterrupted)
			case err != nil:
				return err
			case record.Code != 0:
				fmt.Fprintf(a.Stderr, "sprint: run %s ended with code %d (%s)\n", run, record.Code, record.Class)
				return app.Exit(record.Code)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&stage, "stage", "", "of this stage alone")
	a.JSONFlag(cmd, "one JSON object per line")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "of this attempt alone")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run ends")
	return cmd
}

// storedLine are the time, level and message of a stored line.
var storedLine = regexp.MustCompile(`^(\S+T\S+Z?) +(DEBUG|INFO|WARN|ERROR)[+-]?[0-9]* +(.*)$`)

// loggedLine is a line of logs -o json.
type loggedLine struct {
	Time    time.Time `json:"time,omitzero"` // absent for what follows a line
	Level   string    `json:"level,omitempty"`
	Stage   string    `json:"stage"`
	Attempt int       `json:"attempt"`
	Message string    `json:"message"`
}

// logLine writes stored lines for people: time, stage, message, and the level only where
// it is a warning or worse. Those for developers need -v.
func logLine(a *app.App) func(stage string, attempt int, line string) string {
	hidden := false // the line before was
	return func(stage string, attempt int, line string) string {
		x := loggedLine{Stage: stage, Attempt: attempt, Message: line}
		m := storedLine.FindStringSubmatch(line)
		if m != nil {
			when, err := time.Parse(time.RFC3339, m[1])
			if err == nil {
				x.Time, x.Level, x.Message = when, m[2], m[3]
			}
			hidden = m[2] == "DEBUG" && !a.Verbose
		}
		if hidden {
			return ""
		}
		if a.AsJSON {
			text, err := json.Marshal(x)
			if err != nil {
				return ""
			}
			return string(text)
		}
		if attempt > 1 {
			stage = fmt.Sprintf("%s#%d", stage, attempt)
		}
		if x.Time.IsZero() {
			return fmt.Sprintf("         %-10s %s", stage, line)
		}
		format := time.TimeOnly
		if a.Verbose {
			format = time.DateTime
		}
		level := ""
		switch {
		case x.Level == "WARN":
			level = "warning: "
		case x.Level == "ERROR":
			level = "error: "
		case a.Verbose:
			level = strings.ToLower(x.Level) + ": "
		}
		return fmt.Sprintf("%s %-10s %s%s", x.Time.Local().Format(format), stage, level, x.Message)
	}
}
