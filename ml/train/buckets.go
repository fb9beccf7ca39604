package train

import (
	"slices"
)

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
