package table

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "plain", "=1+1", "+46", "-5", "@x", "'quoted", "'=x", "it's", "\t=1+1", "\r=1+1", "\n=1+1", "a\t"} {
		if h := Quote(s); Unquote(h) != s || h != "" && strings.ContainsRune("=+-@\t\r\n", rune(h[0])) {
			t.Errorf("%q: %q, %q", s, h, Unquote(h))
		}
	}
}
