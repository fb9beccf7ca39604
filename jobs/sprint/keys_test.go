package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/all"
)

const keysPlan = `name: keys
taxonomy: taxonomy.yaml
stages:
  - name: fetch
    with: {source: files, files: {paths: [rows.jsonl]}}
  - name: label
  - name: split
  - name: train
    with: {encoder: all-minilm-l6-v2, method: finetune}
  - name: verify
    with: {gold: gold.csv, checks: [{id: macro_f1, on: gold, min: 0.5}]}
  - name: publish
    with: {name: keys}
  - name: command
    needs: [fetch]
    with: {argv: [cat, a], outputs: [out]}
  - name: prune
    needs: [train]
  - name: classify
    needs: [fetch]
    with: {model: news}
  - name: aggregate
`

// contexts are what an option needs beside it to count and to be valid: the
// longest prefix of its path decides.
var contexts = map[string][]string{
	"fetch.gdelt":             {"fetch.source=gdelt", "fetch.gdelt.query=storm"},
	"label.encoder":           {"label.source=[rules, encoder]", "label.encoder.model=all-minilm-l6-v2"},
	"label.gold":              {"label.gold=part.csv"},
	"label.scored":            {"label.gold=part.csv"},
	"label.http":              {"label.source=[rules, http]", "label.http.model=m"},
	"label.http.ask":          {"label.source=[rules, http]", "label.http.model=m", "label.combine=vote"},
	"label.overlay":           {"label.source=[rules, overlay]", "label.overlay.file=overlay.jsonl"},
	"train.mask_how":          {"train.mask_rules=0.5"},
	"train.method":            {"train.method=both"},
	"train.select.folds":      {"train.select.rounds=1"},
	"train.select.confidence": {"train.select.rounds=1"},
	"train.calibrate.file":    {"train.calibrate.gold=0.5"},
	"split.cuts":              {"split.by_time=true", "split.cuts={val: 2026-01-01, test: 2026-01-02}"},
	"command.shell":           {"command.argv=[cat]"},
	"verify.checks":           {"verify.checks=[{id: f1, on: gold, category: fire, min: 0.5}]"},
}

// seconds are second values of options for which none can be guessed from the
// tags.
var seconds = map[string]string{
	"fetch.gdelt.since": "2025-12-01",
	"fetch.gdelt.until": "2025-12-20",
	"label.source":      "columns",
	"label.conflicts":   "{fire: abstain}",
	"label.columns":     "{label: kind}",
	"label.separator":   "','",
	"label.values":      "{Blaze: fire}",
	"split.columns":     "{title: subject}",
	"verify.columns":    "{label: kind}",
	"verify.separator":  "','",
	"verify.values":     "{Blaze: fire}",

	"train.calibrate.columns":   "{label: kind}",
	"train.calibrate.separator": "','",
	"train.calibrate.values":    "{Blaze: fire}",
	"label.weights":             "{rules: 0.5}",
	"label.encoder.describe":    "{fire: [flames]}",
	"train.text":                "[title, description]",
	"train.deadline":            "2030-01-02T15:04:05Z",
	"publish.name":              "other",
	"publish.alias":             "champion",
	"publish.language":          "sv",
	"aggregate.from":            "2026-01-02",
	"aggregate.to":              "2026-01-02",
	"command.argv":              "[cat, b]",
	"command.inputs":            "[articles]",
	"command.outputs":           "[out, more]",
	"command.env":               "[LANG]",
}

