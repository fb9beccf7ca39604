package table_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

var limits = table.Limits{MaxLine: 1 << 12, MaxBytes: 1 << 30}

// shown is a record as text: its cells by name, or what is wrong.
func shown(rec *table.Record, problem string) string {
	if problem != "" {
		return "bad"
	}
	cells := map[string]string{}
	for i, n := range rec.Names() {
		if c := rec.At(i); c.Present() {
			cells[n] = fmt.Sprintf("%v %s", c.Set(), c.String())
		}
	}
	b, _ := json.Marshal(cells) // of texts
	return string(b)
}

// cleanLines are the lines of a text without carriage returns at their ends.
func cleanLines(in []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(in) {
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	return b.String()
}

// FuzzCSV: records are those of encoding/csv.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,b\n\"x\"\"y\n\nz\",2\n\n3\n", "a\r\n\"1\"\r\n\r\r\n\"", "a,b\n\"1\"x,2\n1\"2,3\n4,5", "\"a\nb\",c\n,\n", "a,a\n1,2", "a\n\"b\" \nc\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > limits.MaxLine {
			return
		}
		want, wantErr := wantCSV(in)
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			var got []string
			columns := table.NewColumns(nil)
			err := table.CSV(r, limits, table.Dialect{Delimiter: ','}, columns, func([]string) error { return nil }, func(rec *table.Record, problem string) error {
				got = append(got, shown(rec, problem))
				return nil
			})
			if (err != nil) != wantErr {
				t.Fatalf("%q: %v, want an error: %v", in, err, wantErr)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%q (-encoding/csv +ours):\n%s", in, d)
			}
		}
	})
}

func wantCSV(in []byte) (out []string, failed bool) {
	r := csv.NewReader(strings.NewReader(cleanLines(in)))
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		return nil, err != io.EOF
	}
	columns := table.NewColumns(nil)
	rec := table.NewRecord(columns)
	for i, h := range head {
		head[i] = strings.ToValidUTF8(strings.TrimSpace(h), "\uFFFD")
	}
	places, _ := columns.Places(head)
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return out, false
		}
		problem := ""
		if err != nil || len(fields) != len(head) {
			problem = "bad"
		} else {
			for i, v := range fields {
				rec.Set(places[i], table.Text(v))
			}
		}
		out = append(out, shown(rec, problem))
	}
}

// FuzzJSONL: records are those of encoding/json, of the repaired line.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{`{"a":"x","b":1.5e3,"c":true,"d":null,"e":[1,"]"],"f":{"g":"}"}}`, `{"a":"\u00e5\ud83d\ude00\ud83d \n\/\q"}`, "{\"a\":\"\xff\x01\"}\n{}\nnull\n[]\n", `{"a":1,"a":[]} {"a":01}`, `{"a":-0.0,"b":1e999}`, "{\"a\\u0062\" : \"c\"\t,\r\"d\":\"\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > limits.MaxLine || bytes.HasPrefix(bytes.TrimSpace(in), []byte("[")) {
			return
		}
		var want, got []string
		good := 0
		for line := range bytes.Lines(in) {
			if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) > 0 {
				s := wantJSON(line)
				if want = append(want, s); s != "bad" {
					good++
				}
			}
		}
		err := table.JSONL(bytes.NewReader(in), limits, table.NewColumns(nil), func(rec *table.Record, problem string) error {
			got = append(got, shown(rec, problem))
			return nil
		})
		if errors.Is(err, table.ErrFormat) != (len(want) > 0 && good == 0) {
			t.Fatalf("%q: %v", in, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%q (-encoding/json +ours):\n%s", in, d)
		}
	})
}

func wantJSON(line []byte) string {
	mended, _ := table.RepairJSON(line)
	var fields map[string]any
	if err := json.Unmarshal(mended, &fields); err != nil || fields == nil {
		return "bad"
	}
	rec := table.NewRecord(table.NewColumns(nil))
	for name, v := range fields {
		place, _, _ := rec.Place(name)
		switch v := v.(type) {
		case string:
			rec.Set(place, table.Text(v))
		case float64:
			rec.Set(place, table.Number(v))
		case bool:
			rec.Set(place, table.Number(map[bool]float64{true: 1}[v]))
		case nil:
			rec.Set(place, table.Null())
		}
	}
	if !utf8.Valid(line) {
		place, _, _ := rec.Place(table.MendedMark)
		rec.Set(place, table.Null())
	}
	return shown(rec, "")
}

// FuzzJSONArray: the elements of an array are the records of its elements as lines.
func FuzzJSONArray(f *testing.F) {
	for _, s := range []string{`[{"a":"[,]"},{"b":{"c":[1]}} , 3, "x\"y", null]`, "[\n{\n\"a\":1}\n]\n[{}]", `[]`, `[{"a":1}`, `[}]`, `[{"a":1}] x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var elements []json.RawMessage
		if len(in) > limits.MaxLine || json.Unmarshal(in, &elements) != nil || elements == nil {
			var budget table.Budget // it must end all the same
			_ = table.JSONL(bytes.NewReader(in), table.Limits{MaxLine: 64, MaxBytes: 1 << 20, Budget: &budget}, table.NewColumns(nil), func(*table.Record, string) error { return nil })
			return
		}
		var want, got []string
		for _, e := range elements {
			want = append(want, wantJSON(e))
		}
		err := table.JSONL(iotest.HalfReader(bytes.NewReader(in)), limits, table.NewColumns(nil), func(rec *table.Record, problem string) error {
			got = append(got, shown(rec, problem))
			return nil
		})
		if err != nil && !errors.Is(err, table.ErrFormat) {
			t.Fatalf("%q: %v", in, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%q (-encoding/json +ours):\n%s", in, d)
		}
	})
}
