package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
)

const refreshed = "name: a\nrefresh: {%}\nstages: [{name: fetch}]\n"

// TestRefresh: a plan is silent or says when its model is trained anew.
func TestRefresh(t *testing.T) {
	silent, err := config.ParsePlan("p.yaml", []byte("name: a\nstages: [{name: fetch}]\n"))
	want := config.Refresh{MaxAge: config.Span(90 * 24 * time.Hour), Drift: 0.2, F1Drop: 0.05, Cooldown: config.Span(7 * 24 * time.Hour), MinChange: -0.01}
	if err != nil || silent.Refresh != want {
		t.Errorf("%v, %+v", err, silent.Refresh)
	}
	given, err := config.ParsePlan("p.yaml", []byte(strings.Replace(refreshed, "%", "max_age: 30d, drift: 0, rows: 500, cooldown: 90m, min_change: 0.02", 1)))
	want = config.Refresh{MaxAge: config.Span(30 * 24 * time.Hour), F1Drop: 0.05, Rows: 500, Cooldown: config.Span(90 * time.Minute), MinChange: 0.02}
	if err != nil || given.Refresh != want {
		t.Errorf("%v, %+v", err, given.Refresh)
	}
	for text, want := range map[string]string{
		"max_age: 30 days":     "p.yaml:2:20: refresh.max_age",
		"max_age: -1d":         "want a time such as 30d or 12h",
		"max_age: 9999999d":    "up to 36500d",
		"max_age: NaNd":        "want a time such as 30d or 12h",
		"max_age: [1d]":        "want text",
		"drift: -1":            "refresh.drift",
		"f1_drop: 5":           "refresh.f1_drop",
		"rows: 1.5":            "refresh.rows",
		"cool_down: 1d":        `did you mean "cooldown"?`,
		"min_change: .inf":     "refresh.min_change",
		"drift: 0.1, drift: 1": "twice",
	} {
		if _, err := config.ParsePlan("p.yaml", []byte(strings.Replace(refreshed, "%", text, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := config.ParsePlan("p.yaml", []byte("name: a\nrefresh: monthly\nstages: [{name: fetch}]\n")); err == nil || !strings.Contains(err.Error(), "want a map of options") {
		t.Errorf("%v", err)
	}
}

// TestSpan: a time is written as it is read.
func TestSpan(t *testing.T) {
	for text, want := range map[string]string{"30d": "30d", "0": "0s", "1.5d": "36h0m0s", "48h": "2d", " 90m": "1h30m0s"} {
		var s config.Span
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != want {
			t.Errorf("%q: %v, %s, want %s", text, err, s, want)
		}
	}
}
