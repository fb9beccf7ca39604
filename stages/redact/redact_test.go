package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/sprint-ml/sprint/stages/redact"
	"pgregory.net/rapid"
)

func newRedactor(t testing.TB, values ...string) *redact.Redactor {
	t.Helper()
	r, err := redact.New(values...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// coded is a text with an encoding of a value in it, and what may be left of that.
type coded struct{ text, left string }

// encodings are what programs make of a value, as they would print it.
func encodings(t *testing.T, value string) map[string]coded {
	t.Helper()
	digits := hex.EncodeToString([]byte(value))
	var percent, lower, units, escaped strings.Builder
	for _, c := range []byte(value) {
		fmt.Fprintf(&percent, "%%%02X", c)
		fmt.Fprintf(&lower, "%%%02x", c)
		fmt.Fprintf(&escaped, `\x%02x`, c)
	}
	for _, c := range utf16.Encode([]rune(value)) {
		fmt.Fprintf(&units, `\u%04X`, c)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	quoted := string(text[1 : len(text)-1])
	out := map[string]coded{}
	for name, form := range map[string]string{
		"raw": value, "upper": strings.ToUpper(value), "lower": strings.ToLower(value), "hex": digits, "HEX": strings.ToUpper(digits),
		"query": url.QueryEscape(value), "path": url.PathEscape(value), "percent": percent.String(), "percent lower": lower.String(),
		"units": units.String(), "bytes": escaped.String(), "json": quoted, "json of others": strings.ReplaceAll(quoted, "/", `\/`),
		"html": html.EscapeString(value), "html of Python": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;").Replace(value),
		"html without quotes": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(value), "html of PHP": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(value),
	} {
		out[name] = coded{form, "***"}
	}
	for name, e := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw std": base64.RawStdEncoding, "raw url": base64.RawURLEncoding} {
		for before := range 4 {
			for _, after := range []string{"", "\n", "ab", "abc"} {
				form := e.EncodeToString([]byte("user:"[:before] + value + after))
				// Digits in which other bytes have a share may stay.
				first, last := (8*before+5)/6, 8*(before+len(value))/6
				left := form[:first] + "***" + form[last:]
				name := fmt.Sprintf("base64 %s %d %q", name, before, after)
				out[name] = coded{form, left}
				out[name+" in a query"] = coded{url.QueryEscape(form), form[:first] + "***" + url.QueryEscape(form[last:])}
			}
		}
	}
	return out
}

// Whatever encoding a value is printed in, and however the text is cut into reads,
// nothing of it is left.
func TestEveryEncodingIsHidden(t *testing.T) {
	for _, value := range []string{"xK7#pQ2&vR9%zT4", "zaQ3/+x=='\"\\<w>", "Zm9vYmFyMTIzNDU2Nzg5", "päss wörd €🔑!", "JZ0kW7qY"} {
		r := newRedactor(t, value)
		for name, c := range encodings(t, value) {
			text, want := "see: "+c.text+" :end\n", "see: "+c.left+" :end\n"
			if got := r.String(text); got != want {
				t.Errorf("%s of %q: %q, want %q", name, value, got, want)
				continue
			}
			for cut := 1; cut < len(text); cut += 7 {
				cutting := io.MultiReader(strings.NewReader(text[:cut]), strings.NewReader(text[cut:]))
				if got, err := io.ReadAll(r.Reader(cutting)); err != nil || string(got) != want {
					t.Fatalf("%s cut at %d: %q, want %q (%v)", name, cut, got, want, err)
				}
			}
			if got, err := io.ReadAll(r.Reader(iotest.OneByteReader(strings.NewReader(text)))); err != nil || string(got) != want {
				t.Fatalf("%s byte by byte: %q, want %q (%v)", name, got, want, err)
			}
		}
	}
}

func TestHidden(t *testing.T) {
	const pem = "-----BEGIN KEY-----\nc2VjcmV0LWtleS1saW5l\nbW9yZSBvZiB0aGUga2V5\n-----END KEY-----\n"
	long := strings.Repeat("kQ7z!", 40)
	wrapped := func(s string, n int) string {
		var b strings.Builder
		for len(s) > n {
			b.WriteString(s[:n] + "\r\n")
			s = s[n:]
		}
		return b.String() + s
	}
	for name, c := range map[string]struct {
		values   []string
		in, want string
	}{
		"none":                  {nil, "text", "text"},
		"several in a row":      {[]string{"abcd"}, "xabcdabcdy", "x***y"},
		"one begins another":    {[]string{"abcdef", "abcdef-more"}, "abcdef-more abcdef-mor", "*** ***-mor"},
		"they overlap":          {[]string{"abcdef", "efghij"}, "1abcdefghij2", "1***2"},
		"after a percent":       {[]string{"abcdef"}, "100%abcdef", "100%***"},
		"after a backslash":     {[]string{"nopqrs"}, `C:\nopqrs`, `C:\***`},
		"escaped in part":       {[]string{"ab/cd+ef"}, `ab%2Fcd+ef ab\u002fcd\u002Bef`, "*** ***"},
		"has a URL's escape":    {[]string{`a%41b"c`}, `{"k": "a%41b\"c"}`, `{"k": "***"}`},
		"has one of JSON":       {[]string{`ab\ncd/e`}, `?k=ab\ncd%2Fe&`, `?k=***&`},
		"quoted for a shell":    {[]string{"it's-me"}, `+ echo 'it'\''s-me'`, "+ echo '***'"},
		"a line of it":          {[]string{pem}, "key:   c2VjcmV0LWtleS1saW5l;\n", "key:   ***;\n"},
		"all its lines":         {[]string{pem}, strings.ReplaceAll(pem, "\n", "\r\n"), "***\n***\n***\n***\r\n"},
		"as JSON":               {[]string{pem}, `{"key":"` + strings.ReplaceAll(pem, "\n", `\n`) + `"}`, `{"key":"***\n"}`},
		"base64 in lines":       {[]string{long}, wrapped(base64.StdEncoding.EncodeToString([]byte(long)), 76), "***\n***\n***\n***E="},
		"too short":             {[]string{"abc", ""}, "abc", "abc"},
		"line ends without end": {[]string{"abcdefgh"}, "abcdef" + strings.Repeat("\n", 9) + "gh", "abcdef" + strings.Repeat("\n", 9) + "gh"},
	} {
		if got := newRedactor(t, c.values...).String(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := redact.New(strings.Repeat("x", 70_000)); err == nil {
		t.Error("a value without limit was taken")
	}
}

// However values and their encodings stand among other text, and wherever it is cut,
// none is left, and nothing else is lost.
func TestAnyMixture(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.StringMatching(`[!-~]{8,24}`).Draw(rt, "value")
		r := newRedactor(t, value)
		var forms []string
		for _, c := range encodings(t, value) {
			if strings.HasPrefix(c.left, "***") && strings.HasSuffix(c.left, "***") {
				forms = append(forms, c.text)
			}
		}
		slices.Sort(forms)
		var text strings.Builder
		hidden := 0
		for range rapid.IntRange(1, 6).Draw(rt, "parts") {
			text.WriteString(rapid.StringMatching(`[ a-z\\%+\n"]{0,8}`).Draw(rt, "noise"))
			text.WriteString(" § ")
			if rapid.Bool().Draw(rt, "with") {
				text.WriteString(rapid.SampledFrom(forms).Draw(rt, "form"))
				hidden++
			}
			text.WriteString(" § ")
		}
		var cut []io.Reader
		for rest := text.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "cut")
			cut = append(cut, strings.NewReader(rest[:n]))
			rest = rest[n:]
		}
		got, err := io.ReadAll(r.Reader(io.MultiReader(cut...)))
		if err != nil || string(got) != r.String(text.String()) {
			rt.Fatalf("in pieces %q (%v), at once %q", got, err, r.String(text.String()))
		}
		for _, form := range forms {
			if bytes.Contains(got, []byte(form)) {
				rt.Fatalf("%q shows %q", got, form)
			}
		}
		if n := bytes.Count(got, []byte(" § *** § ")); n != hidden || bytes.Count(got, []byte(" § ")) < hidden*2 {
			rt.Fatalf("%d of %d are hidden in %q, of %q", n, hidden, got, text.String())
		}
	})
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]string{
		`Get "https://me:se/c?r#et@host:1/x": no`: `Get "https://***@host:1/x": no`,
		"proxy http://me@h and https://h:80/a@b":  "proxy http://***@h and https://h:80/a@b",
		"s3://bucket/a@b, mail a@b, x://a:b c@d":  "s3://bucket/a@b, mail a@b, x://a:b c@d",
	} {
		if got := redact.URLs(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What holds no value comes out as it went in, whatever it is cut into.
// TestAddress: what is left of an address lets nobody in, however badly it is written.
func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"oci://ghcr.io:5000/team":         "oci://ghcr.io:5000/team",
		"mlflow://host/x?token=S#CRET":    "mlflow://host/x?***",
		"mlflow://host#SECRET":            "mlflow://host#***",
		"oci://me:SEC/RET@host/x":         "oci://***@host/x",
		"oci://me:SEC@RET@host/x?k=S":     "oci://***@host/x?***",
		"oci://me:SEC?RET@host/x":         "oci://***",
		"mlflow://host?token=SEC@RET":     "mlflow://***",
		"me:SECRET@host?token=x":          "***@host?***",
		"oci:me?SECRET":                   "oci:me?***",
		"":                                "",
		"plain words":                     "plain words",
		"mlflow://host?token=a://me@host": "mlflow://***",
	} {
		if got := redact.Address(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestOtherTextIsUntouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom([]byte("\\%u002fx6a\n\rABCq"))).Draw(t, "text")
		r, err := redact.New("Zq-Zq-Zq", "\\u00-%%ZZ")
		if err != nil {
			t.Fatal(err)
		}
		var cut []io.Reader
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			cut = append(cut, bytes.NewReader(rest[:n]))
			rest = rest[n:]
		}
		got, err := io.ReadAll(r.Reader(io.MultiReader(cut...)))
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q became %q (%v)", text, got, err)
		}
	})
}

