//go:build !amd64 || purego

package heads

func dots(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	portableDots(first, second, rows, stride, one, two)
}

func axpys(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	portableAxpys(first, second, rows, stride, one, two)
}
