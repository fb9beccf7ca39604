package main

import (
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/stages"
)

// exitTable is the exit table as --help prints it.
func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range stages.Exits() {
		fmt.Fprintf(&b, "  %3d  %s\n", e.Code, e.Meaning)
	}
	return b.String()
}

// exitError ends a command with a code after its message was printed.
type exitError struct{ code stages.Code }

func (e *exitError) Error() string { return e.code.Class() }
