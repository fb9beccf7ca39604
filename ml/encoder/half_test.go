package encoder

import (
	"math"
	"strings"
	"testing"
)

// TestHalves: every binary16 comes back, and what lies between two goes to the nearer one.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		x := fromHalf(uint16(h))
		if x != x {
			if back := fromHalf(toHalf(x)); back == back {
				t.Fatalf("%#x: NaN becomes %v", h, back)
			}
			continue
		}
		if back := toHalf(x); back != uint16(h) {
			t.Fatalf("%#x is %v, which is %#x", h, x, back)
		}
		next := fromHalf(uint16(h) + 1)
		if math.IsInf(float64(x), 0) || next != next || math.IsInf(float64(next), 0) || h == 1<<15-1 {
			continue
		}
		// The number in the middle is exact in float32: it goes to the even one.
		middle, even := float32((float64(x)+float64(next))/2), uint16(h+h&1)
		if got := toHalf(middle); got != even {
			t.Fatalf("%v, between %v and %v, is %#x, want %#x", middle, x, next, got, even)
		}
		for other, want := range map[float32]uint16{math.Nextafter32(middle, x): uint16(h), math.Nextafter32(middle, next): uint16(h) + 1} {
			if got := toHalf(other); got != want {
				t.Fatalf("%v, between %v and %v, is %#x, want %#x", other, x, next, got, want)
			}
		}
	}
	for x, want := range map[float32]uint16{65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, 1e-8: 0, -1e-8: 0x8000, 1: 0x3c00, -2: 0xc000} {
		if got := toHalf(x); got != want {
			t.Errorf("%v is %#x, want %#x", x, got, want)
		}
	}
}

func TestHalvesRefuseWhatDoesNotFit(t *testing.T) {
	if _, err := Halves(Float32Tensor("w", []float32{1, 70000}, 2)); err == nil || !strings.Contains(err.Error(), "tensor w holds 70000 at place 1") {
		t.Errorf("%v", err)
	}
	h, err := Halves(Float32Tensor("w", []float32{1, -0.1}, 2))
	if err != nil {
		t.Fatal(err)
	}
	data, err := h.Float32()
	if err != nil || len(data) != 2 || data[0] != 1 || math.Abs(float64(data[1])+0.1) > 1e-4 {
		t.Errorf("%v, %v", data, err)
	}
	h.Data[1] = 0x7c
	if err := h.CheckFinite(); err == nil {
		t.Error("an infinite number passes")
	}
}
