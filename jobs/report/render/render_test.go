package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// began is when everything happens in these tests.
var began = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// stage makes a stage that succeeded; documents by output name.
func stage(name string, seconds float64, inputs map[string]string, documents map[string]string) document.Stage {
	st := document.Stage{
		StageResult: runs.StageResult{Name: name, Kind: name, State: runs.Succeeded, Key: strings.Repeat(name[:1], 64), Reason: "never done", Seconds: seconds, Attempt: 1, Outputs: map[string]runs.OutputResult{}},
		Manifest: &storage.Manifest{
			Kind: name, Run: "20260102-150405-0660185f", Stage: name, Attempt: 1, Generation: 1, Version: "v1", Inputs: inputs, Notes: map[string]any{},
			Started: began, Finished: began.Add(time.Duration(seconds * float64(time.Second))),
			Preimage: []byte(`{"format":1,"kind":"` + name + `","version":3,"options":{"seed":7},"inputs":{},"external":{"gold":"` + digest("e") + `"}}`),
		},
		Documents: map[string]document.Output{},
	}
	for name, text := range documents {
		st.Documents[name] = document.Output{Data: []byte(text)}
		sum := sha256.Sum256([]byte(text))
		st.Outputs[name] = runs.OutputResult{Digest: fmt.Sprintf("sha256:%x", sum), Size: int64(len(text))}
	}
	return st
}

