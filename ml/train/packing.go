package train

import (
	"math/rand/v2"
	"slices"
)

// Shape is the static shape of a program: rows of padded tokens that hold texts
// one after the other.
type Shape struct{ Rows, Length, Texts int }

// tokens of a shape, padding included.
func (s Shape) tokens() int { return s.Rows * s.Length }

// batch is the examples of one step, by index: rows of texts.
type batch struct {
	bucket int
	rows   [][]int
}

// texts counts the examples of the batch.
func (b batch) texts() int {
	n := 0
	for _, r := range b.rows {
		n += len(r)
	}
	return n
}

const (
	// lengthStep is the grain of row lengths.
	lengthStep = 8
	// longestRow bounds rows that hold several texts: the cost of attention
	// grows with the row.
	longestRow = 512
	// attentionCost is the row length at which attention costs as much as all
	// the rest of a token (measured: MiniLM, XLA on CPU).
	attentionCost = 512
	// shapeCost is the tokens of training that take as long as to compile one
	// more program (measured: 2.5 s at 0.35 ms per token).
	shapeCost = 7000
)

// pack packs texts of the given lengths into rows of length tokens: each row
// takes the longest text that still fits, until none does. That is first-fit
// decreasing, so the number of rows depends on the lengths alone; with a
// generator, which of the equally long texts go together is random. A row holds
// at most texts examples.
func pack(lengths, among []int, length, texts int, rng *rand.Rand) [][]int {
	by := make([][]int, length+1)
	for _, i := range among {
		n := min(max(lengths[i], 1), length)
		by[n] = append(by[n], i)
	}
	if rng != nil {
		for _, b := range by {
			rng.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		}
	}
	var rows [][]int
	for left := len(among); left > 0; {
		var row []int
		room := length
		for n := length; n > 0 && len(row) < texts; n = min(n, room) {
			last := len(by[n]) - 1
			if last < 0 {
				n--
				continue
			}
			row, by[n] = append(row, by[n][last]), by[n][:last]
			room -= n
		}
		rows, left = append(rows, row), left-len(row)
	}
	return rows
}

// packing is how a set of examples is cut into batches: a bucket per row length,
// each with the examples that are too long for the one before.
type packing struct {
	lengths []int // of the training examples
	buckets []bucket
}

// newPacking chooses the shapes for training examples of the given lengths and
// for others (of validation) that must fit too. It takes few shapes, as each
// has to be compiled, and adds one only where that saves more than it costs.
func newPacking(lengths, others []int, o Options) *packing {
	l := &packing{lengths: lengths}
	for _, c := range chooseBuckets(slices.Concat(lengths, others), o.MaxShapes, shapeCost/max(o.Epochs, 1)) {
		from := 0
		if n := len(l.buckets); n > 0 {
			from = l.buckets[n-1].upTo
		}
		for i, n := range lengths {
			if n = max(n, 1); n > from && n <= c.upTo {
				c.members = append(c.members, i)
			}
		}
		if len(c.members) > 0 {
			c.size(lengths, c.members, o)
			rows := l.pack(c, nil)
			for c.batches = (len(rows) + c.shape.Rows - 1) / c.shape.Rows; ; c.batches++ {
				r, n := largest(spread(rows, c.batches))
				if n <= o.BatchSize && r <= c.shape.Rows {
					c.shape.Rows, c.shape.Texts = r, n
					break
				}
			}
		} else {
			var longest []int
			for i, n := range others {
				if n = max(n, 1); n > from && n <= c.upTo {
					longest = append(longest, i)
				}
			}
			c.size(others, longest, o)
		}
		l.buckets = append(l.buckets, c)
	}
	return l
}

// shapes of all buckets, the longest rows last, that hold a batch when it is
// spread over accumulation steps.
func (l *packing) shapes(parts int) []Shape {
	out := make([]Shape, len(l.buckets))
	for i, c := range l.buckets {
		if out[i] = c.shape; parts == 1 || c.batches == 0 {
			continue
		}
		out[i].Rows, out[i].Texts = 0, 0
		for _, b := range spread(l.pack(c, nil), c.batches) {
			rows, texts := largest(spread(b, parts))
			out[i].Rows, out[i].Texts = max(out[i].Rows, rows), max(out[i].Texts, texts)
		}
	}
	return out
}

// pack packs the bucket's training examples.
func (l *packing) pack(c bucket, rng *rand.Rand) [][]int {
	return pack(l.lengths, c.members, c.shape.Length, c.most, rng)
}

