package remote

import (
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// unfit is what to do about a job whose program the machine cannot begin, by what its
// loader or its shell printed; empty if that is not why it ended.
func unfit(s executor.Status, log string) string {
	if s.Phase != executor.PhaseEnded || s.Known && s.ExitCode == 0 || s.ExitCode >= 128 {
		return ""
	}
	for _, words := range []string{"version `GLIBC_", "version 'GLIBC_", "version `GLIBCXX_"} {
		if at := strings.Index(log, words); at >= 0 && strings.Contains(log[at:], "not found") {
			return "its C library is older than the program's: choose a machine or an image with a newer glibc, or run a sprint that was built with CGO_ENABLED=0"
		}
	}
	switch {
	case strings.Contains(log, "Exec format error"), strings.Contains(log, "cannot execute binary file"):
		return "the program is for another platform: run sprint on one like that machine, or choose a machine like this one"
	case s.Known && s.ExitCode == 127 && strings.Contains(log, "not found"):
		return "choose a machine or an image with glibc, /bin/sh, coreutils, and curl, wget or python3"
	case s.Known && s.ExitCode == 126:
		return "let SPRINT_PROGRAM_DIR, or the folder of the executor, be on a disk from which programs may be run (not noexec)"
	}
	return ""
}