const (
	historyDoc = `[{"epoch":1,"train_loss":2.1,"val_loss":1.8,"val_macro_f1":0.2,"steps":9,"best":true,"heads":[]},
		{"epoch":2,"train_loss":1.1,"val_loss":1.5,"val_macro_f1":0.7,"steps":18,"best":true,"heads":[{"category":"fire","score_loss":0.1,"tag_loss":1.2,"f1":0.8,"support":9,"tag_accuracy":0.5,"tag_support":4}]},
		{"epoch":3,"train_loss":0.6,"val_loss":1.6,"val_macro_f1":0.6,"steps":27,"heads":[{"category":"fire","score_loss":0.1,"tag_loss":1.2,"f1":0.8,"support":9,"tag_accuracy":0.5,"tag_support":4}]}]`
	metricsDoc = `{"test":{"rows":45,"macro_f1":0,"micro_f1":0.94,"per_category":{"fire":{"f1":0.9,"support":5},"money":{"f1":0.8,"support":4}},"unsupported":["fire","money"]},
		"gold":{"rows":1100,"macro_f1":0.87,"micro_f1":0.86,"per_category":{"fire":{"precision":0.8,"recall":0.9,"f1":0.85,"support":19,"threshold":0.5,"tag_accuracy":0.5,"tag_support":8},"money":{"precision":0.9,"recall":0.88,"f1":0.89,"support":17,"threshold":0.41}}},
		"baselines":{"keywords":{"rows":100,"macro_f1":0.52,"micro_f1":0.5,"per_category":{"fire":{"f1":0.4},"money":{"f1":0.64}}},"majority":{"macro_f1":0,"micro_f1":0,"per_category":{"fire":{"f1":0},"money":{"f1":0}}}},
		"masked":{"rows":1100,"macro_f1":0.8,"micro_f1":0.8,"per_category":{}},"leaked":2}`
	checksDoc = `{"passed":true,"model":"` + "sha256:" + `","checks":[{"id":"macro_f1","on":"gold","severity":"error","min":0.6,"observed":0.87,"passed":true,"message":"m"},
		{"id":"f1","category":"fire","on":"gold","severity":"warn","min":0.9,"observed":0.85,"passed":false,"message":"m"}]}`
	// What verify and split record since they measure intervals and leaks.
	ciDoc = `{"test":{"rows":45,"macro_f1":0,"micro_f1":0.94,"per_category":{"fire":{"f1":0.9,"support":5},"money":{"f1":0.8,"support":4}},"unsupported":["fire","money"]},
		"gold":{"rows":3,"macro_f1":0.87,"micro_f1":0.86,"ci":{"level":0.95,"resamples":2000,"macro_f1":[0.81,0.92],"micro_f1":[0.8,0.91]},
			"per_category":{"fire":{"precision":0.8,"recall":0.9,"f1":0.85,"support":19,"threshold":0.5,"tag_accuracy":0.5,"tag_support":8,"ci":{"f1":[0.7,0.93]}},"money":{"precision":0.9,"recall":0.88,"f1":0.89,"support":17,"threshold":0.41,"ci":{"f1":[0.8,1.7]}}}},
		"baselines":{"keywords":{"rows":3,"macro_f1":0.52,"micro_f1":0.5,"ci":{"level":0.95,"resamples":2000,"macro_f1":[0.4,0.6],"micro_f1":[0.4,0.6]},"per_category":{"fire":{"f1":0.4},"money":{"f1":0.64}}},"majority":{"macro_f1":0,"micro_f1":0,"per_category":{"fire":{"f1":0},"money":{"f1":0}}}},
		"masked":{"rows":3,"macro_f1":0.8,"micro_f1":0.8,"per_category":{}},"leaked":0,"train":{"rows":700,"positives":{"fire":40,"money":60}},
		"details":{"gold":{"gains":{"keywords":{"macro_f1":{"value":0.35,"ci":[0.2,0.47]}},"majority":{"macro_f1":{"value":0.87,"ci":[-0.1,0.9]}}},"masked_gap":{"macro_f1":{"value":-0.07,"ci":[-0.1,-0.01]}},
			"no_rule_fired":{"rows":60,"micro_f1":0.7},"tag_accuracy":{"value":0.5,"ci":[0.3,0.7]},
			"tags":{"fire":{"tags":["","big","small"],"counts":[[0,0,0],[1,5,2],[0,1,7]]},"money":{"tags":[""],"counts":[[0]]}},
			"calibration":{"fire":{"ece":0.071,"rows":3,"bins":[]}},
			"segments":{"domain":[{"name":"news.example","rows":60,"micro_f1":0.7,"decided":50},{"name":"quiet.example","rows":2,"micro_f1":0,"decided":0}],"length":[{"name":"under 30","rows":10,"micro_f1":0.9,"decided":9}]}}},
		"drift":{"gold":{"against":"demo@2","labels":0.04,"lengths":0.3}}}`
	ciChecksDoc = `{"passed":false,"checks":[{"id":"gain","on":"gold","over":"keywords","severity":"error","lower":0,"observed":0.35,"ci":[0.2,0.47],"passed":true},
		{"id":"weak_domain","on":"gold","severity":"error","max":0.1,"observed":0.16,"where":"news.example, 60 rows","passed":false,"samples":[{"id":"https://news.example/1?a=b&c=d","title":"Blaze | at the bank","expected":"fire","answered":"money"},{"id":"javascript:alert(1)","title":"Second","expected":"","answered":"money"}]}]}`
	predictionsDoc = `{"on":"gold","id":"g1","url":"https://news.example/1","title":"Blaze at the bank","host":"news.example","categories":{"fire":{"truth":true,"score":0.2,"answer":false,"masked":false,"keywords":true,"tag_truth":"big","tag":"small"},"money":{"truth":false,"score":0.93,"answer":true,"masked":true,"keywords":true}},"rules":["fire:blaze","money:bank"]}
{"on":"gold","id":"javascript:alert(1)","url":"javascript:alert(1)","title":"Nothing of note","categories":{"fire":{"truth":false,"score":0.8,"answer":true,"keywords":false},"money":{"truth":true,"unknown":true,"score":0.1}},"rules":["fire:blaze"]}

{"on":"gold","title":"All is right","categories":{"fire":{"truth":true,"score":0.9,"answer":true,"keywords":true},"money":{"truth":false,"score":0.1,"answer":false,"keywords":false}},"rules":["fire:blaze","fire:ember"]}
not a line
`
	splitDoc = `{"rows":1003,"by":"time","sides":[{"name":"train","rows":700,"groups":690,"positives":{"fire":30,"money":0},"first":"2025-01-01T00:00:00Z","last":"2025-02-01T00:00:00Z"},{"name":"val","rows":150,"groups":150,"positives":{"fire":6,"money":3}},{"name":"test","rows":150,"groups":149,"positives":{"fire":5,"money":2}}],
		"groups":989,"repeated":11,"largest":[{"rows":4,"side":"train","titles":["One","One again"]}],"undated":5,"undated_dropped":2,
		"leaks":[{"between":["rows","gold"],"by":"title","rows":3,"dropped":true,"examples":[{"title":"Same","other":"Same","url":"https://news.example/a","other_url":"javascript:x","similarity":1}]},{"between":["train","test"],"by":"close","rows":2,"dropped":false,"examples":[]}],"truncated":true}`
	timingsDoc = `{"device":"cpu","texts":50,"latency_p50_ms":11.5,"latency_p99_ms":17.1,"rows_per_second":1337.6}`
	labelDoc   = `{"rows":1300,"covered":167,"abstained":1133,"overlap":1,"conflicts":3,
		"categories":{"fire":{"positives":40,"coverage":0.1,"tags":{"big":9,"small":3},"overlap":{"money":1},"conflicts":3,"undecided":1133,"tag_conflicts":1,"rules":{"blaze":30,"arson":4}},"money":{"positives":0,"conflicts":0,"undecided":1133,"rules":{}}},
		"sources":{"rules":{"rows":160,"labels":320,"positives":160},"overlay":{"rows":7,"labels":9,"positives":8}},"dead_rules":["fire:ember"],
		"overlay":{"corrections":9,"rows":7,"added_rows":3,"unknown":["a | b"],"unknown_rows":2},
		"gold":{"rows":30,"removed":1,"voters":{"fire:blaze":{"votes":10,"right":9,"weight":2.1},"fire:arson":{"votes":4,"right":1,"weight":0}}}}`
)

