//go:build !purego

package heads

import "golang.org/x/sys/cpu"

// hasFMA reports whether the processor multiplies and adds four numbers at once.
func hasFMA() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

func dots(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	if hasFMA() && len(first) > 0 {
		_, _ = second[len(first)-1], rows[(lanes-1)*stride+len(first)-1]
		dotsFMA(first, second, rows, stride, one, two)
		return
	}
	portableDots(first, second, rows, stride, one, two)
}

func axpys(first, second, rows []float64, stride int, one, two *[lanes]float64) {
	if hasFMA() && len(first) > 0 {
		_, _ = second[len(first)-1], rows[(lanes-1)*stride+len(first)-1]
		axpysFMA(first, second, rows, stride, one, two)
		return
	}
	portableAxpys(first, second, rows, stride, one, two)
}

//go:noescape
func dotsFMA(first, second, rows []float64, stride int, one, two *[lanes]float64)

//go:noescape
func axpysFMA(first, second, rows []float64, stride int, one, two *[lanes]float64)
