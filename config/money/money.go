// Package money counts what work costs: whole millionths of a unit of a currency, so that
// sums of many small parts are exact.
package money

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// DefaultCurrency is that of a price which names none.
const DefaultCurrency = "USD"

// digits are those behind the point that count.
const digits = 6

// Unit is one unit of a currency.
const Unit Amount = 1e6

// most is the largest amount that is read: what is above it is a mistake.
const most = 1e9 * Unit

// Amount is a number of millionths of a unit of some currency.
type Amount int64

// Of is the cost of a time at a price per hour, to the nearest millionth. A negative time
// costs nothing; what does not fit is the largest amount.
func Of(perHour Amount, d time.Duration) Amount {
	if perHour <= 0 || d <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(perHour), uint64(d))
	low, carry := bits.Add64(low, uint64(time.Hour)/2, 0)
	high += carry
	if high >= uint64(time.Hour) {
		return math.MaxInt64
	}
	cost, _ := bits.Div64(high, low, uint64(time.Hour))
	return Amount(min(cost, math.MaxInt64))
}

// Time is how long an amount pays for at a price per hour, to the millisecond below. A
// price of nothing is paid for ever.
func (a Amount) Time(perHour Amount) time.Duration {
	switch {
	case perHour <= 0:
		return math.MaxInt64
	case a <= 0:
		return 0
	}
	high, low := bits.Mul64(uint64(a), uint64(time.Hour))
	if high >= uint64(perHour) {
		return math.MaxInt64
	}
	d, _ := bits.Div64(high, low, uint64(perHour))
	return time.Duration(min(d, math.MaxInt64)).Truncate(time.Millisecond)
}

// Plus is the sum of two amounts, the largest if it does not fit.
func (a Amount) Plus(b Amount) Amount {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// FromFloat is the nearest amount to a number of units; 0 for what is no price.
func FromFloat(units float64) Amount {
	x := math.Round(units * float64(Unit))
	if !(x > 0) {
		return 0
	}
	return Amount(min(x, float64(most)))
}

// String writes it exactly, without zeros that say nothing: 1.5.
func (a Amount) String() string {
	sign := ""
	if a < 0 {
		sign = "-"
	}
	whole, part := uint64(a)/uint64(Unit), uint64(a)%uint64(Unit)
	if a < 0 {
		whole, part = uint64(-a)/uint64(Unit), uint64(-a)%uint64(Unit)
	}
	text := fmt.Sprintf("%s%d.%0*d", sign, whole, digits, part)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Show writes it for people: with two digits, or with as many as its first two that are
// not zero.
func (a Amount) Show() string {
	if a >= Unit/10 || a <= 0 {
		cents := (int64(a) + 5000) / 10000
		return fmt.Sprintf("%d.%02d", cents/100, cents%100)
	}
	keep := Amount(1)
	for keep*100 <= a {
		keep *= 10
	}
	return ((a + keep/2) / keep * keep).String()
}

// ParseAmount reads digits with at most one point: no sign, no exponent.
func ParseAmount(text string) (Amount, error) {
	whole, part, _ := strings.Cut(text, ".")
	plain := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if whole == "" || !plain(whole) || !plain(part) || strings.HasSuffix(text, ".") {
		return 0, fmt.Errorf("want an amount such as 1.80, not %q", text)
	}
	if len(part) > digits {
		return 0, fmt.Errorf("%q has more than %d digits behind the point", text, digits)
	}
	n, err := strconv.ParseUint(whole+part+strings.Repeat("0", digits-len(part)), 10, 63)
	if err != nil || Amount(n) > most {
		return 0, fmt.Errorf("%q is more than %s", text, most)
	}
	return Amount(n), nil
}

// MarshalJSON writes a number.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads what MarshalJSON writes of an amount that is not negative.
func (a *Amount) UnmarshalJSON(b []byte) (err error) {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	*a, err = ParseAmount(string(b))
	return err
}
