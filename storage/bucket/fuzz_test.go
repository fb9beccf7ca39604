package bucket

import (
	"testing"
)

// FuzzURL: a URL is refused or opened, and no secret is shown.
func FuzzURL(f *testing.F) {
	f.Add("s3://user:hunter2@bucket/p?region=x&endpoint=http://u:hunter2@h")
	f.Add("file:///tmp/a?b=c")
	f.Add("plain/folder?x")
	f.Fuzz(func(t *testing.T, raw string) {
		_, d, err := parseURL(raw)
		if err == nil && d.open == nil {
			t.Errorf("%q has no driver", raw)
		}
		_ = Redact(raw)
	})
}
