package wrapper

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/commandline"
)

// checkout is the action that fetches the repository, by the commit of its v7.0.1.
const checkout = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"

// github is a workflow: .github/workflows/NAME.yml.
func github(o Options) ([]byte, error) {
	var b strings.Builder
	b.WriteString(o.head("github"))
	fmt.Fprintf(&b, "name: %s\non:\n  workflow_dispatch: {}\n", strconv.Quote(o.Name))
	if o.Every != "" {
		fmt.Fprintf(&b, "  schedule: [{cron: %s}]\n", strconv.Quote(o.pace().cron))
	}
	b.WriteString("permissions: {contents: read}\n")
	// Two of them would wait for each other's leases, and pay for it.
	fmt.Fprintf(&b, "concurrency: {group: %s}\n", strconv.Quote("sprint-"+o.Name))
	fmt.Fprintf(&b, "jobs:\n  sprint:\n    runs-on: ubuntu-24.04\n    timeout-minutes: %d\n    env:\n", o.Minutes)
	for _, name := range o.Secrets {
		fmt.Fprintf(&b, "      %s: ${{ secrets.%s }}\n", name, name)
	}
	fmt.Fprintf(&b, "    steps:\n      - uses: %s\n        with: {persist-credentials: false}\n      - run: |\n", checkout)
	lines(&b, "          ", o.listens(), o.install(), o.credentials(), []string{commandline.Of("validate", o.Plan).With("--strict", "-o", "github").String()})
	if o.Every != "" {
		lines(&b, "          ", awaited(o.refresh().String()+` >> "$GITHUB_STEP_SUMMARY"`), settled("::notice title=sprint refresh::"))
		return []byte(b.String()), nil
	}
	lines(&b, "          ", []string{o.run("github")}) // it writes the summary of the step, whatever its code
	return []byte(b.String()), nil
}

// gitlab is a pipeline: .gitlab-ci.yml. Its secrets are variables of the project, which
// jobs have as they are.
func gitlab(o Options) ([]byte, error) {
	var b strings.Builder
	b.WriteString(o.head("gitlab"))
	if o.Every != "" {
		fmt.Fprintf(&b, "# The project's page of schedules, or `glab schedule create --ref BRANCH --description refresh --cron %q`, starts it.\n", o.pace().cron)
	}
	b.WriteString("sprint:\n  image: python:3.13-slim-bookworm\n")
	if o.Device == "cuda" {
		b.WriteString("  tags: [saas-linux-medium-amd64-gpu-standard]\n")
	}
	fmt.Fprintf(&b, "  timeout: %d minutes\n  resource_group: %s\n", o.Minutes, strconv.Quote("sprint-"+o.Name))
	b.WriteString("  rules:\n    - if: $CI_PIPELINE_SOURCE == \"web\" || $CI_PIPELINE_SOURCE == \"schedule\"\n  script:\n    - |\n")
	lines(&b, "      ", []string{"set -eu"}, o.listens(), []string{"apt-get update -q", "apt-get install -qy --no-install-recommends ca-certificates curl"}, o.install(), o.credentials(), []string{
		commandline.Of("validate", o.Plan).With("--strict").String(),
	})
	if o.Every != "" {
		lines(&b, "      ", awaited(o.refresh().String()+" > refresh.md"), []string{"cat refresh.md"}, settled(""))
		b.WriteString("  artifacts:\n    when: always\n    paths: [refresh.md]\n")
		return []byte(b.String()), nil
	}
	lines(&b, "      ", []string{o.run("plain") + " --junit stages.xml"})
	b.WriteString("  artifacts:\n    when: always\n    reports: {junit: stages.xml}\n")
	return []byte(b.String()), nil
}

// lines writes lists of lines behind an indent.
func lines(b *strings.Builder, indent string, lists ...[]string) {
	for _, list := range lists {
		for _, line := range list {
			b.WriteString(indent + line + "\n")
		}
	}
}
