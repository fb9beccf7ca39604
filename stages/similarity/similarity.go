// Package similarity compares vectors of rows with those of descriptions, as each is seen
// from its own middle: so one scale suits all encoders. Kinds import this package; it imports
// no kind.
package similarity

import (
	"math"
	"slices"
)

// Views are texts of some classes as they are seen from their middle: unit vectors, by
// class. A class may have several texts, and is as near as the nearest.
type Views struct {
	Middle  []float64
	classes [][][]float64
}

// New makes views of vectors, each of one of n classes. Their middle is the mean of
// the classes' own, so that a class of many texts does not draw it to itself.
func New(vectors [][]float32, class []int, n int) Views {
	v := Views{Middle: make([]float64, len(vectors[0])), classes: make([][][]float64, n)}
	count := make([]int, n)
	for _, c := range class {
		count[c]++
	}
	for i, w := range vectors {
		for j, x := range w {
			v.Middle[j] += float64(x) / float64(n*count[class[i]])
		}
	}
	for i, w := range vectors {
		v.classes[class[i]] = append(v.classes[class[i]], seenFrom(w, v.Middle))
	}
	return v
}

// OfTags are those of a category's tags, of the texts of which the first ones are
// descriptions. The descriptions of the category stand for its empty tag.
func OfTags(vectors [][]float32, of []int, descriptions, category int) Views {
	var own [][]float32
	var class []int
	n := 1
	for i, v := range vectors {
		if of[i] != category {
			continue
		}
		tag := 0
		if i >= descriptions {
			tag, n = n, n+1
		}
		own, class = append(own, v), append(class, tag)
	}
	return New(own, class, n)
}

// Near is the cosine similarity of a row, seen from the middle of rows, to each class.
func (v Views) Near(row []float32, middle []float64) []float64 {
	seen, out := seenFrom(row, middle), make([]float64, len(v.classes))
	for c, texts := range v.classes {
		out[c] = -1
		for _, text := range texts {
			sum := 0.0
			for j, x := range seen {
				sum += x * text[j]
			}
			out[c] = max(out[c], sum)
		}
	}
	return out
}

// seenFrom is a vector as seen from a point, of length 1; the point itself stays zero.
func seenFrom(v []float32, point []float64) []float64 {
	out := make([]float64, len(v))
	sum := 0.0
	for j, x := range v {
		out[j] = float64(x) - point[j]
		sum += out[j] * out[j]
	}
	if sum > 0 {
		scale := 1 / math.Sqrt(sum)
		for j := range out {
			out[j] *= scale
		}
	}
	return out
}

// priorRows is the weight, in rows, of the middle of the descriptions in that of the
// rows: a few rows alone have none.
const priorRows = 10

// RowsMiddle is the mean of rows' vectors, with that of the descriptions as priorRows
// more of them.
func RowsMiddle(vectors [][]float32, descriptions []float64) []float64 {
	out := make([]float64, len(descriptions))
	for _, v := range vectors {
		for j, x := range v {
			out[j] += float64(x)
		}
	}
	for j, d := range descriptions {
		out[j] = (out[j] + priorRows*d) / float64(len(vectors)+priorRows)
	}
	return out
}

// Likeliest is the nearest of classes and its probability: the softmax of the
// similarities over the temperature.
func Likeliest(near []float64, temperature float64) (class int, p float64) {
	most := slices.Max(near)
	sum := 0.0
	for _, x := range near {
		sum += math.Exp((x - most) / temperature)
	}
	return slices.Index(near, most), 1 / sum
}