// A line is there when it has ended: a log is followed while it grows.
func TestLinesAreNotKeptBack(t *testing.T) {
	r := newRedactor(t, "\nabcdef", "done")
	in, out := io.Pipe()
	defer in.Close()
	go func() { _, _ = out.Write([]byte("epoch 1 abc\n")) }()
	buf := make([]byte, 100)
	if n, err := r.Reader(in).Read(buf); err != nil || string(buf[:n]) != "epoch 1 abc\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func BenchmarkReader(b *testing.B) {
	line := "2026-11-28T10:00:00Z INFO step=1200 loss=0.1234 path=/var/lib/x%20y \"title\": \"Storm closes the harbour\"\n"
	for name, c := range map[string]struct{ value, text string }{
		"log":     {"sk-proj-0123456789abcdefghijklmnop", line},
		"pem":     {"-----BEGIN KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n", 50), line},
		"hostile": {strings.Repeat("a", 1000) + "b", strings.Repeat("a", 100)},
		"escapes": {"sk-proj-0123456789", `\u0073k-%70roj\n`},
	} {
		text := bytes.Repeat([]byte(c.text), 10<<20/len(c.text))
		r := newRedactor(b, c.value)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := io.Copy(io.Discard, r.Reader(bytes.NewReader(text))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestWithoutAddress: what went wrong is told, and not which address was asked; an error that
// has none stays as it is.
func TestWithoutAddress(t *testing.T) {
	cause := errors.New("refused")
	asked := fmt.Errorf("try 3: %w", &url.Error{Op: "Get", URL: "https://host/?key=S3CRET", Err: cause})
	if got := redact.WithoutAddress(asked); got != cause {
		t.Error(got)
	}
	if got := redact.WithoutAddress(cause); got != cause {
		t.Error(got)
	}
}
