package model

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
)

// openModel opens the model of a command's flags. If keywords answer for it, it
// says so. opened, if not nil, is told of its folder.
func openModel(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags, opened func(*release.Folder)) (c *classify.Classifier, fallback error, done func(), err error) {
	o, err := answerOptions(a, cmd, m)
	if err != nil {
		return nil, nil, nil, err
	}
	o.Opened = opened
	c, fallback, done, err = answers.Open(ctx, o)
	if err != nil {
		return nil, nil, nil, noModel(ctx, a, cmd, m, err)
	}
	if fallback != nil {
		sayKeywords(a, m.ref, fallback)
	}
	return c, fallback, done, nil
}

// answerOptions say which model the flags of a command name, and where it is.
func answerOptions(a *app.App, cmd *cobra.Command, m *modelFlags) (answers.Options, error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return answers.Options{}, err
	}
	if err := release.CheckBackend(m.backend, cfg.Device); err != nil {
		return answers.Options{}, &diagnostic.UsageError{Message: "--backend: " + err.Error()}
	}
	keys, err := a.StoreKeys(cfg)
	if err != nil {
		return answers.Options{}, err
	}
	trust, err := a.ModelTrust(cfg)
	if err != nil {
		return answers.Options{}, err
	}
	store := cfg.Store
	if app.Absent(store) {
		store = "mem://" // a reference may be a folder, and looking makes none
	}
	return answers.Options{
		Ref: m.ref, Store: store, Keys: keys, Trust: trust, Device: cfg.Device, Backend: m.backend, Cache: cfg.Cache, Offline: cfg.Offline, Strict: m.strict, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) },
	}, nil
}

// noModel is why there is no model: if there is no store, that one.
func noModel(ctx context.Context, a *app.App, cmd *cobra.Command, m *modelFlags, err error) error {
	if executor.Code(err) != stages.CodeEnvironment || !errors.Is(err, storage.ErrNotFound) || strings.Contains(m.ref, "/") {
		return err
	}
	cfg, _, bad := a.LoadConfig(cmd, "")
	if bad != nil || !app.Absent(cfg.Store) {
		return err
	}
	_, none := a.ReadStore(ctx, cfg)
	return stages.Fail(stages.CodeEnvironment, executor.Hint(none), "no model %s: %w", storage.Redact(m.ref), none)
}

// sayKeywords says that keywords answer in the place of a model.
func sayKeywords(a *app.App, model string, why error) {
	fmt.Fprintf(a.Stderr, "sprint: keywords answer, the model %s cannot be loaded: %v\n", model, why)
}