// together are options of which one alone cannot change: each with a whole set
// of second values.
var together = map[string][]string{
	"fetch.source":           {"fetch.source=gdelt", "fetch.gdelt.query=storm"},
	"split.cuts.val":         {"split.cuts={val: 2025-12-31, test: 2026-01-02}"},
	"split.cuts.test":        {"split.cuts={val: 2026-01-01, test: 2026-01-03}"},
	"split.ratios.train":     {"split.ratios={train: 0.6, val: 0.25, test: 0.15}"},
	"split.ratios.val":       {"split.ratios={train: 0.7, val: 0.2, test: 0.1}"},
	"split.ratios.test":      {"split.ratios={train: 0.75, val: 0.15, test: 0.1}"},
	"label.rules":            nil, // it has one value
	"verify.checks.id":       {"verify.checks=[{id: recall, on: gold, category: fire, min: 0.5}]"},
	"verify.checks.on":       {"verify.checks=[{id: f1, on: test, category: fire, min: 0.5}]"},
	"verify.checks.category": {"verify.checks=[{id: f1, on: gold, category: money, min: 0.5}]"},
	"verify.checks.min":      {"verify.checks=[{id: f1, on: gold, category: fire, min: 0.6}]"},
	"verify.checks.max":      {"verify.checks=[{id: f1, on: gold, category: fire, min: 0.5, max: 0.9}]"},
	"verify.checks.severity": {"verify.checks=[{id: f1, on: gold, category: fire, min: 0.5, severity: warn}]"},
	"verify.checks.lower":    {"verify.checks=[{id: f1, on: gold, category: fire, min: 0.5, lower: 0.2}]"},
	"verify.checks.rows":     {"verify.checks=[{id: weak_domain, on: gold, rows: 7}]"},
	"verify.checks.release":  {"verify.checks=[{id: drift_labels, on: gold, release: news}]"},
	"verify.checks.over":     {"verify.checks=[{id: gain, on: gold, over: keywords, min: 0.5}]"},
}

// unkeyed says of each option that no key holds why not, with values that must
// not change the key, and values that must because what they name is other.
var unkeyed = map[string]struct {
	why         string
	same, other []string
}{
	"fetch.files.paths":        {"the rows count, not where they lie", []string{"[copy.jsonl]"}, []string{"[other.jsonl]", "[rows.jsonl, other.jsonl]"}},
	"fetch.files.columns":      {"keyed where they are named, so that other plans keep their keys", []string{"{}"}, []string{"{title: subject}", "{title: headline}", "{title: subject, url: link}"}},
	"fetch.files.delimiter":    {"keyed where it is given", []string{"auto"}, []string{";", "tab"}},
	"fetch.files.encoding":     {"keyed where it is given", []string{"auto"}, []string{"utf-8", "latin1"}},
	"fetch.gdelt.endpoint":     {"a mirror or a test server gives the same rows", []string{"http://127.0.0.1:1/"}, nil},
	"fetch.gdelt.pace":         {"how fast one asks changes no answer", []string{"9s"}, nil},
	"label.gold":               {"keyed by its bytes", []string{"part2.csv"}, []string{"other.csv"}},
	"label.scored":             {"keyed by its bytes", []string{"copy.csv"}, []string{"other.csv"}},
	"label.encoder.model":      {"keyed by the encoder's content", nil, []string{"TINY"}},
	"label.http.endpoint":      {"a name of where the model is served; the model is keyed", []string{"other"}, nil},
	"label.http.key":           {"a credential opens a door and is no part of the work", []string{"env:OTHER"}, nil},
	"label.http.concurrency":   {"how many are asked at a time changes no answer", []string{"9"}, nil},
	"label.http.timeout":       {"how long one waits changes no answer", []string{"2m"}, nil},
	"label.overlay.file":       {"keyed by its bytes", []string{"overlay2.jsonl"}, []string{"other.jsonl"}},
	"split.gold":               {"keyed by its bytes", []string{"copy.csv"}, []string{"other.csv"}},
	"train.calibrate.file":     {"keyed by its bytes, where it is used", []string{"copy.csv"}, []string{"other.csv"}},
	"train.encoder":            {"keyed by the encoder's content", nil, []string{"TINY"}},
	"train.checkpoint_steps":   {"a resumed training ends with the same bytes", []string{"7"}, nil},
	"train.checkpoint_minutes": {"a resumed training ends with the same bytes", []string{"7"}, nil},
	"verify.gold":              {"keyed by its bytes", []string{"copy.csv"}, []string{"other.csv"}},
	"classify.key":             {"keyed by the bytes of the public key", nil, []string{"one.pub", "two.pub"}},
	"classify.backend":         {"answers of backends are alike to 1e-5, as those of devices are", []string{"onnx"}, nil},
	"publish.sign":             {"a credential opens a door; that a release is signed, and by which pair, is keyed", []string{"{}"}, []string{"{key: env:KEY}", "{key: env:KEY, public: one.pub}", "{key: env:KEY, public: two.pub}"}},
	"command.files":            {"keyed by name and bytes", nil, []string{"[a.sh]", "[b.sh]"}},
	"command.secrets":          {"a credential opens a door and is no part of the work", []string{"{TOKEN: env:OTHER}"}, nil},
	"aggregate.export":         {"keyed by a digest: what was exported elsewhere is not done", nil, []string{"exported", "s3://bucket/exported"}},
	"publish.mirror":           {"a release is the same wherever else it is shown", []string{"[{to: oci://registry.example/team/news, secret: env:OTHER}]", "[{to: command://team, command: [python3, tell.py], env: [LANG], secrets: {TOKEN: env:OTHER}}]"}, nil},
	"command.grace":            {"only a cancelled attempt sees it", []string{"1s"}, nil},
}

