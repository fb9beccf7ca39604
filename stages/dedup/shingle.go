package dedup

import (
	"slices"
	"strings"
	"unicode"
)

// normalize keeps letters and digits in lower case, words parted by one space.
func normalize(title string) string {
	var b strings.Builder
	b.Grow(len(title))
	gap := false
	for _, r := range title {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// shingles appends the sorted distinct hashes of the runs of four runes of s.
func shingles(dst []uint32, s string) []uint32 {
	from := len(dst)
	var window [shingleLength]rune
	n := 0
	for _, r := range s {
		copy(window[:], window[1:])
		window[shingleLength-1] = r
		if n++; n >= shingleLength {
			dst = append(dst, hashShingle(window))
		}
	}
	if n < shingleLength {
		dst = append(dst, hashShingle(window))
	}
	slices.Sort(dst[from:])
	return dst[:from+len(slices.Compact(dst[from:]))]
}

func hashShingle(w [shingleLength]rune) uint32 {
	h := uint64(14695981039346656037)
	for _, r := range w {
		h = (h ^ uint64(r)) * 1099511628211
	}
	h ^= h >> 29
	return uint32(h * 0xbf58476d1ce4e5b9 >> 32)
}

// bandKeys hashes the MinHash signature of a set, band by band. sketch holds the
// lowest bit of each minimum: two sets of similarity J differ in half of 1-J of
// its bits (b-bit minwise hashing; Li and König 2010).
func bandKeys(set []uint32) (keys [bands]uint32, sketch uint64) {
	var sig [bands * rowsPerBand]uint32
	for i := range sig {
		sig[i] = ^uint32(0)
	}
	for _, x := range set {
		h := uint64(x)*0x9e3779b97f4a7c15 + 0x632be59bd9b4e019
		step := h>>32 | 1
		v := h
		for i := range sig {
			// Double hashing, then a round of mixing so that the minima differ.
			v += step * 0x9e3779b97f4a7c15
			m := uint32((v ^ v>>31) * 0x94d049bb133111eb >> 32)
			sig[i] = min(sig[i], m)
		}
	}
	for i, m := range sig {
		sketch |= uint64(m&1) << i
	}
	for b := range keys {
		k := uint64(b) + 1
		for _, m := range sig[b*rowsPerBand : (b+1)*rowsPerBand] {
			k = (k ^ uint64(m)) * 0x9e3779b97f4a7c15
			k ^= k >> 32
		}
		keys[b] = uint32(k) //nolint:gosec // a hash; a collision costs a comparison
	}
	return keys, sketch
}

// jaccard is the overlap of two sorted sets over their union, or less than least
// if it is below that. Of sets that were cut to maxShingles it takes the
// smallest of the union, which is a fair sample.
func jaccard(a, b []uint32, least float64) float64 {
	if len(a) == maxShingles || len(b) == maxShingles {
		return jaccardOfBottomK(a, b)
	}
	// So many must be common, or the rest is not worth counting.
	need := int(least / (1 + least) * float64(len(a)+len(b)))
	common, i, j := 0, 0, 0
	for i < len(a) && j < len(b) && min(len(a)-i, len(b)-j)+common >= need {
		// Which of the two is less is a coin toss, so there is no branch on it.
		for range min(len(a)-i, len(b)-j, 16) {
			x, y := uint64(a[i]), uint64(b[j])
			less, more := int((x-y)>>63), int((y-x)>>63)
			i += 1 - more
			j += 1 - less
			common += 1 - less - more
		}
	}
	return float64(common) / float64(len(a)+len(b)-common)
}

func jaccardOfBottomK(a, b []uint32) float64 {
	common, all, i, j := 0, 0, 0, 0
	for ; i < len(a) && j < len(b) && all < maxShingles; all++ {
		switch {
		case a[i] == b[j]:
			common++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(common) / float64(min(all+len(a)-i+len(b)-j, maxShingles))
}
