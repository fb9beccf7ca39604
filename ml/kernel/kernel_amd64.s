//go:build !purego

#include "textflag.h"

// func geluAVX2(c *float32, ldc uintptr, rows int, table *[8]float32)
// Each row has 32 numbers; the table's rows are those of geluTable.
TEXT ·geluAVX2(SB), NOSPLIT, $0-32
	MOVQ c+0(FP), DI
	MOVQ ldc+8(FP), R13
	MOVQ rows+16(FP), CX
	MOVQ table+24(FP), AX
row:
	XORQ BX, BX
eight:
	VMOVUPS (DI)(BX*1), Y0
	VMULPS 0(AX), Y0, Y1   // x/√2
	VMINPS 32(AX), Y1, Y1
	VMAXPS 64(AX), Y1, Y1  // z
	VMULPS Y1, Y1, Y2      // z²
	VMOVUPS 96(AX), Y3
	VMOVUPS 128(AX), Y4
	VFMADD213PS 160(AX), Y2, Y3
	VFMADD213PS 192(AX), Y2, Y4
	VFMADD213PS 224(AX), Y2, Y3
	VFMADD213PS 256(AX), Y2, Y4
	VFMADD213PS 288(AX), Y2, Y3
	VFMADD213PS 320(AX), Y2, Y4
	VFMADD213PS 352(AX), Y2, Y3
	VFMADD213PS 384(AX), Y2, Y4
	VFMADD213PS 416(AX), Y2, Y3
	VFMADD213PS 448(AX), Y2, Y4
	VMULPS Y1, Y3, Y3
	VDIVPS Y4, Y3, Y3      // erf z
	VMULPS 480(AX), Y0, Y0 // x/2
	VFMADD213PS Y0, Y0, Y3
	VMOVUPS Y3, (DI)(BX*1)
	ADDQ $32, BX
	CMPQ BX, $128
	JNE eight
	ADDQ R13, DI
	DECQ CX
	JNZ row
	VZEROUPPER
	RET

// ACROSS makes each of the eight of x the sum (or, by op, another fold) of all; t is
// overwritten.
#define ACROSS(op, x, t) \
	VPERM2F128 $1, x, x, t; \
	op t, x, x; \
	VSHUFPS $0x4E, x, x, t; \
	op t, x, x; \
	VSHUFPS $0xB1, x, x, t; \
	op t, x, x

// func softmaxAVX2(x *float32, eights int, scale float32, table *[8]float32)
// The table's rows are those of expTable.
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ eights+8(FP), CX
	VBROADCASTSS scale+16(FP), Y8
	MOVQ table+24(FP), AX
	MOVQ DI, SI
	MOVQ CX, DX
	VMOVUPS (SI), Y0
most:
	VMAXPS (SI), Y0, Y0
	ADDQ $32, SI
	DECQ DX
	JNZ most
	ACROSS(VMAXPS, Y0, Y1)
	VXORPS Y9, Y9, Y9
	MOVQ DI, SI
	MOVQ CX, DX
power:
	VMOVUPS (SI), Y1
	VSUBPS Y0, Y1, Y1
	VMULPS Y8, Y1, Y1
	VMAXPS 0(AX), Y1, Y1   // below it a power is no longer a normal number
	VMULPS 32(AX), Y1, Y2  // in powers of two
	VROUNDPS $0, Y2, Y2
	VFNMADD231PS 64(AX), Y2, Y1
	VFNMADD231PS 96(AX), Y2, Y1
	VMOVUPS 128(AX), Y3
	VFMADD213PS 160(AX), Y1, Y3
	VFMADD213PS 192(AX), Y1, Y3
	VFMADD213PS 224(AX), Y1, Y3
	VFMADD213PS 256(AX), Y1, Y3
	VFMADD213PS 288(AX), Y1, Y3
	VFMADD213PS 288(AX), Y1, Y3
	VCVTPS2DQ Y2, Y2
	VPSLLD $23, Y2, Y2
	VPADDD Y2, Y3, Y3
	VADDPS Y3, Y9, Y9
	VMOVUPS Y3, (SI)
	ADDQ $32, SI
	DECQ DX
	JNZ power
	ACROSS(VADDPS, Y9, Y1)
	VMOVUPS 288(AX), Y2
	VDIVPS Y9, Y2, Y9
share:
	VMULPS (DI), Y9, Y1
	VMOVUPS Y1, (DI)
	ADDQ $32, DI
	DECQ CX
	JNZ share
	VZEROUPPER
	RET

// func addNormAVX2(into, x, y, gain, bias *float32, eights int, numbers, eps float32)
TEXT ·addNormAVX2(SB), NOSPLIT, $0-56
	MOVQ into+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	MOVQ gain+24(FP), R8
	MOVQ bias+32(FP), R9
	MOVQ eights+40(FP), CX
	VBROADCASTSS numbers+48(FP), Y8
	VBROADCASTSS eps+52(FP), Y9
	SHLQ $5, CX
	VXORPS Y0, Y0, Y0
	XORQ AX, AX
add:
	VMOVUPS (SI)(AX*1), Y1
	VADDPS (DX)(AX*1), Y1, Y1
	VADDPS Y1, Y0, Y0
	VMOVUPS Y1, (DI)(AX*1)
	ADDQ $32, AX
	CMPQ AX, CX
	JNE add
	ACROSS(VADDPS, Y0, Y1)
	VDIVPS Y8, Y0, Y0 // the mean
	VXORPS Y2, Y2, Y2
	XORQ AX, AX
spread:
	VMOVUPS (DI)(AX*1), Y1
	VSUBPS Y0, Y1, Y1
	VFMADD231PS Y1, Y1, Y2
	VMOVUPS Y1, (DI)(AX*1)
	ADDQ $32, AX
	CMPQ AX, CX
	JNE spread
	ACROSS(VADDPS, Y2, Y1)
	VDIVPS Y8, Y2, Y2
	VADDPS Y9, Y2, Y2
	VSQRTPS Y2, Y2
	XORQ AX, AX
norm:
	VMOVUPS (DI)(AX*1), Y1
	VDIVPS Y2, Y1, Y1
	VMOVUPS (R9)(AX*1), Y3
	VFMADD231PS (R8)(AX*1), Y1, Y3
	VMOVUPS Y3, (DI)(AX*1)
	ADDQ $32, AX
	CMPQ AX, CX
	JNE norm
	VZEROUPPER
	RET
