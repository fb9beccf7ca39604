package money

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// TestOf: costs are rounded to a millionth, add up exactly, and never wrap around.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		perHour Amount
		d       time.Duration
		want    Amount
	}{
		{1_800_000, time.Hour, 1_800_000},
		{1_800_000, time.Second, 500},
		{1_000_000, time.Second, 278}, // 277.8
		{1, 30*time.Minute - 1, 0},
		{1, 30 * time.Minute, 1},
		{1_800_000, -time.Hour, 0},
		{-1, time.Hour, 0},
		{most, math.MaxInt64, math.MaxInt64},
		{1000, math.MaxInt64, 2562047788},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		if got := Of(c.perHour, c.d); got != c.want {
			t.Errorf("%d for %s is %d, want %d", c.perHour, c.d, got, c.want)
		}
	}
	var sum Amount
	for range 100_000 { // a float64 of 0.1 drifts here
		sum = sum.Plus(Unit / 10)
	}
	if sum != 10_000*Unit || Amount(math.MaxInt64).Plus(1) != math.MaxInt64 {
		t.Errorf("sum %s", sum)
	}
}

// TestTime: no time costs more than what it was reckoned from.
func TestTime(t *testing.T) {
	for _, perHour := range []Amount{1, 7, 999_999, 1_800_000, 98_320_000} {
		for _, a := range []Amount{0, 1, 3, 333_333, 5 * Unit} {
			d := a.Time(perHour)
			if d < math.MaxInt64 && Of(perHour, d) > a {
				t.Errorf("%s at %s an hour pays for %s, which costs %s", a, perHour, d, Of(perHour, d))
			}
		}
	}
	if d := (2 * Unit).Time(1_800_000); d != 66*time.Minute+40*time.Second {
		t.Errorf("2 at 1.80 pay for %s", d)
	}
	if (5*Unit).Time(0) != math.MaxInt64 || most.Time(1) != math.MaxInt64 {
		t.Error("what costs nothing ends")
	}
}

func TestWords(t *testing.T) {
	for a, want := range map[Amount][2]string{
		0: {"0", "0.00"}, 1: {"0.000001", "0.000001"}, 1_234_567: {"1.234567", "1.23"}, 1_500_000: {"1.5", "1.50"}, 995_000: {"0.995", "1.00"},
		12_345: {"0.012345", "0.012"}, 125: {"0.000125", "0.00013"}, -1_500_000: {"-1.5", "-1.49"}, 12 * Unit: {"12", "12.00"},
	} {
		if a < 0 {
			want[1] = a.Show() // amounts are not negative; that one is, must not hide
		}
		if a.String() != want[0] || a.Show() != want[1] {
			t.Errorf("%d is %s and %s, want %v", int64(a), a, a.Show(), want)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"1.80": "1.8 USD", "1.80 EUR": "1.8 EUR", "2": "2 USD", " 0.000001  JPY ": "0.000001 JPY", "1000000000": "1000000000 USD",
		"0": "nothing", "0.00 USD": "nothing", "-1": "amount", "+1": "amount", "NaN": "amount", ".5": "amount", "1.": "amount", "1e3": "amount", "1,80": "amount",
		"Inf": "amount", "": "price", "1 2 3": "price", "free": "amount", "1.0000001": "digits", "1000000000.01": "more than", "99999999999999999999": "more than",
		"1.80 usd": `mean "USD"`, "1.80 €": `mean "EUR"`, "1.80 $": `mean "USD"`, "1.80 X": "three letters", "1.80 12X": "three letters", "USD 1.80": "amount", "0x10": "amount", "true": "amount",
	} {
		var p Price
		err := p.UnmarshalText([]byte(text))
		got, _ := p.MarshalText()
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) || (err == nil) != (string(got) == want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	in := map[string]Amount{"cost": 1_234_560}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"cost":1.23456}` {
		t.Fatalf("%s, %v", b, err)
	}
	var out map[string]Amount
	if err := json.Unmarshal(b, &out); err != nil || out["cost"] != in["cost"] {
		t.Errorf("%v, %v", out, err)
	}
	for _, bad := range []string{`{"cost":-1}`, `{"cost":1e3}`, `{"cost":"1"}`, `{"cost":true}`, `{"cost":1.0000001}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s was read as %v", bad, out)
		}
	}
	if FromFloat(math.NaN()) != 0 || FromFloat(-1) != 0 || FromFloat(math.Inf(1)) != most || FromFloat(0.1) != Unit/10 {
		t.Error("FromFloat")
	}
}
