package integrity

import (
	"testing"
)

func TestParseSubset(t *testing.T) {
	for text, want := range map[string]Subset{
		"5%": {share: 0.05}, "0.5%": {share: 0.005}, "100%": {share: 1}, "1/1": {nth: 1, parted: 1}, "7/7": {nth: 7, parted: 7},
	} {
		if got, err := ParseSubset(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "0%", "-1%", "101%", "NaN%", "x%", "0/7", "8/7", "1/257", "1/0", "/", "%"} {
		if got, err := ParseSubset(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// TestSampler: a share is that share, and at least one of as many objects as are
// expected; parts are all of it, each object in one.
func TestSampler(t *testing.T) {
	taken := func(s Subset, expected, n int) (total int) {
		sampler := newSampler(s, expected)
		for i := range n {
			if sampler.take(byte(i)) {
				total++
			}
		}
		return total
	}
	for range 100 {
		if n := taken(Subset{share: 0.05}, 0, 1000); n < 49 || n > 51 {
			t.Errorf("5%% of 1000 are %d", n)
		}
		if n := taken(Subset{share: 0.05}, 8, 8); n != 1 {
			t.Errorf("5%% of 8 are %d", n)
		}
	}
	if all, none := taken(Everything(), 0, 1000), taken(Subset{}, 8, 8); all != 1000 || none != 0 {
		t.Errorf("all of 1000 are %d, none of 8 are %d", all, none)
	}
	sum := 0
	for i := range 7 {
		sum += taken(Subset{nth: i + 1, parted: 7}, 0, 256)
	}
	if sum != 256 {
		t.Errorf("seven parts of 256 are %d", sum)
	}
}
