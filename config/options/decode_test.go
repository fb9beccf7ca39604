package options_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// TestKeyedIsCanonical holds the part of the key that a plan without options
// has: defaults written out, what is idle, a path or unkeyed left out.
func TestKeyedIsCanonical(t *testing.T) {
	_, d := configtest.Decode(t, "{}", config.Overrides{})
	b, err := json.MarshalIndent(d.Keyed, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	configtest.Golden(t, "keyed.json", string(b)+"\n")
	for _, out := range []string{"gold", "pace", "token", "secrets", "web", "depth"} {
		if _, in := d.Keyed[out]; in {
			t.Errorf("%s is in the key", out)
		}
	}
	if d.All["pace"] != "5s" {
		t.Errorf("pace is not recorded: %v", d.All["pace"])
	}
}

// TestSpellingIsNotKeyed: what means the same has the same key.
func TestSpellingIsNotKeyed(t *testing.T) {
	for name, pair := range map[string][2]string{
		"default":   {"epochs: 3", "{}"},
		"float":     {"rate: 3e-5", "rate: 0.00003"},
		"int":       {"epochs: 10", "epochs: 1.0e1"},
		"scalar":    {"text: title", "text: [title]"},
		"duration":  {"window: 90m", "window: 1h30m"},
		"order":     {"epochs: 4\nseed: 2", "seed: 2\nepochs: 4"},
		"quotes":    {`labels: {a: "x"}`, "labels:\n  a: x"},
		"truth":     {"freeze: true", `freeze: "true"`},
		"level":     {"level: HIGH", "level: 1"},
		"null":      {"epochs:", "{}"},
		"unkeyed":   {"pace: 7s", "pace: 8s"},
		"path":      {"gold: a.csv", "gold: b.csv"},
		"idle":      {"web: {url: x}", "{}"},
		"idle map":  {"source: web\nweb: {url: x}\nfiles: {format: csv}", "source: web\nweb: {url: x}"},
		"reference": {"token: env:A", "token: file:b"},
		"struct":    {"ratios: {}", "{}"},
		"no map":    {"labels: {}", "{}"},
		"no list":   {"checks: []", "{}"},
	} {
		_, a := configtest.Decode(t, pair[0], config.Overrides{})
		_, b := configtest.Decode(t, pair[1], config.Overrides{})
		if diff := cmp.Diff(a.Keyed, b.Keyed); diff != "" {
			t.Errorf("%s: %q and %q differ:\n%s", name, pair[0], pair[1], diff)
		}
	}
}

// TestMeaningIsKeyed is the other half: what differs must not share a key.
func TestMeaningIsKeyed(t *testing.T) {
	seen := map[string]string{}
	for _, with := range []string{"{}", "epochs: 4", "rate: 0.1", "seed: 9007199254740991", "seed: 9007199254740992", "strict: false", "freeze: true", "freeze: 'false'", "text: [title, description]", "text: [description, title]", "labels: {a: b}", "labels: {b: a}", "weights: {a: 1}", "window: 7h", "encoder: x", "checks: [{id: f1}]", "checks: [{id: f1, min: 0}]", "level: high", "best: 0", "source: web\nweb: {url: a}", "source: web\nweb: {url: a}\ndepth: 3", "files: {format: csv}", "ratios: {train: 0.5}"} {
		_, d := configtest.Decode(t, with, config.Overrides{})
		b, err := json.Marshal(d.Keyed)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%q and %q have one key %s", with, other, b)
		}
		seen[string(b)] = with
	}
}

// TestLike: split learns of the gold set that verify measures against.
func TestLike(t *testing.T) {
	stage := func(name, kind, with string) string {
		return "  - {name: " + name + ", kind: " + kind + ", with: {" + with + "}}\n"
	}
	head := "name: p\nstages:\n"
	abs := filepath.Join(t.TempDir(), "set.csv")
	for name, c := range map[string]struct {
		plan string
		o    config.Overrides
		want string
		from string
	}{
		"the one":      {head + stage("split", "split", "") + stage("check", "verify", "gold: gold.csv"), config.Overrides{}, filepath.Join("dir", "gold.csv"), "gold of stage check"},
		"own wins":     {head + stage("split", "split", "gold: own.csv") + stage("check", "verify", "gold: gold.csv"), config.Overrides{}, filepath.Join("dir", "own.csv"), "plan"},
		"of --set":     {head + stage("split", "split", "") + stage("check", "verify", "gold: gold.csv"), config.Overrides{Set: []string{"check.gold=" + abs}}, abs, "gold of stage check"},
		"none":         {head + stage("split", "split", "") + stage("check", "verify", ""), config.Overrides{}, "", ""},
		"two disagree": {head + stage("split", "split", "") + stage("a", "verify", "gold: a.csv") + stage("b", "verify", "gold: b.csv"), config.Overrides{}, "", ""},
		"one of two":   {head + stage("split", "split", "") + stage("a", "verify", "gold: a.csv") + stage("b", "verify", ""), config.Overrides{}, filepath.Join("dir", "a.csv"), "gold of stage a"},
		"another kind": {head + stage("split", "split", "") + stage("verify", "other", "gold: a.csv"), config.Overrides{}, "", ""},
	} {
		var s configtest.Sample
		d, err := configtest.Options(t, c.plan, c.o).Decode("split", &s)
		if err != nil {
			t.Fatal(err)
		}
		if s.Gold != c.want || d.Origin["gold"].From != c.from {
			t.Errorf("%s: got %q from %q, want %q from %q", name, s.Gold, d.Origin["gold"].From, c.want, c.from)
		}
	}
}

