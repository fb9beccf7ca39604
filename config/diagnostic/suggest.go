package diagnostic

import (
	"fmt"
	"strings"
)

// Suggest returns a "did you mean" for a word that is not among the known
// ones, or the list of them.
func Suggest(word string, known []string) string {
	if meant := Meant(word, known); meant != "" || len(known) == 0 {
		return meant
	}
	return "known: " + strings.Join(known, ", ")
}

// Meant is a "did you mean" for a word where one of the known ones is near it, else empty: for
// a message that lists them itself.
func Meant(word string, known []string) string {
	if best, ok := Nearest(word, known); ok {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// Nearest returns the known word that is at most two mistakes away from a word, the
// first of those that are as near; ok is false if there is none.
func Nearest(word string, known []string) (best string, ok bool) {
	distance := 3
	for _, k := range known {
		if len(word)-len(k) >= distance || len(k)-len(word) >= distance {
			continue
		}
		if d := editDistance(word, k); d < distance && d < max(len(k), 2) {
			best, distance = k, d
		}
	}
	return best, best != ""
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment).
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