// epoch is the batches of one pass in random order.
func (l *packing) epoch(rng *rand.Rand) []batch {
	var out []batch
	for k, c := range l.buckets {
		if c.batches == 0 {
			continue
		}
		rows := l.pack(c, rng)
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, part := range spread(rows, c.batches) {
			out = append(out, batch{k, part})
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// batches is the batches, in the given shapes, that hold each text of another set
// once. Texts of length 0 are left out.
func (l *packing) batches(lengths []int, shapes []Shape) []batch {
	var out []batch
	from := 0
	for k, c := range l.buckets {
		var members []int
		for i, n := range lengths {
			if n > from && (n <= c.upTo || k == len(l.buckets)-1) {
				members = append(members, i)
			}
		}
		from = c.upTo
		s, b := shapes[k], batch{bucket: k}
		for _, r := range pack(lengths, members, s.Length, s.Texts, nil) {
			if len(b.rows) == s.Rows || b.texts()+len(r) > s.Texts {
				out, b = append(out, b), batch{bucket: k}
			}
			b.rows = append(b.rows, r)
		}
		if len(b.rows) > 0 {
			out = append(out, b)
		}
	}
	return out
}

type bucket struct {
	upTo    int // longest text
	most    int // texts of a row
	shape   Shape
	batches int // of a training epoch
	members []int
}

// size gives the bucket's programs room for the texts that o allows.
func (c *bucket) size(lengths, members []int, o Options) {
	c.most = min(o.BatchSize, len(members))
	c.shape.Texts = c.most
	rows := len(pack(lengths, members, c.shape.Length, c.shape.Texts, nil))
	perRow := float64(len(members)) / float64(rows)
	c.shape.Rows = max(min(int(float64(o.BatchSize)/perRow+0.999), o.BatchTokens/c.shape.Length, rows), 1)
}

// chooseBuckets picks at most limit buckets so that a pass costs the least:
// tokens with their padding, dearer in long rows, and cost per bucket.
func chooseBuckets(lengths []int, limit, cost int) []bucket {
	if len(lengths) == 0 {
		return nil
	}
	top := max(slices.Max(lengths), 1)
	steps := (top + lengthStep - 1) / lengthStep
	count := make([]int, steps*lengthStep+1)
	for _, n := range lengths {
		count[max(n, 1)]++
	}
	const infinite = 1 << 60
	// best[k][i]: least cost of texts of at most i steps in k buckets.
	best, from, row := make([][]float64, limit+1), make([][]int, limit+1), map[[2]int]int{}
	for k := range best {
		best[k], from[k] = slices.Repeat([]float64{infinite}, steps+1), make([]int, steps+1)
	}
	best[0][0] = 0
	for i := 1; i <= steps; i++ {
		for j := range i {
			price := float64(infinite)
			for times := 1; times <= 4 && (times == 1 || times*i*lengthStep <= longestRow); times++ {
				length := times * i * lengthStep
				tokens := countRows(count, j*lengthStep, i*lengthStep, length) * length
				if p := float64(tokens) * (1 + float64(length)/attentionCost); p < price {
					price, row[[2]int{j, i}] = p, length
				}
			}
			for k := 1; k <= limit; k++ {
				if p := best[k-1][j] + price + float64(cost); p < best[k][i] {
					best[k][i], from[k][i] = p, j
				}
			}
		}
	}
	k := 1
	for n := 2; n <= limit; n++ {
		if best[n][steps] < best[k][steps] {
			k = n
		}
	}
	var out []bucket
	for i := steps; k > 0; k-- {
		j := from[k][i]
		out = append(out, bucket{upTo: i * lengthStep, shape: Shape{Length: row[[2]int{j, i}]}})
		i = j
	}
	slices.Reverse(out)
	return out
}

// countRows is the number of rows that pack makes of texts counted by length in
// count[from+1:to+1].
func countRows(count []int, from, to, length int) int {
	left, rows := slices.Clone(count[:to+1]), 0
	used := make([]int, to+1)
	for longest := to; ; {
		for longest > from && left[longest] == 0 {
			longest--
		}
		if longest == from {
			return rows
		}
		// Rows of equal content repeat until one of its lengths runs out.
		times, room := left[longest], length
		for n := longest; n > from && room > from; n = min(n-1, room) {
			if used[n] = min(left[n], room/n); used[n] > 0 {
				room -= used[n] * n
				times = min(times, left[n]/used[n])
			}
		}
		for n := longest; n > from; n-- {
			left[n], used[n] = left[n]-times*used[n], 0
		}
		rows += times
	}
}
