package key_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/sprint-ml/sprint/jobs/key"
	"pgregory.net/rapid"
)

// The examples of RFC 8785, sections 3.2.2 to 3.2.4 and appendix B.
func TestCanonicalFollowsRFC8785(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{`{"\u20ac":"Euro","\r":"CR","\ufb33":"Dalet","1":"One","\ud83d\ude00":"Smile","\u0080":"Control","\u00f6":"o"}`,
			"{\"\\r\":\"CR\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"o\",\"€\":\"Euro\",\"😀\":\"Smile\",\"\ufb33\":\"Dalet\"}"},
		{`[-0, 1.0, 100, 1e2, 1e21, 1e20, 1e-7, 1e-6, 9007199254740992]`, `[0,1,100,100,1e+21,100000000000000000000,1e-7,0.000001,9007199254740992]`},
		{`"\u003c\u0026\u2028"`, "\"<&\u2028\""}, // no escapes beyond the needed ones
		{`{ "b" : {} , "a" : [ ] }`, `{"a":[],"b":{}}`},
	} {
		got, err := key.Canonical([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s\n got %s, %v\nwant %s", c.in, got, err, c.want)
		}
	}
}

// Numbers of RFC 8785, appendix B, given by their bits.
// TestCanonicalIsOfOneValue: what follows a value is not left out of a key.
func TestCanonicalIsOfOneValue(t *testing.T) {
	for _, raw := range []string{`{"a":1} {"a":2}`, `1 2`, `{} x`, `[]]`} {
		if got, err := key.Canonical([]byte(raw)); err == nil {
			t.Errorf("%s is %s", raw, got)
		}
	}
	if got, err := key.Canonical([]byte(" {} \n")); err != nil || string(got) != "{}" {
		t.Errorf("space around a value: %s, %v", got, err)
	}
}

func TestCanonicalNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324", 0x7fefffffffffffff: "1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001", 0x41b3de4355555553: "333333333.3333332",
	} {
		f := math.Float64frombits(bits)
		got, err := key.Canonical([]byte(strconv.FormatFloat(f, 'g', -1, 64)))
		if err != nil || string(got) != want {
			t.Errorf("%016x: got %s, %v, want %s", bits, got, err, want)
		}
	}
}

// Canonical bytes do not depend on order or spelling, mean the same value, and
// are stable.
func TestCanonicalProperties(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any { return jsonValue(t, 3) })
	rapid.Check(t, func(t *rapid.T) {
		v := value.Draw(t, "value")
		compact, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		indented, _ := json.MarshalIndent(v, "", "\t")
		a, err := key.Canonical(compact)
		if err != nil {
			t.Fatal(err)
		}
		b, err := key.Canonical(indented)
		if err != nil || string(a) != string(b) {
			t.Fatalf("spelling changes the bytes: %s and %s, %v", a, b, err)
		}
		again, err := key.Canonical(a)
		if err != nil || string(again) != string(a) {
			t.Fatalf("not stable: %s becomes %s, %v", a, again, err)
		}
		w := value.Draw(t, "other")
		other, _ := json.Marshal(w)
		c, err := key.Canonical(other)
		if err != nil {
			t.Fatal(err)
		}
		// encoding/json sorts keys too, so equal values have equal bytes there.
		if (string(compact) == string(other)) != (string(a) == string(c)) {
			t.Fatalf("%s and %s: canonical %s and %s", compact, other, a, c)
		}
	})
}

func jsonValue(t *rapid.T, depth int) any {
	n := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 {
		n %= 5
	}
	switch n {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return float64(rapid.Int32().Draw(t, "int"))
	case 3:
		return rapid.Float64Range(0.001, 1e9).Draw(t, "float")
	case 4:
		return rapid.String().Draw(t, "string")
	case 5:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "len"))
		for i := range list {
			list[i] = jsonValue(t, depth-1)
		}
		return list
	}
	m := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "len") {
		m[rapid.String().Draw(t, "name")] = jsonValue(t, depth-1)
	}
	return m
}

func TestKeyHoldsEveryField(t *testing.T) {
	base := func() key.Preimage {
		return key.Preimage{Kind: "toy", Version: 1, Options: map[string]any{"a": 1.0}, Inputs: map[string]string{"in": "sha256:1"}, External: map[string]any{"x": "1"}}
	}
	keyOf := func(p key.Preimage) string {
		k, _, err := p.Key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	seen := map[string]string{keyOf(base()): "base"}
	for name, change := range map[string]func(*key.Preimage){
		"kind":     func(p *key.Preimage) { p.Kind = "toy2" },
		"version":  func(p *key.Preimage) { p.Version = 2 },
		"option":   func(p *key.Preimage) { p.Options["a"] = 2.0 },
		"text":     func(p *key.Preimage) { p.Options["a"] = "1" },
		"input":    func(p *key.Preimage) { p.Inputs["in"] = "sha256:2" },
		"inputs":   func(p *key.Preimage) { p.Inputs["more"] = "sha256:1" },
		"external": func(p *key.Preimage) { p.External["x"] = "2" },
	} {
		p := base()
		change(&p)
		k := keyOf(p)
		if other, double := seen[k]; double {
			t.Errorf("%s shares a key with %s", name, other)
		}
		seen[k] = name
	}
	if len(keyOf(base())) != 64 {
		t.Error("a key is 64 hex digits")
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5e-8,"\u20ac"],"b":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := key.Canonical(data)
		if err != nil {
			return
		}
		if b, err := key.Canonical(a); err != nil || string(a) != string(b) {
			t.Errorf("%q: canonical %q is not stable: %q, %v", data, a, b, err)
		}
	})
}
