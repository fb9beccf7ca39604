package main

import (
	"strings"
	"testing"
)

// TestPlacesOfPlanMistakes: a mistake is told once, at the option that it is about.
func TestPlacesOfPlanMistakes(t *testing.T) {
	train := "  - name: train\n    with: {encoder: all-minilm-l6-v3}\n"
	for name, c := range map[string]struct{ plan, want string }{
		"missing taxonomy": {strings.Replace(goodPlan, "taxonomy.yaml", "other.yaml", 1), `sprint: plan.yaml:2:11: taxonomy: cannot read other.yaml: no such file or directory
     2 | taxonomy: other.yaml
       |           ^
       the path is relative to the plan's folder
`},
		"no taxonomy": {strings.Replace(goodPlan, "taxonomy: taxonomy.yaml\n", "", 1), "sprint: plan.yaml:5:5: stages.label: the plan names no taxonomy\n     5 |   - name: label\n       |     ^\n       add `taxonomy: taxonomy.yaml` to the plan\n"},
		"unknown encoder": {goodPlan + train, `sprint: plan.yaml:10:21: stages.train.with.encoder: unknown encoder "all-minilm-l6-v3": known are all-minilm-l6-v2; or give a folder (./path), a hub model (org/name or org/name@revision), or a store URL
    10 |     with: {encoder: all-minilm-l6-v3}
       |                     ^
`},
		"unknown category": {strings.Replace(goodPlan, "- name: label\n", "- name: label\n    with: {conflicts: {fyre: abstain}}\n", 1), `sprint: plan.yaml:7:30: stages.label.with.conflicts.fyre: the taxonomy has no category "fyre"
     7 |     with: {conflicts: {fyre: abstain}}
       |                              ^
       its categories: [fire money]
`},
	} {
		code, _, stderr := exec(t, demo(t, map[string]string{"plan.yaml": c.plan}), "plan")
		if code != 3 || stderr != c.want {
			t.Errorf("%s: code %d\n%s\nwant\n%s", name, code, stderr, c.want)
		}
	}
}

// TestPlanTakesExecutors: plan has the --executor of run, and refuses what run would.
func TestPlanTakesExecutors(t *testing.T) {
	dir := demo(t, map[string]string{"plan.yaml": goodPlan, "places.yaml": "executors:\n  gpu: {kind: ssh, hosts: [host]}\n"})
	if code, stdout, stderr := exec(t, dir, "plan", "--config", "places.yaml", "--executor", "label=gpu", "-o", "json"); code != 0 || !strings.Contains(stdout, `"executor":"gpu"`) {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := exec(t, dir, "plan", "--config", "places.yaml", "--executor", "label=gup"); code != 2 || !strings.Contains(stderr, `did you mean "gpu"?`) {
		t.Errorf("code %d\n%s", code, stderr)
	}
}
