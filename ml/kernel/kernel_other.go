//go:build !amd64 || purego

package kernel

// Available reports whether there are kernels for this processor.
func Available() bool { return false }

func wide() bool { return false }

const missing = "kernels that this processor does not have"

func tile12AVX512(*float32, uintptr, *float32, uintptr, int, *float32, uintptr, *float32, uintptr, uintptr) {
	panic(missing)
}

func tile8AVX512(*float32, uintptr, *float32, uintptr, int, *float32, uintptr, *float32, uintptr, uintptr) {
	panic(missing)
}

func tile4AVX512(*float32, uintptr, *float32, uintptr, int, *float32, uintptr, *float32, uintptr, uintptr) {
	panic(missing)
}

func tile6AVX2(*float32, uintptr, *float32, uintptr, int, *float32, uintptr, *float32, uintptr, uintptr) {
	panic(missing)
}

func tile4AVX2(*float32, uintptr, *float32, uintptr, int, *float32, uintptr, *float32, uintptr, uintptr) {
	panic(missing)
}

func geluAVX2(*float32, uintptr, int, *[8]float32) { panic(missing) }

func softmaxAVX2(*float32, int, float32, *[8]float32) { panic(missing) }

func addNormAVX2(_, _, _, _, _ *float32, _ int, _, _ float32) { panic(missing) }
