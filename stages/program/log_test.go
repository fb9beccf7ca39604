package program

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestLogIsBounded: what a program prints beyond the limit is left out of its log, but for the
// last lines, in their order.
func TestLogIsBounded(t *testing.T) {
	var out bytes.Buffer
	plain := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "stream" {
			return slog.Attr{}
		}
		return a
	}}))
	for _, lines := range []int{0, 10, 11, 10 + lastLines, 1000} {
		out.Reset()
		var in, want strings.Builder
		for i := range lines {
			fmt.Fprintf(&in, "line %05d\n", i)
		}
		Program{Log: plain}.lines(strings.NewReader(in.String()), "stdout", 100, nil)
		for i := range lines {
			if i == 10 {
				fmt.Fprintf(&want, "level=WARN msg=\"the log is full: of what follows, the last lines are logged when the program has ended\" lines=%d\n", lastLines)
				if lines > 10+lastLines {
					fmt.Fprintf(&want, "level=WARN msg=\"lines are left out here\" lines=%d\n", lines-10-lastLines)
				}
			}
			if i < 10 || i >= lines-lastLines {
				fmt.Fprintf(&want, "level=INFO msg=output line=\"line %05d\"\n", i)
			}
		}
		if out.String() != want.String() {
			t.Errorf("%d lines: %s", lines, out.String())
		}
	}
}
