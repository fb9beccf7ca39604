package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// document is what the tests read: {"a": "...", "n": 0.5, "on": true, "list": ["..."], "any": ...}.
type document struct {
	a    string
	n    float64
	on   bool
	list []string
}

func read(r *Reader) (d document, err error) {
	err = r.Object([]string{"a", "n", "on", "list", "any"}, func(name string) (ok bool, err error) {
		switch name {
		case "a":
			d.a, err = r.String()
		case "n":
			d.n, err = r.Number(0, 1)
		case "on":
			d.on, err = r.Bool()
		case "list":
			err = r.List(func(int) error {
				s, err := r.String()
				d.list = append(d.list, s)
				return err
			})
		case "any":
			err = r.Skip()
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil {
		err = r.End()
	}
	return d, err
}

// TestRefused: each fault is named, with its place.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"x","n":0.5,"on":true,"list":["å","b"],"any":{"q":[1,null]}} `: "",
		`{"a":null,"list":[]}`:                 "",
		`{"a":"x","a":"y"}`:                    `"a" stands there twice`,
		`{"A":"x"}`:                            `there is no field "A"; did you mean a?`,
		`{"elephant":1}`:                       `there are a, n, on, list, any`,
		`{"a":{"b":1}}`:                        `a is an object; a string is wanted`,
		`{"list":["x",[]]}`:                    `list.1 is a list; a string is wanted`,
		`{"n":2}`:                              `n is 2; a number from 0 to 1 is wanted`,
		`{"n":1e999}`:                          `a number from 0 to 1`,
		`{"on":"yes"}`:                         `on is a string; true or false is wanted`,
		`[]`:                                   `the request is a list; an object is wanted`,
		`null`:                                 `the request is null`,
		`{"a":"` + "\xff" + `"}`:               `byte 7 is no UTF-8`,
		`{"a":"` + "å\xc3" + `"}`:              `byte 9 is no UTF-8`,
		`{"a":"x"} {"a":"y"}`:                  `behind the document`,
		`{"a":"x"`:                             `no JSON`,
		`{"a":`:                                `no JSON`,
		``:                                     `it is empty, which is no JSON`,
		`{'a':1}`:                              `no JSON`,
		`{"any":` + strings.Repeat("[", 65):    `any is nested more than 64 deep`,
		`{"a":` + strings.Repeat("[", 1000000): `a is a list`,
		`{"a":"` + strings.Repeat("x", 5000):   `over 1000 bytes`,
		`{"a":"x"}` + "\xff":                   `is no UTF-8`,
	} {
		for name, in := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			b := &Budget{Max: 1 << 20}
			r := New(in, b, 1000)
			_, err := read(r)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %.60s: %v, want %s", name, text, err, want)
			}
			if r.Size() > 8<<10 {
				t.Errorf("%s, %.60s: %d bytes were read", name, text, r.Size())
			}
			if r.Release(); b.Held() != 0 {
				t.Errorf("%d bytes are held", b.Held())
			}
		}
	}
}

// TestBudget: documents share what there is.
func TestBudget(t *testing.T) {
	b := &Budget{Max: 100}
	first, second := New(strings.NewReader(`{"a":"`+strings.Repeat("x", 80)+`"}`), b, 1000), New(strings.NewReader(`{"a":"`+strings.Repeat("x", 80)+`"}`), b, 1000)
	if _, err := read(first); err != nil {
		t.Error(err)
	}
	if _, err := read(second); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	second.Release()
	first.Release()
	if _, err := read(New(strings.NewReader(`{}`), b, 1000)); err != nil || b.Held() != 2 {
		t.Errorf("%v, %d bytes are held", err, b.Held())
	}
}

// FuzzReader: what is read is what encoding/json reads of it, and what it refuses is refused.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":"x","n":0.5,"on":true,"list":["å"],"any":{"q":[1,null]}}`, `{"a":"\ud800"}`, `{"list":[null]}`, `{"n":-0}`, "\xef\xbb\xbf{}", `{"a":"x","a":"y"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &Budget{Max: 1 << 20}
		r := New(strings.NewReader(string(data)), b, 1000)
		got, err := read(r)
		if r.Release(); b.Held() != 0 {
			t.Fatalf("%d bytes are held", b.Held())
		}
		if err != nil {
			return
		}
		var want struct {
			A    string
			N    float64
			On   bool
			List []string
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("read, though %v", err)
		}
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("{a:%s n:%v on:%v list:%v}", want.A, want.N, want.On, want.List); g != w {
			t.Fatalf("%s, want %s", g, w)
		}
	})
}