// TestChosenSource: a plan keeps the maps of all its sources, so that a flag
// can choose another; single options that have no effect are a mistake where
// one person wrote both.
func TestChosenSource(t *testing.T) {
	plan := "source: web\nweb: {url: x}\ndepth: 5\nfiles: {format: csv}"
	s, d := configtest.Decode(t, plan, config.Overrides{Set: []string{"work.source=files", "work.files.paths=a.jsonl"}})
	if s.Web != nil || s.Depth != 0 || s.Files.Format != "csv" || len(s.Files.Paths) != 1 {
		t.Errorf("got %+v", s)
	}
	if _, in := d.All["web"]; in {
		t.Errorf("the idle source is recorded: %v", d.All)
	}
	for with, set := range map[string][]string{
		"depth: 5":              nil,
		"source: files":         {"work.depth=5"},
		"web: {url: x, u: y}":   nil,
		"web: {url: 3}":         nil,
		"web: 3":                nil,
		"web: {limit: 0}":       nil,
		"epochs: 2":             {"work.source=files", "work.depth=1"},
		"source: web\nweb: {}":  nil,
		"source: web":           nil,
		"source: web\nweb: [a]": nil,
	} {
		var s configtest.Sample
		_, err := configtest.Options(t, configtest.PlanOf(with), config.Overrides{Set: set}).Decode("work", &s)
		var errs diagnostic.Errors
		if !errors.As(err, &errs) || len(errs) != 1 {
			t.Errorf("%q with %v: got %v, want one mistake", with, set, err)
		}
	}
	configtest.Decode(t, "depth:", config.Overrides{}) // commented out
}

// TestSecretsAreNeverRepeated: not in a message, an excerpt, or a flag's text.
func TestSecretsAreNeverRepeated(t *testing.T) {
	for with, set := range map[string][]string{
		"token: hunter2":                    nil,
		"token: [hunter2]":                  nil,
		"token: 7472":                       {"work.secrets.KEY=hunter2"},
		"{}":                                {"work.token=hunter2"},
		"secrets: {A: env:A, KEY: hunter2}": {"work.secrets={KEY: hunter2}"},
	} {
		var s configtest.Sample
		_, err := configtest.Options(t, configtest.PlanOf(with), config.Overrides{Set: set}).Decode("work", &s)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "7472") {
			t.Errorf("%q %v: %v", with, set, err)
		}
	}
	s, _ := configtest.Decode(t, "token: env:TOKEN\nsecrets: {K: file:key.txt}", config.Overrides{})
	if s.Token != "env:TOKEN" || s.Secrets["K"] != "file:key.txt" {
		t.Errorf("got %q %v", s.Token, s.Secrets)
	}
}

func TestScalars(t *testing.T) {
	s, _ := configtest.Decode(t, "labels: {a: 2024-01-01, b: yes, c: 'no', d: off, e: 1-000, f: 12:30:00, g: ~x, h: 0o14x}\nseed: 0x10\nepochs: 0o10\npace: 1m", config.Overrides{})
	want := map[string]string{"a": "2024-01-01", "b": "yes", "c": "no", "d": "off", "e": "1-000", "f": "12:30:00", "g": "~x", "h": "0o14x"}
	if diff := cmp.Diff(want, s.Labels); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if s.Seed != 16 || s.Epochs != 8 || s.Pace != time.Minute {
		t.Errorf("got %d %d %v", s.Seed, s.Epochs, s.Pace)
	}
}

func TestDecodeRefusesMisuse(t *testing.T) {
	o := configtest.Options(t, configtest.PlanOf("{}"), config.Overrides{})
	if _, err := o.Decode("other", &configtest.Sample{}); err == nil {
		t.Error("an unknown stage was decoded")
	}
	if _, err := o.Decode("work", configtest.Sample{}); err == nil {
		t.Error("a struct by value was decoded")
	}
	var odd struct {
		C chan int `yaml:"c" default:"1"`
		D int      `yaml:"d" default:"["`
		M int      `yaml:"m" default:"1" min:"low"`
	}
	if _, err := o.Decode("work", &odd); err == nil || len(err.(diagnostic.Errors)) != 3 {
		t.Errorf("tags that cannot work: %v", err)
	}
}
