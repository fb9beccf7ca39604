package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitAsks: on a terminal the columns are asked for, an empty line takes what is
// proposed, and what a flag says is not asked.
func TestInitAsks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"tickets.csv": string(authored(t, "tickets", 1, 120))})
	t.Chdir(dir)
	for _, c := range []struct {
		typed, folder string
		flags         []string
		asked         int
		plan          string
	}{
		{"\nbody\n", "one", nil, 2, "columns: {title: body, label: category}"},
		{"none\n", "two", []string{"--text", "subject"}, 1, "columns: {title: subject}"},
		{"", "three", []string{"--text", "subject", "--label", "category"}, 0, "columns: {title: subject, label: category}"},
	} {
		keyboard, screen := terminal(t)
		if _, err := keyboard.WriteString(c.typed); err != nil {
			t.Fatal(err)
		}
		shown := readAll(keyboard)
		args := append([]string{"init", c.folder, "--from", "tickets.csv"}, c.flags...)
		code := run(context.Background(), args, []string{"HOME=" + dir, "TERM=xterm"}, screen, screen, screen)
		if err := screen.Close(); err != nil {
			t.Fatal(err)
		}
		text := <-shown
		plan, err := os.ReadFile(filepath.Join(c.folder, "plan.yaml"))
		if code != 0 || err != nil || strings.Count(text, "Which column") != c.asked || !strings.Contains(string(plan), c.plan) {
			t.Errorf("%v ends with %d, %v: %s\n%s", args, code, err, text, plan)
		}
	}
}