// good is a run that ended well.
func good() *document.Source {
	code := 0
	label := stage("label", 0.4, map[string]string{"articles": digest("a")}, map[string]string{"label_report": labelDoc})
	label.State, label.Seconds, label.Reason, label.Attempt = runs.Cached, 0, "done in run 20260101-000000-0000000a", 0
	label.Manifest.Run = "20260101-000000-0000000a"
	split := stage("split", 0.1, nil, nil)
	split.Manifest.Notes = map[string]any{"train_rows": 700.0, "val_rows": 150.0, "test_rows": 150.0, "gold_rows_removed": 3.0}
	train := stage("train", 140, nil, map[string]string{"history": historyDoc})
	train.Device, train.Manifest.Device = "cuda (jax-cuda13-pjrt 1.2.3)", "cuda (jax-cuda13-pjrt 1.2.3)"
	train.Manifest.Notes = map[string]any{"train": map[string]any{"rows_per_second": 4410.25}}
	verify := stage("verify", 11.2, map[string]string{"history": train.Outputs["history"].Digest}, map[string]string{"metrics": metricsDoc, "checks": checksDoc, "timings": timingsDoc})
	return &document.Source{
		Run: "20260102-150405-0660185f", Plan: "demo", Class: "done", Code: &code, Command: "sprint run plan.yaml", Version: "v1",
		Started: began, Finished: began.Add(152 * time.Second), Stages: []document.Stage{label, split, train, verify}, Releases: []string{"demo@3 (latest)"},
	}
}

// full is a run whose stages recorded all that a report can show.
func full() *document.Source {
	s := good()
	add := func(stage int, name, text string) {
		s.Stages[stage].Documents[name] = document.Output{Data: []byte(text)}
		s.Stages[stage].Outputs[name] = runs.OutputResult{Digest: digest("f"), Size: int64(len(text))}
	}
	add(1, "split_report", splitDoc)
	add(2, "calibration", `{"temperature":"val","categories":{"fire":{"threshold":0.41,"temperature":1.3,"on":"gold","rows":60,"positives":12,"log_loss":[0.4,0.3],"calibration_error":[0.12,0.05]}},"gold":[{"id":"g9","title":"x"}]}`)
	notes := s.Stages[2].Manifest.Notes
	notes["with_rules"] = map[string]any{"fire": 0.9}
	notes["programs"] = map[string]any{"all": 3.0, "from_cache": 1.0, "seconds": 17.8}
	notes["select_round_1"] = map[string]any{"fire": map[string]any{"agreed": 30.0, "doubted": 4.0, "overruled": 2.0, "decided": 11.0}, "money": map[string]any{"unjudged": true}}
	notes["resumed"] = "from the checkpoint of step 4 of 27"
	add(3, "metrics", ciDoc)
	add(3, "checks", ciChecksDoc)
	add(3, "predictions", predictionsDoc)
	s.Stages[3].Manifest.Preimage = []byte(`{"external":{"rules":{"fire/blaze":{"weight":1},"fire/ember":{"weight":-1}}}}`)
	return s
}

