package tokenize

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Text is what is encoded: one text, or a pair if Second is not empty.
type Text struct{ First, Second string }

// Arena holds the ids of many texts one after the other: a million texts are a
// few allocations, with no pointers for the collector to follow.
type Arena struct {
	ids   []int32
	types []int32 // as long as ids; nil while no text is a pair
	ends  []int   // of each text in ids
	zeros []int32 // as long as the longest text
}

// chunkTexts is what a worker takes at a time.
const chunkTexts = 512

// EncodeAll encodes texts, each to at most limit ids, as Encode and EncodePair
// do, on at most workers goroutines; 0 is one per core. The result does not
// depend on their number.
func (t *Tokenizer) EncodeAll(texts []Text, limit, workers int) *Arena {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	chunks := make([]Arena, (len(texts)+chunkTexts-1)/chunkTexts)
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(chunks) {
				return
			}
			from := i * chunkTexts
			chunks[i].encode(t, texts[from:min(from+chunkTexts, len(texts))], limit)
		}
	}
	if workers = min(workers, len(chunks)); workers <= 1 {
		work()
	} else {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(work)
		}
		wg.Wait()
	}
	return join(chunks)
}

// encode fills an empty arena.
func (a *Arena) encode(t *Tokenizer, texts []Text, limit int) {
	a.ends = make([]int, 0, len(texts))
	size, longest := 0, 0
	for _, x := range texts {
		size += len(x.First) + len(x.Second)
	}
	a.ids = make([]int32, 0, size/4+4*len(texts))
	for _, x := range texts {
		begin := len(a.ids)
		if x.Second == "" {
			a.ids = t.Encode(a.ids, x.First, limit)
		} else {
			a.padTypes(begin)
			a.ids, a.types = t.EncodePair(a.ids, a.types, x.First, x.Second, limit)
		}
		a.ends = append(a.ends, len(a.ids))
		longest = max(longest, len(a.ids)-begin)
	}
	if a.types != nil {
		a.padTypes(len(a.ids))
	}
	a.zeros = make([]int32, longest)
}

// padTypes makes the types as long as n ids, with those of single texts.
func (a *Arena) padTypes(n int) {
	if a.types == nil {
		a.types = make([]int32, 0, cap(a.ids))
	}
	a.types = append(a.types, make([]int32, n-len(a.types))...)
}

// join puts arenas one after the other.
func join(parts []Arena) *Arena {
	if len(parts) == 1 {
		return &parts[0]
	}
	all := &Arena{}
	ids, texts, pairs := 0, 0, false
	for i := range parts {
		p := &parts[i]
		ids, texts, pairs = ids+len(p.ids), texts+len(p.ends), pairs || p.types != nil
		if len(p.zeros) > len(all.zeros) {
			all.zeros = p.zeros
		}
	}
	all.ids, all.ends = make([]int32, 0, ids), make([]int, 0, texts)
	if pairs {
		all.types = make([]int32, 0, ids)
	}
	for i := range parts {
		p := &parts[i]
		for _, end := range p.ends {
			all.ends = append(all.ends, len(all.ids)+end)
		}
		all.ids = append(all.ids, p.ids...)
		if pairs {
			all.types = append(all.types, p.types...)
			all.padTypes(len(all.ids))
		}
		*p = Arena{} // half the memory while the rest is copied
	}
	return all
}

// Len is the number of texts.
func (a *Arena) Len() int { return len(a.ends) }

// Tokens is the number of ids of all texts.
func (a *Arena) Tokens() int { return len(a.ids) }

// At gives the ids and the type ids of text i, which the caller must not change.
func (a *Arena) At(i int) (ids, types []int32) {
	begin, end := 0, a.ends[i]
	if i > 0 {
		begin = a.ends[i-1]
	}
	if a.types == nil {
		return a.ids[begin:end:end], a.zeros[: end-begin : end-begin]
	}
	return a.ids[begin:end:end], a.types[begin:end:end]
}
