package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

const pricedConfig = `executors:
  gpu: {kind: ssh, hosts: [nowhere.invalid], price_per_hour: 3600 EUR}
executor: label=gpu
max_cost: 9 EUR
`

// TestPlanCosts: plan says what stages cost where a price is known, and by what.
func TestPlanCosts(t *testing.T) {
	dir, url := demo(t, map[string]string{"config.yaml": pricedConfig}), storagetest.S3URL(t, nil)()
	say := func(args ...string) string {
		t.Helper()
		t.Chdir(dir)
		var out, stderr bytes.Buffer
		env := append(os.Environ(), "HOME="+t.TempDir())
		if code := run(t.Context(), append(args, "--store", url), env, strings.NewReader(""), &out, &stderr); code != 0 {
			t.Fatalf("%v: code %d: %s", args, code, &stderr)
		}
		return out.String()
	}
	if out := say("plan", "--config", "config.yaml"); !strings.Contains(out, "label costs 3600.00 EUR an hour on gpu (price: config); how long it takes is not known\nmax_cost is 9.00 EUR\n") {
		t.Errorf("nothing was ever done:\n%s", out)
	}
	if out := say("plan"); strings.Contains(out, "cost") {
		t.Errorf("without prices:\n%s", out)
	}
	say("run")
	out := say("plan", "--config", "config.yaml", "--set", "label.abstain=false")
	if !strings.Contains(out, "label costs about ") || !strings.Contains(out, "by its last run, at 3600.00 EUR an hour on gpu (price: config)\n") {
		t.Errorf("after a run:\n%s", out)
	}
	var got struct {
		Cost     float64
		Currency string
		Stages   []struct {
			Stage string
			Cost  *struct {
				Total    float64
				PerHour  float64 `json:"price_per_hour"`
				Executor string
			}
		}
	}
	if err := json.Unmarshal([]byte(say("plan", "--config", "config.yaml", "--set", "label.abstain=false", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	for _, s := range got.Stages {
		if (s.Cost != nil) != (s.Stage == "label") || s.Cost != nil && (s.Cost.Total != got.Cost || got.Cost <= 0 || got.Currency != "EUR" || s.Cost.PerHour != 3600 || s.Cost.Executor != "gpu") {
			t.Errorf("%+v", got)
		}
	}
}
