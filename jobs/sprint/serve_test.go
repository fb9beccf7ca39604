package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeDemandsAToken: where other machines reach it, it does not start without
// one, nor at what is no address; the message says how.
func TestServeDemandsAToken(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}", "empty": "\n", "short": "a-token-of-more-than-16-bytes\ns3cr3t\n"})
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "--token"},
		{[]string{"--listen", ":0"}, "--token"},
		{[]string{"--listen", "192.0.2.1:0"}, "--token"},
		{[]string{"--listen", ":0", "--token", "env:NOWHERE"}, "NOWHERE"},
		{[]string{"--listen", ":0", "--token", "file:" + filepath.Join(dir, "empty")}, "empty"},
		{[]string{"--token", "file:" + filepath.Join(dir, "short")}, "token 2 of 2 has fewer than 16 characters, and could be guessed\n       `openssl rand -hex 32` makes one"},
		{[]string{"--token", "in clear"}, "env:NAME"},
		{[]string{"--listen", "nowhere"}, "want HOST:PORT"},
		{[]string{"--listen", "127.0.0.1:99999"}, "want HOST:PORT"},
	} {
		code, stdout, stderr := exec(t, dir, append([]string{"serve", "--device", "go", "--model", "./"}, c.flags...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "in clear") || strings.Contains(stderr, "s3cr3t") {
			t.Errorf("%v: code %d, %q, %s", c.flags, code, stdout, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("it left %v, %v", left, err)
	}
}
