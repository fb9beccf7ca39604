package sanitize

import (
	"bytes"
	"testing"
)

// However a text is cut into writes, the same comes out.
func TestPlainTextCannotSteer(t *testing.T) {
	for _, c := range []struct{ name, in, want, github string }{
		{"title", "a\x1b]0;owned\x07b\n", `a\u001b]0;owned\u0007b` + "\n", ""},
		{"cursor and line", "a\x1b[2J\rb\x08\x7f", `a\u001b[2J\u000db\u0008\u007f`, ""},
		{"8 bits", "\u009b31m\u0085", `\u009b31m\u0085`, ""},
		{"direction", "\u202egpj.exe\u2066", `\u202egpj.exe\u2066`, ""},
		{"bytes", "a\xffb\xc3", "a\ufffdb\ufffd", ""},
		{"colours", "\x1b[1;32mhit\x1b[0m\x1b[8m", `\u001b[1;32mhit\u001b[0m\u001b[8m`, ""},
		{"words", "Räksmörgås\t猫 \u200fא 🔥\n", "Räksmörgås\t猫 \u200fא 🔥\n", ""},
		{"command", "x ::a::b\n  ::error::c\n:d\n##[group]e\n# f##", "x ::a::b\n  ::error::c\n:d\n##[group]e\n# f##", "x ::a::b\n  \\u003a:error::c\n:d\n\\u0023#[group]e\n# f##"},
		{"spaces before it", "\u00a0\u3000::a\n\u200b\ufeff::b\n\u202f\u2003\ufe0f::c\né::d\n\r::e\n###[f]", "\u00a0\u3000::a\n\u200b\ufeff::b\n\u202f\u2003\ufe0f::c\né::d\n\\u000d::e\n###[f]",
			"\u00a0\u3000\\u003a:a\n\u200b\ufeff\\u003a:b\n\u202f\u2003\ufe0f\\u003a:c\né::d\n\\u000d::e\n#\\u0023#[f]"},
	} {
		for _, github := range []bool{false, true} {
			want := c.want
			if github && c.github != "" {
				want = c.github
			}
			for n := 1; n <= len(c.in); n++ {
				var out bytes.Buffer
				p := &Writer{Out: &out, GitHub: github}
				for at := 0; at < len(c.in); at += n {
					piece := c.in[at:min(at+n, len(c.in))]
					if wrote, err := p.Write([]byte(piece)); err != nil || wrote != len(piece) {
						t.Fatal(wrote, err)
					}
				}
				p.Flush()
				if out.String() != want {
					t.Fatalf("%s, github %v, pieces of %d: %q, want %q", c.name, github, n, out.String(), want)
				}
			}
		}
	}
}
