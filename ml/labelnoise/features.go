package labelnoise

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// features are hashed words, pairs of words and letter runs of 4 and 5 inside
// words, which carry compounds; each text's vector has length 1.
type features struct {
	at    []int32
	value []float32
}

// width is the number of hashed features.
const width = 1 << 18

func newFeatures(text string) features {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	count := map[int32]float32{}
	add := func(kind byte, s string) {
		h := uint64(14695981039346656037) // FNV-1a
		h = (h ^ uint64(kind)) * 1099511628211
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h ^= h >> 29
		count[int32(h%width)]++ //nolint:gosec // below width
	}
	for i, w := range words {
		add('w', w)
		if i > 0 {
			add('p', words[i-1]+" "+w)
		}
		runes := []rune(w)
		for n := 4; n <= 5; n++ {
			for k := 0; k+n <= len(runes) && len(runes) > n; k++ {
				add('r', string(runes[k:k+n]))
			}
		}
	}
	var f features
	norm := 0.0
	for _, at := range slices.Sorted(maps.Keys(count)) { // sums depend on the order
		v := float32(1 + math.Log(float64(count[at])))
		f.at, f.value = append(f.at, at), append(f.value, v)
		norm += float64(v) * float64(v)
	}
	for i := range f.value {
		f.value[i] /= float32(math.Sqrt(norm))
	}
	return f
}