// option is a leaf of an options struct.
type option struct {
	path  string // kind.option.sub
	field reflect.StructField
}

func optionsOf(path string, t reflect.Type) []option {
	var out []option
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		at := path + "." + name
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && f.Tag.Get("key") != "-" {
			out = append(out, optionsOf(at, inner)...)
			continue
		}
		out = append(out, option{at, f})
	}
	return out
}

// second is another valid value of an option than its default.
func (o option) second() (string, bool) {
	if v, ok := seconds[o.path]; ok {
		return v, true
	}
	tag := func(name string) string { return o.field.Tag.Get(name) }
	fallback := tag("default")
	if enum := tag("enum"); enum != "" {
		for v := range strings.SplitSeq(enum, "|") {
			if v != strings.Trim(fallback, "[]") {
				return v, true
			}
		}
		return "", false
	}
	bound := func(name string, without float64) float64 {
		if x, err := strconv.ParseFloat(tag(name), 64); err == nil {
			return x
		}
		return without
	}
	switch {
	case o.field.Type == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(fallback)
		return (d + time.Hour).String(), err == nil
	case o.field.Type.Kind() == reflect.Bool:
		return strconv.FormatBool(fallback != "true"), true
	case o.field.Type.Kind() == reflect.Int, o.field.Type.Kind() == reflect.Int64:
		n, err := strconv.Atoi(fallback)
		if float64(n+1) > bound("max", 1e9) {
			return strconv.Itoa(n - 1), err == nil
		}
		return strconv.Itoa(n + 1), err == nil
	case o.field.Type.Kind() == reflect.Float64:
		x, err := strconv.ParseFloat(fallback, 64)
		for _, y := range []float64{x + 0.01, x - 0.01, x / 2} {
			if y >= bound("min", -1e9) && y <= bound("max", 1e9) && y > bound("above", -1e9) && y < bound("below", 1e9) {
				return strconv.FormatFloat(y, 'g', -1, 64), err == nil
			}
		}
	case o.field.Type.Kind() == reflect.String:
		return "second", true
	case o.field.Type == reflect.TypeFor[[]string]():
		return "[second]", true
	}
	return "", false
}

// context is what must be set beside the option.
func (o option) context() []string {
	best := ""
	for prefix := range contexts {
		if (o.path == prefix || strings.HasPrefix(o.path, prefix+".")) && len(prefix) > len(best) {
			best = prefix
		}
	}
	return contexts[best]
}

