//go:build unix

package command_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/command"
	"github.com/sprint-ml/sprint/stages/program"
)

// TestMain lets the test binary be a guard, and play the runner of a script that
// tests kill.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == program.GuardWord {
		os.Exit(program.Guard(os.Args[2:]))
	}
	if script := os.Getenv("COMMAND_TEST_SCRIPT"); script != "" {
		dir, err := os.MkdirTemp("", "killed-*")
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, "work"), 0o755)
		}
		if err != nil {
			os.Exit(3)
		}
		env := stages.Env{Scratch: dir, Log: slog.New(slog.DiscardHandler), Note: func(string, any) {}}
		guards(&env)
		_ = command.Kind().New(sh(script), env).Run(context.Background(), nil, nil)
		os.Exit(4)
	}
	os.Exit(m.Run())
}

// guards lets programs run below guards where there are any.
func guards(env *stages.Env) {
	if os.Getenv("COMMAND_TEST_GUARDS") != "none" {
		env.Program = os.Args[0]
	}
}
