package places

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestKindsAreWordsOfTheConfig: each kind can be named there, and another is refused.
func TestKindsAreWordsOfTheConfig(t *testing.T) {
	for _, k := range Kinds() {
		if _, err := load(t, "executors:\n  x: {kind: "+k.Name+"}\n", "auto").ExecutorOptions("x"); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	for key, want := range map[string]string{"price_per_hours": `did you mean "price_per_hour"?`, "hots": `did you mean "hosts"?`, "nonsense": "known: hosts"} {
		c := load(t, "executors:\n  x: {kind: ssh, hosts: [a], "+key+": 5}\n", "auto")
		if _, err := openProvider(c, "x", "ssh", Options{}); err == nil || executor.Code(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
	if _, err := load(t, "executors:\n  x: {kind: skye}\n", "auto").ExecutorOptions("x"); err == nil {
		t.Error("a kind that is not there can be named")
	}
}
