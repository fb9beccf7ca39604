package metrics

import "math"

// bins is the number of equal steps that probabilities are sorted into.
const bins = 10

// Calibration says how far probabilities are from what happens. The probability
// of a category is its score cut to [0,1]: scores are fitted by squared error to
// targets of 0 (absent) and 1 (present), so the score is the expected target. ECE
// is the expected calibration error: over ten equal steps of probability, the
// mean of |share of positives - mean probability|, weighed by rows.
type Calibration struct {
	ECE  float64 `json:"ece"`
	Rows int     `json:"rows"`
	Bins []Bin   `json:"bins"` // those that hold rows
}

// Bin are the rows whose probability lies in [From, From+0.1).
type Bin struct {
	From        float64 `json:"from"`
	Rows        int     `json:"rows"`
	Probability float64 `json:"probability"` // mean
	Frequency   float64 `json:"frequency"`   // share of positives
}

// Probability is the probability that a score stands for.
func Probability(score float64) float64 { return math.Min(math.Max(score, 0), 1) }

// Calibrate compares the scores of a category with the truth.
func Calibrate(truths []Truth, category int, score func(row int) float64) Calibration {
	var rows, positive [bins]int
	var sum [bins]float64
	out := Calibration{Bins: []Bin{}}
	for i, t := range truths {
		if !t.known(category) {
			continue
		}
		p := Probability(score(i))
		b := min(int(p*bins), bins-1)
		rows[b]++
		sum[b] += p
		if t.Positive[category] {
			positive[b]++
		}
		out.Rows++
	}
	for b, n := range rows {
		if n == 0 {
			continue
		}
		x := Bin{From: float64(b) / bins, Rows: n, Probability: sum[b] / float64(n), Frequency: ratio(positive[b], n)}
		out.ECE += math.Abs(x.Frequency-x.Probability) * float64(n) / float64(out.Rows)
		x.Probability, x.Frequency = Round(x.Probability), Round(x.Frequency)
		out.Bins = append(out.Bins, x)
	}
	out.ECE = Round(out.ECE)
	return out
}
