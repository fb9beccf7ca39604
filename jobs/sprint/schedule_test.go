package main

import (
	"strings"
	"testing"
)

// TestScheduleChecks: no timer is written for a plan that a refresh would refuse, nor with an
// option that its service has no use for.
func TestScheduleChecks(t *testing.T) {
	dir := t.TempDir()
	const begins = "name: demo\ntaxonomy: taxonomy.yaml\nstages:\n  - name: fetch\n    with: {source: files, files: {paths: [rows.jsonl]}}\n"
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "rows.jsonl": goodRows(), "plan.yaml": begins})
	for _, c := range []struct {
		code int
		says string
		line string
	}{
		{3, "cannot be refreshed: it publishes no model", "schedule plan.yaml --for cron"},
		{2, "did you mean \"cron\"?", "schedule plan.yaml --for corn"},
		{2, "--release is for services elsewhere: cron runs this program", "schedule plan.yaml --for cron --release v0.1.0"},
		{2, "--repo is for kubernetes alone", "schedule plan.yaml --for cron --repo https://host/owner/name"},
	} {
		if code, stdout, stderr := exec(t, dir, strings.Fields(c.line)...); code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: code %d: %s%s", c.line, code, stdout, stderr)
		}
	}
}
