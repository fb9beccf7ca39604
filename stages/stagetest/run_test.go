package stagetest_test

import (
	"context"
	"io"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
)

type options struct{ Fail bool }

// Resolve answers from a pin, so that the harness's Lookup is tried as well.
func (o *options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	v, err := lookup.Pin(ctx, "p", func(context.Context) (string, error) { return lookup.Now().Format("2006"), nil })
	return stages.External{"year": v}, err
}

func (o *options) Check() []stages.Problem {
	if o.Fail {
		return []stages.Problem{{Path: "fail", Message: "must be false"}}
	}
	return nil
}

// upper copies its input after the resolved year and judges it.
type upper struct{ env stages.Env }

func (u upper) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	r, err := in.Open(ctx, "text")
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := out.Create(ctx, "result", "text/plain")
	if err != nil {
		return err
	}
	defer w.Abort()
	io.WriteString(w, u.env.External["year"].(string))
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	u.env.Note("device", "cpu")
	u.env.Progress(stages.Progress{Done: 1})
	u.env.Log.Info("copied")
	if err := w.Commit(); err != nil {
		return err
	}
	return &stages.Verdict{Code: stages.CodeGate, Message: "judged"}
}

func kind() stages.Kind {
	return stages.Kind{
		Name: "upper", Version: 1,
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "text"}} },
		Outputs: func(any) []stages.Output { return []stages.Output{{Name: "result"}} },
		Options: func() any { return &options{} },
		New:     func(_ any, env stages.Env) stages.Stage { return upper{env} },
	}
}

func TestRun(t *testing.T) {
	r := stagetest.Run(t, stagetest.Case{Kind: kind(), Options: &options{}, Inputs: map[string]any{"text": "!"}})
	if v, ok := r.Err.(*stages.Verdict); !ok || v.Code != stages.CodeGate {
		t.Errorf("ended with %v", r.Err)
	}
	if got := string(r.File(t, "result")); got != "2026!" {
		t.Errorf("result %q", got)
	}
	if r.Notes["device"] != "cpu" || len(r.Progress) != 1 || r.Log == "" {
		t.Errorf("notes %v, progress %v, log %q", r.Notes, r.Progress, r.Log)
	}
}

func TestTryReportsProblems(t *testing.T) {
	if _, err := stagetest.Try(t, stagetest.Case{Kind: kind(), Options: &options{Fail: true}}); err == nil {
		t.Error("a problem of Check was not reported")
	}
}

func TestInputsOfEveryShape(t *testing.T) {
	s := stagetest.Store(t)
	r := stagetest.Run(t, stagetest.Case{Kind: kind(), Options: &options{}, Store: s, Inputs: map[string]any{"text": []byte("x"), "tree": map[string][]byte{"a/b": []byte("1")}}})
	again := stagetest.Run(t, stagetest.Case{Kind: kind(), Options: &options{}, Store: s, Inputs: map[string]any{"text": r.Outputs["result"]}})
	if got := string(again.File(t, "result")); got != "20262026x" {
		t.Errorf("an artifact as input gave %q", got)
	}
	var _ storage.Artifact = again.Outputs["result"]
}
