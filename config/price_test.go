package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config"
)

// TestPrices: a price is a positive amount with or without a currency; anything else is
// refused where it stands.
func TestPrices(t *testing.T) {
	for text, want := range map[string]string{
		"5": "5 USD", "2.5": "2.5 USD", "1.80 EUR": "1.8 EUR", `"0.000001"`: "0.000001 USD",
		"0": "is nothing", "-1": "-1", ".nan": "not a number", ".inf": "not a number", "free": "free", "5 usd": `did you mean "USD"?`, "5 €": `did you mean "EUR"?`, "1e-9": "1e-09", `"1,80"`: "1,80",
		"true": "true", "[5]": "list", "{amount: 5}": "map", "9999999999": "more than",
	} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte("max_cost: "+text+"\nexecutors: {gpu: {kind: ssh, hosts: [a], price_per_hour: "+text+", price_per_gpu_hour: "+text+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := config.LoadConfig(config.Source{File: file})
		if err == nil {
			o, wrong := c.ExecutorOptions("gpu")
			if wrong != nil || o.PerHour != c.MaxCost || o.PerGPUHour != c.MaxCost {
				t.Errorf("%s: %+v, %v", text, o, wrong)
			}
			if got, _ := c.MaxCost.MarshalText(); string(got) != want {
				t.Errorf("%s is %s, want %s", text, got, want)
			}
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:1") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		// The executor's is refused in the same words.
		if err := os.WriteFile(file, []byte("executors: {gpu: {kind: ssh, hosts: [a], price_per_hour: "+text+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, _, err = config.LoadConfig(config.Source{File: file}); err == nil {
			_, err = c.ExecutorOptions("gpu")
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("price_per_hour: %s: %v, want %s", text, err, want)
		}
	}
	c, _, err := config.LoadConfig(config.Source{Env: []string{"SPRINT_MAX_COST=7 EUR"}, Flags: map[string]any{"max_cost": "8 GBP"}})
	if err != nil || c.MaxCost.String() != "8.00 GBP" {
		t.Errorf("%+v, %v", c.MaxCost, err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("executors: {gpu: {kind: ssh, hosts: [a], price_per_hours: 5}}\nmax_costs: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.LoadConfig(config.Source{File: file}); err == nil || !strings.Contains(err.Error(), `did you mean "max_cost"?`) {
		t.Errorf("%v", err)
	}
}
