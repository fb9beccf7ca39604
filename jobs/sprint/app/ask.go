package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"golang.org/x/term"
)

// Ask returns what puts a question to whoever sits at the terminal, nil if nobody does.
// Questions go to stderr; an empty line takes what is proposed.
func (a *App) Ask() func(question, flag, proposed string, choices []string) (string, error) {
	in, ok := a.Stdin.(*os.File)
	if !ok || a.Quiet || !term.IsTerminal(int(in.Fd())) || sanitize.Terminal(a.Stderr.Out) == nil {
		return nil
	}
	lines := bufio.NewScanner(in)
	return func(question, flag, proposed string, choices []string) (string, error) {
		fmt.Fprintf(a.Stderr, "%s (%s)\n  of %s\n  [%s] ", question, flag, strings.Join(choices, ", "), proposed)
		if !lines.Scan() {
			return "", &diagnostic.UsageError{Message: "no answer", Hint: "give " + flag}
		}
		if answer := strings.TrimSpace(lines.Text()); answer != "" {
			return answer, nil
		}
		return proposed, nil
	}
}
