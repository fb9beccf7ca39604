package text_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/text"
)

func encode(t testing.TB, name, s string) []byte {
	t.Helper()
	e, err := text.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestEncodings: what people write is read as they meant it, however the bytes arrive, and
// the encoding is told.
func TestEncodings(t *testing.T) {
	const said = "title,id\nWomen’s café – naïve Ångström €5,1\n"
	long := strings.Repeat("plain ascii, 1\n", 10_000) + said + strings.Repeat("more,2\n", 20_000)
	wide := func(order unicode.Endianness, bom unicode.BOMPolicy, s string) []byte {
		b, err := unicode.UTF16(order, bom).NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	latin, err := charmap.Windows1252.NewEncoder().Bytes([]byte(said))
	if err != nil {
		t.Fatal(err)
	}
	lateLatin, _ := charmap.Windows1252.NewEncoder().Bytes([]byte(long))
	for name, c := range map[string]struct {
		in       []byte
		given    string
		want     string
		encoding string
	}{
		"utf-8":              {[]byte(said), "", said, text.UTF8},
		"utf-8, mark":        {[]byte("\ufeff" + said), "auto", said, text.UTF8},
		"utf-8, late":        {[]byte(long), "", long, text.UTF8},
		"utf-16 le, mark":    {wide(unicode.LittleEndian, unicode.UseBOM, said), "", said, text.UTF16LE},
		"utf-16 be, mark":    {wide(unicode.BigEndian, unicode.UseBOM, said), "", said, text.UTF16BE},
		"utf-16 le":          {wide(unicode.LittleEndian, unicode.IgnoreBOM, said), "", said, text.UTF16LE},
		"utf-16 be":          {wide(unicode.BigEndian, unicode.IgnoreBOM, said), "", said, text.UTF16BE},
		"windows-1252":       {latin, "", said, text.Windows1252},
		"windows-1252, late": {lateLatin, "", long, text.Windows1252},
		"given":              {encode(t, "shift_jis", "日本語,1\n"), "shift_jis", "日本語,1\n", "shift_jis"},
		"given, mark":        {[]byte("\ufeffå"), "utf-8", "å", text.UTF8},
		"a stray byte":       {[]byte("title\nbad \xff byte\n"), "", "title\nbad \xff byte\n", text.UTF8},
		"a cut character":    {[]byte("title\nå ä ö caf\xc3\n"), "", "title\nå ä ö caf\xc3\n", text.UTF8},
		"cut by the block":   {[]byte(strings.Repeat("x", 65_000) + strings.Repeat("å", 40_000)), "", strings.Repeat("x", 65_000) + strings.Repeat("å", 40_000), text.UTF8},
		"empty":              {nil, "", "", text.UTF8},
		"one byte":           {[]byte("\xe5"), "", "å", text.Windows1252},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{bytes.NewReader(c.in), iotest.OneByteReader(bytes.NewReader(c.in)), iotest.DataErrReader(bytes.NewReader(c.in)), bytes.NewReader(zipped(t, c.in))} {
				var budget table.Budget
				r, err := text.Open(in, c.given, &budget)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != c.want || r.Encoding() != c.encoding {
					t.Errorf("%v, %s, %d bytes, want %d:\n%.80q\n%.80q", err, r.Encoding(), len(got), len(c.want), got, c.want)
				}
			}
		})
	}
}

// TestNoText: files that are no text say what to do instead.
func TestNoText(t *testing.T) {
	for in, want := range map[string]string{
		"PK\x03\x04....[Content_Types].xml....xl/workbook.xml":                 "CSV UTF-8",
		"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet": "OpenDocument",
		"PK\x03\x04....word/document.xml":                                      "a Word document",
		"PK\x03\x04....a.csv":                                                  "unpack it",
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":                                     "old Excel",
		"%PDF-1.7":                                                             "a PDF",
		"PAR1.....":                                                            "files.format: parquet",
		"\x28\xb5\x2f\xfd....":                                                 "zstd",
		"\xff\xfe\x00\x00t\x00\x00\x00":                                        "UTF-32",
		string(zipped(t, zipped(t, []byte("title")))):                          "gzip twice",
	} {
		_, err := text.Open(strings.NewReader(in), "", nil)
		if !errors.Is(err, table.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", in, err, want)
		}
	}
}

// TestBrokenGzip: a file that is cut or damaged is no shorter file.
func TestBrokenGzip(t *testing.T) {
	whole := zipped(t, []byte(strings.Repeat("title\nstorm closes the harbour\n", 100)))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0x55
	for _, in := range [][]byte{whole[:len(whole)/2], whole[:len(whole)-3], whole[:11], damaged} {
		r, err := text.Open(bytes.NewReader(in), "", &table.Budget{})
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, table.ErrFormat) {
			t.Errorf("%d bytes of %d: %v", len(in), len(whole), err)
		}
	}
}

// TestGzipBomb: what a compressed file unpacks to has a limit, which real tables keep.
func TestGzipBomb(t *testing.T) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	part := make([]byte, 1<<20)
	for range 256 {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	var budget table.Budget
	r, err := text.Open(bytes.NewReader(out.Bytes()), "", &budget)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if !errors.Is(err, table.ErrBudget) || budget.Spent() > budget.Limit() {
		t.Errorf("%v, %d bytes", err, budget.Spent())
	}
}

// FuzzOpen: text comes out as it went in where it is UTF-8, and as UTF-8 where it was
// decoded.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("title\nå\n"))
	f.Add([]byte("\xff\xfet\x00i\x00"))
	f.Add([]byte("caf\xe9"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := text.Open(iotest.HalfReader(bytes.NewReader(in)), "", &table.Budget{})
		if err != nil {
			return
		}
		got, err := io.ReadAll(r)
		if err != nil {
			return
		}
		if r.Encoding() != text.UTF8 && !utf8.Valid(got) {
			t.Errorf("%s gives %q", r.Encoding(), got)
		}
		if r.Encoding() == text.UTF8 && !r.Gzip() && !bytes.Equal(got, bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))) {
			t.Errorf("%q became %q", in, got)
		}
	})
}
