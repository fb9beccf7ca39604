package rows

import (
	"strings"
	"testing"
)

func TestCell(t *testing.T) {
	for _, s := range []string{"", "plain", "=1+1", "+46", "-5", "@x", "'quoted", "'=x", "it's", "\t=1+1", "\r=1+1", "\n=1+1", "a\t"} {
		if h := Cell(s); CellText(h) != s || h != "" && strings.ContainsRune("=+-@\t\r\n", rune(h[0])) {
			t.Errorf("%q: %q, %q", s, h, CellText(h))
		}
	}
}
