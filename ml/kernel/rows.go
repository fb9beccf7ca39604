package kernel

import "math"

// Apply is x·W+b for the rows of x: [n,In] -> [n,Out], the columns of zeros that Pack added
// among them.
func (w *Weights) Apply(x []float32) []float32 {
	n := len(x) / w.In
	rows := (n + Rows - 1) / Rows * Rows
	in, out := make([]float32, rows*w.In), make([]float32, rows*w.Out)
	copy(in, x)
	w.Multiply(out, in, rows, w.In, w.Out, 0, w.Panels(), w.Panels(), false)
	return out[:n*w.Out]
}

// Dot is the product of w with as many numbers of x.
func Dot(x, w []float32) float32 {
	var sum float32
	for i, y := range w {
		sum += x[i] * y
	}
	return sum
}

// ReLU makes what is below 0 to 0.
func ReLU(x []float32) {
	for i, y := range x {
		x[i] = max(y, 0)
	}
}

// Tanh is the hyperbolic tangent of each number times scale.
func Tanh(x []float32, scale float64) {
	for i, y := range x {
		x[i] = float32(math.Tanh(float64(y) * scale))
	}
}

// LogSoftmax turns logits into log probabilities.
func LogSoftmax(x []float32) {
	most, sum := math.Inf(-1), 0.0
	for _, y := range x {
		most = max(most, float64(y))
	}
	for _, y := range x {
		sum += math.Exp(float64(y) - most)
	}
	for i, y := range x {
		x[i] = float32(float64(y) - most - math.Log(sum))
	}
}

// Largest is the index of the largest number, the first among equals.
func Largest(x []float32) int32 {
	best := 0
	for i, y := range x {
		if y > x[best] {
			best = i
		}
	}
	return int32(best) //nolint:gosec // a row has fewer numbers than that
}
