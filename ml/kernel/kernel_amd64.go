//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// Available reports whether this processor has what the kernels are made of: eight numbers
// multiplied and added at once.
func Available() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// wide reports whether it has sixteen. Both give the same bytes.
func wide() bool { return cpu.X86.HasAVX512F }

//go:noescape
func tile12AVX512(a *float32, lda uintptr, b *float32, ldb uintptr, k int, c *float32, ldc uintptr, bias *float32, next, step uintptr)

//go:noescape
func tile8AVX512(a *float32, lda uintptr, b *float32, ldb uintptr, k int, c *float32, ldc uintptr, bias *float32, next, step uintptr)

//go:noescape
func tile4AVX512(a *float32, lda uintptr, b *float32, ldb uintptr, k int, c *float32, ldc uintptr, bias *float32, next, step uintptr)

//go:noescape
func tile6AVX2(a *float32, lda uintptr, b *float32, ldb uintptr, k int, c *float32, ldc uintptr, bias *float32, next, step uintptr)

//go:noescape
func tile4AVX2(a *float32, lda uintptr, b *float32, ldb uintptr, k int, c *float32, ldc uintptr, bias *float32, next, step uintptr)

//go:noescape
func geluAVX2(c *float32, ldc uintptr, rows int, table *[8]float32)

//go:noescape
func softmaxAVX2(x *float32, eights int, scale float32, table *[8]float32)

//go:noescape
func addNormAVX2(into, x, y, gain, bias *float32, eights int, numbers, eps float32)