// failed is a run whose gate closed.
func failed() *document.Source {
	s, code := good(), 5
	s.Class, s.Code, s.Error, s.Releases = "verify gate failed", &code, "macro_f1 on gold is 0.5, at least 0.6 is demanded", nil
	v := &s.Stages[3]
	v.State, v.Error = runs.Failed, s.Error
	v.Documents["checks"] = document.Output{Data: []byte(strings.NewReplacer(`"passed":true`, `"passed":false`).Replace(checksDoc))}
	v.Documents["metrics"] = document.Output{Missing: "the bytes of verify.metrics are not in the store any more"}
	return s
}

// early is a run that was killed while it trained.
func early() *document.Source {
	s := good()
	s.Class, s.Code, s.Finished, s.Releases = "killed: its process is gone", nil, time.Time{}, nil
	s.Stages[2] = document.Stage{StageResult: runs.StageResult{Name: "train", Kind: "train", State: runs.Running, Attempt: 2, Seconds: 33}}
	s.Stages[3] = document.Stage{StageResult: runs.StageResult{Name: "verify", Kind: "verify", State: runs.Pending}}
	return s
}

// garbled is a run whose documents are of another shape.
func garbled() *document.Source {
	s := good()
	for i := range s.Stages {
		for name := range s.Stages[i].Documents {
			s.Stages[i].Documents[name] = document.Output{Data: []byte(`"not what it was"`)}
		}
		s.Stages[i].Manifest.Notes = map[string]any{"train": "x", "train_rows": "many"}
		s.Stages[i].Manifest.Preimage = []byte(`{`)
	}
	return s
}

// hostile is a run in which every text is an attack.
func hostile() *document.Source {
	s := full()
	s.Plan, s.Command, s.Error, s.Class = attack, attack, attack, attack
	for i := range s.Stages {
		st := &s.Stages[i]
		st.Name, st.Reason, st.Device, st.Error = attack, attack, attack, attack
		for name, d := range st.Documents {
			text := strings.NewReplacer(`"fire"`, jsonAttack, `"blaze"`, jsonAttack, `"cpu"`, jsonAttack, `"rules":{"rows"`, jsonAttack+`:{"rows"`, `"a | b"`, jsonAttack, `"https://news.example/1"`, jsonAttack, `"Nothing of note"`, jsonAttack, `"news.example"`, jsonAttack, `"big"`, jsonAttack, `"One"`, jsonAttack, `"Same"`, jsonAttack, `"Second"`, jsonAttack, `"demo@2"`, jsonAttack, `"money:bank"`, jsonAttack, `"macro_f1","on"`, jsonAttack+`,"on"`).Replace(string(d.Data))
			st.Documents[name] = document.Output{Data: []byte(text)}
		}
	}
	return s
}

const (
	attack     = "\"><img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script></title></style>]]> | `code` [x](javascript:alert(3)) ![y](https://evil.example/z) \u202e\x00\nnext"
	jsonAttack = `"\"><img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script></svg></style> | ` + "`code`" + ` [x](javascript:alert(3)) ![y](https://evil.example/z) \u202e\u0000\nnext"`
)

var sources = map[string]func() *document.Source{"good": good, "full": full, "failed": failed, "early": early, "garbled": garbled, "hostile": hostile, "bare": func() *document.Source { return &document.Source{Run: "r"} }}

func TestMarkdown(t *testing.T) {
	for name, source := range sources {
		var b bytes.Buffer
		if err := Markdown(&b, report.Build(source())); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".md")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s (-want +got), -update accepts:\n%s", path, d)
		}
	}
}

