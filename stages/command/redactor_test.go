//go:build unix

package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/command"
)

// A secret is hidden wherever it stands in a line of any length, line by line if
// it has several, and whole if another one is its beginning.
func TestSecretsAreHidden(t *testing.T) {
	const pem = "-----BEGIN KEY-----\nc2VjcmV0LWtleS1saW5l\n-----END KEY-----\n"
	for name, c := range map[string]struct{ script, secret, never string }{
		"several lines":   {`printf '%s' "$A"`, pem, "c2VjcmV0LWtleS1saW5l"},
		"begins with it":  {`echo "$A"`, "abcdef-and-more", "and-more"},
		"end of a buffer": {`for n in 8170 8180 8185 8190 8191 16370 16380; do head -c $n /dev/zero | tr '\0' x; echo "$A"; done`, "s3cret-value", "t-v"},
		"repeated":        {`for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9 0; do printf '%s%s%s%s%s%s%s%s%s%s%s' "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A"; done; done`, "s3cret-value", "cre"},
	} {
		t.Setenv("TOKEN_A", c.secret)
		t.Setenv("TOKEN_B", "abcdef")
		o := &command.Options{Argv: []string{c.script}, Shell: true, Grace: 10 * time.Second, Secrets: map[string]string{"A": "env:TOKEN_A", "B": "env:TOKEN_B"}}
		for range 4 { // maps have no order
			if r := run(t, o, nil); r.Err != nil || strings.Contains(r.Log, c.never) || !strings.Contains(r.Log, "***") {
				t.Errorf("%s: %v %.300s", name, r.Err, r.Log)
			}
		}
	}
}
