package executor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

const theSecret = "tok-Qw7Er9Ty3"

// careless tells its secret wherever a stage can, and ends as its device says.
type careless struct{ env stages.Env }

func (c careless) Preflight(context.Context) error {
	if c.env.Device == "preflight" {
		return stages.Fail(stages.CodeEnvironment, "try "+c.tell(), "refused: %s", c.tell())
	}
	return nil
}

func (c careless) tell() string {
	v, err := c.env.Secret("env:TOKEN")
	if err != nil {
		panic(err)
	}
	return v + " or " + base64.StdEncoding.EncodeToString([]byte("u:"+v))
}

func (c careless) Run(context.Context, stages.Inputs, stages.Outputs) error {
	text := c.tell()
	c.env.Log.Info("saying", "attr", text)
	c.env.Progress(stages.Progress{Text: text})
	c.env.Note("note", map[string]any{"list": []any{text}, "words": []string{text}, "n": 1, text: true})
	switch c.env.Device {
	case "failure":
		return stages.Lose(stages.CodeMemory, "try "+text, "not with %s: %w", text, errors.ErrUnsupported)
	case "verdict":
		return &stages.Verdict{Code: stages.CodeGate, Message: "bad " + text, Hint: "not " + text}
	case "error":
		return fmt.Errorf("with %s: %w", text, storage.ErrCorrupt)
	case "panic":
		panic(text)
	}
	return nil
}

// told is a sink that keeps what it is told.
type told struct{ all strings.Builder }

func (s *told) Progress(p stages.Progress)       { fmt.Fprintln(&s.all, p) }
func (s *told) Note(name string, value any)      { fmt.Fprintln(&s.all, name, value) }
func (s *told) Log(_ slog.Level, message string) { fmt.Fprintln(&s.all, message) }

// TestAStageCannotTellItsSecret: whatever a kind does with a secret that it asked for,
// nothing of it reaches log, notes, progress, errors, hints and manifests, and errors stay of
// their kind.
func TestAStageCannotTellItsSecret(t *testing.T) {
	registry := stages.Registry{{
		Name: "careless", Version: 1, Options: func() any { return &struct{}{} }, Outputs: func(any) []stages.Output { return nil },
		New: func(_ any, env stages.Env) stages.Stage { return careless{env} },
	}}
	for end, code := range map[string]stages.Code{"done": 0, "failure": 8, "verdict": 5, "error": 9, "panic": 1, "preflight": 4} {
		store, err := storage.Open(t.Context(), "mem://", nil)
		if err != nil {
			t.Fatal(err)
		}
		p := executor.InProcess{Registry: registry, Store: store, Secret: func(string) (string, error) { return theSecret, nil }}
		a := &runs.Attempt{Run: "20260102-030405-00012345", Stage: "stage", Number: 1, Kind: "careless", Key: strings.Repeat("ab", 32), Generation: 1, Options: json.RawMessage("{}"), Preimage: json.RawMessage("{}"), Device: end}
		sink := &told{}
		err = p.Preflight(t.Context(), a, sink)
		if err == nil {
			o := p.Execute(t.Context(), a, sink)
			err = o.Err
			if (end == "failure") != (o.Cause == executor.CauseMachine) {
				t.Errorf("%s: the cause is %q", end, o.Cause)
			}
		}
		manifest, _ := store.Manifest(t.Context(), a.Kind, a.Key)
		kept, _ := json.Marshal(manifest)
		all := fmt.Sprintf("%s %v %s %s", sink.all.String(), err, executor.Hint(err), kept)
		if strings.Contains(all, theSecret) || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte("u:" + theSecret))[4:12]) || !strings.Contains(all, "***") {
			t.Errorf("%s: %s", end, all)
		}
		if got := executor.Code(err); got != code {
			t.Errorf("%s: code %d, want %d", end, got, code)
		}
		if end == "failure" && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: the cause of %v is gone", end, err)
		}
		store.Close()
	}
}
