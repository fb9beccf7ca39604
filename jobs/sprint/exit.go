package main

import (
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/jobs"
)

// exitCodes is the table that --help prints.
var exitCodes = []struct {
	code int
	text string
}{
	{0, "done or cached"},
	{1, "a stage failed"},
	{2, "usage"},
	{3, "plan, taxonomy, --set or a file they name is invalid"},
	{4, "environment: device, credentials, store, network, disk"},
	{5, "a check of verify failed"},
	{6, "work pending (plan --exit-code)"},
	{7, "lease held by a live run"},
	{8, "out of memory after fall-backs"},
	{9, "integrity: bytes that fail their digest or format"},
	{10, "publish refused"},
	{11, "a source gave fewer rows than demanded"},
	{75, "interrupted, the same command continues"},
	{124, "deadline, nothing to continue from"},
	{130, "interrupted twice"},
}

func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.text)
	}
	return b.String()
}

// exitError ends a command with a code after its message was printed.
type exitError struct{ code int }

func (e *exitError) Error() string { return jobs.Class(e.code) }
