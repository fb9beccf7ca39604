package wrapper

import (
	"fmt"
	"regexp"
	"strings"
)

var noName = regexp.MustCompile(`[^a-z0-9-]+`)

// dstack is a task: NAME.dstack.yml, for `dstack apply -f`. The files of the folder go
// with it; variables without a value are taken from the shell that applies it.
func dstack(o Options) ([]byte, error) {
	var b strings.Builder
	b.WriteString(o.head("dstack"))
	name := strings.Trim("sprint-"+noName.ReplaceAllString(strings.ToLower(o.Name), "-"), "-")
	fmt.Fprintf(&b, "type: task\nname: %s\npython: \"3.12\"\nfiles: [\".:plan\"]\nenv:\n", name[:min(len(name), 40)])
	for _, secret := range o.Secrets {
		fmt.Fprintf(&b, "  - %s\n", secret)
	}
	// What a machine did that is taken away is in the store, and the next one goes on from it.
	b.WriteString("commands:\n  - |\n")
	lines(&b, "    ", []string{"set -eu", "cd plan"}, o.install(), o.credentials(), []string{o.run("plain")})
	fmt.Fprintf(&b, "max_duration: %dm\nspot_policy: auto\nretry: {on_events: [interruption], duration: %dm}\n", o.Minutes, 4*o.Minutes)
	if o.Device != "cpu" {
		b.WriteString("resources: {gpu: 1}\n")
	}
	return []byte(b.String()), nil
}
