package bpe

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// byDefinition joins, again and again, the pair that ranks first, the first one of them.
func byDefinition(ids []int32, m *merges) []int32 {
	for {
		at, best := -1, uint32(noRank)
		for i := range len(ids) - 1 {
			if r := m.rank(ids[i], ids[i+1]); r < best {
				at, best = i, r
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, m.results[best])
	}
}

// TestMerge: short words and long ones are joined as the definition says, whatever the merges, such
// that give one token in several ways among them.
func TestMerge(t *testing.T) {
	long := 0
	rapid.Check(t, func(rt *rapid.T) {
		vocab := map[string]int32{"a": 0, "b": 1, "c": 2}
		tokens := []string{"a", "b", "c"}
		m := newMerges(40)
		for range rapid.IntRange(0, 40).Draw(rt, "merges") {
			left, right := rapid.SampledFrom(tokens).Draw(rt, "left"), rapid.SampledFrom(tokens).Draw(rt, "right")
			if _, ok := vocab[left+right]; !ok {
				vocab[left+right] = int32(len(vocab)) //nolint:gosec // few
				tokens = append(tokens, left+right)
			}
			m.add(vocab[left], vocab[right], vocab[left+right])
		}
		var ids []int32
		for range rapid.IntRange(0, 3*shortWord).Draw(rt, "length") {
			ids = append(ids, int32(rapid.IntRange(0, 2).Draw(rt, "symbol"))) //nolint:gosec // few
		}
		want := byDefinition(slices.Clone(ids), &m)
		for name, merge := range map[string]func(w *word){"as its length says": func(w *word) { w.merge(&m) }, "long": func(w *word) {
			if len(ids) > 1 {
				w.mergeLong(&m)
			}
		}} {
			w := &word{ids: slices.Clone(ids)}
			if merge(w); !slices.Equal(w.appendIDs(nil), want) {
				rt.Fatalf("%s: %v, want %v", name, w.appendIDs(nil), want)
			}
		}
		if len(ids) > shortWord {
			long++
		}
	})
	if long == 0 {
		t.Error("no word was long")
	}
}

// TestBytesAsCharacters: every byte has a character of its own, those of Hugging Face's ByteLevel.
func TestBytesAsCharacters(t *testing.T) {
	seen := map[rune]bool{}
	next := rune(256)
	for b := range 256 {
		want := rune(b)
		if b <= ' ' || b >= 0x7f && b <= 0xa0 || b == 0xad {
			want, next = next, next+1
		}
		if got := byteRune(byte(b)); got != want || seen[got] {
			t.Errorf("byte %#x is %q, want %q", b, got, want)
		}
		seen[want] = true
	}
}