// TestEveryOption: of every kind, a second value of every keyed option changes
// the key of its stage, and no value of the others does, unless it names
// something else.
func TestEveryOption(t *testing.T) {
	k := newKeyer(t)
	tiny := encodertest.Tiny(t)
	met := map[string]bool{}
	for _, kind := range all.All() {
		for _, o := range optionsOf(kind.Name, reflect.TypeOf(kind.Options()).Elem()) {
			met[o.path] = true
			base := o.context()
			before := k.keys(keysPlan, "", base...)[kind.Name]
			after := func(set ...string) string {
				return k.keys(keysPlan, "", append(base[:len(base):len(base)], set...)...)[kind.Name]
			}
			if o.field.Tag.Get("key") == "-" {
				u, known := unkeyed[o.path]
				if !known || u.why == "" {
					t.Errorf("%s is in no key: say why in this test", o.path)
				}
				for _, v := range u.same {
					if after(o.path+"="+v) != before {
						t.Errorf("%s: %s changes the key, though %s", o.path, v, u.why)
					}
				}
				seen := map[string]string{before: "as it was"}
				for _, v := range u.other {
					v = strings.ReplaceAll(v, "TINY", tiny)
					key := after(o.path + "=" + v)
					if other, double := seen[key]; double {
						t.Errorf("%s: %s has the key of %s", o.path, v, other)
					}
					seen[key] = v
				}
				if len(u.same)+len(u.other) == 0 {
					t.Errorf("%s was not tried", o.path)
				}
				continue
			}
			if _, listed := unkeyed[o.path]; listed {
				t.Errorf("%s is keyed, and this test says that it is not", o.path)
			}
			set, listed := together[o.path]
			if !listed {
				v, ok := o.second()
				if !ok {
					t.Errorf("%s: no second value is known: add one to this test", o.path)
					continue
				}
				set = []string{o.path + "=" + v}
			}
			if len(set) == 0 {
				continue
			}
			for options, method := range map[string]string{"train.heads.": "heads", "train.tune.": "both"} {
				if strings.HasPrefix(o.path, options) { // they do nothing to a finetune
					base = append(base[:len(base):len(base)], "train.method="+method)
					before = after()
				}
			}
			if after(set...) == before {
				t.Errorf("%s: %q does not change the key", o.path, set)
			}
			if fallback := o.field.Tag.Get("default"); !listed && fallback != "" && !strings.Contains(strings.Join(base, " "), o.path+"=") {
				if after(o.path+"="+fallback) != before {
					t.Errorf("%s: its written-out default %s changes the key", o.path, fallback)
				}
			}
		}
	}
	for path := range unkeyed {
		if !met[path] {
			t.Errorf("no kind has the option %s", path)
		}
	}
}

// TestWhatNeverChangesAKey: the device, retries, time limits, the stage's
// neighbours, and the options of a source that is not chosen.
func TestWhatNeverChangesAKey(t *testing.T) {
	k := newKeyer(t)
	before := k.keys(keysPlan, "")
	same := func(what string, after map[string]string) {
		t.Helper()
		for name, key := range before {
			if after[name] != key {
				t.Errorf("%s changes the key of %s", what, name)
			}
		}
	}
	same("--device", k.keys(keysPlan, "cpu"))
	same("resources, retry and timeout", k.keys(strings.ReplaceAll(keysPlan, "    with:", "    resources: {device: go}\n    retry: 4\n    timeout: 3h\n    with:"), ""))
	same("a comment in the plan", k.keys("# hello\n"+strings.ReplaceAll(keysPlan, "\n  - name: train", "\n\n  # now\n  - name: train"), ""))
	same("another plan's name", k.keys(strings.Replace(keysPlan, "name: keys\n", "name: other\n", 1), ""))
	same("the map of a source that is not chosen", k.keys(strings.Replace(keysPlan, "source: files, ", "source: files, gdelt: {query: fire, days: 3}, ", 1), ""))
	same("such a map of label", k.keys(strings.Replace(keysPlan, "- name: label\n", "- name: label\n    with: {encoder: {model: all-minilm-l6-v2, sure: 0.3}, overlay: {file: overlay.jsonl}}\n", 1), ""))
	gdelt := strings.Replace(keysPlan, "source: files, ", "source: gdelt, gdelt: {query: fire}, ", 1)
	if k.keys(gdelt, "")["fetch"] != k.keys(strings.Replace(gdelt, "rows.jsonl", "other.jsonl", 1), "")["fetch"] {
		t.Error("the files of a source that is not chosen change the key of fetch")
	}
	// A taxonomy's comments are in the release and in nothing else.
	taxonomy := filepath.Join(k.dir, "taxonomy.yaml")
	if err := os.WriteFile(taxonomy, []byte("# ours\n"+strings.ReplaceAll(goodTaxonomy, "[fire, blaze]", `["fire",   'blaze']`)), 0o644); err != nil {
		t.Fatal(err)
	}
	after := k.keys(keysPlan, "")
	after["publish"] = before["publish"]
	same("a taxonomy's spelling", after)
	if err := os.WriteFile(taxonomy, []byte(strings.ReplaceAll(goodTaxonomy, "blaze", "flames")), 0o644); err != nil {
		t.Fatal(err)
	}
	if after = k.keys(keysPlan, ""); after["label"] == before["label"] || after["split"] != before["split"] {
		t.Error("a rule of the taxonomy does not change the key of label alone")
	}
}