// page renders a source and reads it with a parser's eyes: tags that close in
// order, nothing fetched, nothing run. It returns the texts that are seen.
func page(t *testing.T, s *document.Source) (text string, links []string) {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, report.Build(s)); err != nil {
		t.Fatal(err)
	}
	var open []string
	var seen strings.Builder
	policy := ""
	ids, refs := map[string]bool{}, []string{}
	void := []string{"meta"}
	z := html.NewTokenizer(bytes.NewReader(b.Bytes()))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			break
		}
		k := z.Token()
		switch kind {
		case html.TextToken:
			if n := len(open); n > 0 && open[n-1] == "style" {
				if strings.Contains(k.Data, "url(") || strings.Contains(k.Data, "@import") {
					t.Error("the style fetches something")
				}
				sum := sha256.Sum256([]byte(k.Data))
				if want := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(policy, "style-src '"+want+"'") || !strings.HasPrefix(policy, "default-src 'none'") {
					t.Errorf("the policy %q does not allow the style: %s", policy, want)
				}
				continue
			}
			seen.WriteString(k.Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			if slices.Contains([]string{"script", "img", "iframe", "object", "embed", "link", "base", "form", "image", "use", "a:x"}, k.Data) {
				t.Errorf("the page has %s", k)
			}
			for _, a := range k.Attr {
				switch {
				case a.Key == "content" && strings.HasPrefix(a.Val, "default-src"):
					policy = a.Val
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset", strings.HasSuffix(a.Key, ":href"):
					t.Errorf("the page has %s", k)
				case a.Key == "id" && ids[a.Val]:
					t.Errorf("the id %s is there twice", a.Val)
				case a.Key == "id":
					ids[a.Val] = true
				case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
					refs = append(refs, a.Val[1:])
				case a.Key == "href":
					links = append(links, a.Val)
				case a.Key == "aria-labelledby":
					refs = append(refs, strings.Fields(a.Val)...)
				}
			}
			if k.Data == "svg" && !slices.ContainsFunc(k.Attr, func(a html.Attribute) bool { return a.Key == "role" && a.Val == "img" }) {
				t.Error("a drawing without role")
			}
			if kind == html.StartTagToken && !slices.Contains(void, k.Data) {
				open = append(open, k.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != k.Data {
				t.Fatalf("</%s> closes %v", k.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%v are not closed", open)
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("#%s leads nowhere", r)
		}
	}
	if strings.Contains(b.String(), "ZgotmplZ") {
		t.Error("a value stands where it is refused")
	}
	if n := b.Len(); n > 512<<10 {
		t.Errorf("%d bytes", n)
	}
	return seen.String(), links
}

// TestPage: whatever a run holds, its page is well-formed, fetches and runs
// nothing, and leads nowhere.
func TestPage(t *testing.T) {
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			text, links := page(t, source())
			want := map[string][]string{
				"full":    {"https://news.example/1?a=b&c=d", "https://news.example/1", "https://news.example/1", "https://news.example/a"},
				"hostile": {"https://news.example/1?a=b&c=d", "https://news.example/a"},
			}[name]
			if d := cmp.Diff(want, links); d != "" {
				t.Errorf("it leads elsewhere (-want +got):\n%s", d)
			}
			if name == "full" && strings.Contains(text, "recorded no") {
				t.Error("something is missing")
			}
			if name == "hostile" {
				if n := strings.Count(text, "<script>alert(2)</script>"); n < 20 {
					t.Errorf("the attack is shown as text %d times", n)
				}
				if strings.ContainsAny(text, "\u202e\x00") {
					t.Error("control characters came through")
				}
			}
		})
	}
}

// TestHuge: a run with more of everything than anybody reads still makes a page
// that can be opened.
func TestHuge(t *testing.T) {
	var cats, rules, epochs []string
	for i := range 3000 {
		cats = append(cats, fmt.Sprintf(`"category%d":{"f1":0.5,"support":9}`, i))
		rules = append(rules, fmt.Sprintf(`"rule%d":%d`, i, i))
		epochs = append(epochs, fmt.Sprintf(`{"epoch":%d,"train_loss":1e%d,"val_loss":2}`, i+1, i%300))
	}
	s := good()
	s.Stages[0].Documents["label_report"] = document.Output{Data: []byte(`{"rows":9,"categories":{"a":{"rules":{` + strings.Join(rules, ",") + `}}}}`)}
	s.Stages[2].Documents["history"] = document.Output{Data: []byte("[" + strings.Join(epochs, ",") + "]")}
	s.Stages[3].Documents["metrics"] = document.Output{Data: []byte(`{"gold":{"rows":9,"macro_f1":1e300,"per_category":{` + strings.Join(cats, ",") + `}}}`)}
	if text, _ := page(t, s); !strings.Contains(text, "and 2600 more") {
		t.Error("what was left out is not counted")
	}
}
