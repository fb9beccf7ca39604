//go:build !purego

#include "textflag.h"

// ROWS loads the addresses: the two rows in SI and DI, the four in R8, R10, R11 and R12,
// the number of tiles of four in CX.
#define ROWS \
	MOVQ first_base+0(FP), SI; \
	MOVQ first_len+8(FP), CX; \
	MOVQ second_base+24(FP), DI; \
	MOVQ rows_base+48(FP), R8; \
	MOVQ stride+72(FP), R9; \
	SHLQ $3, R9; \
	LEAQ (R8)(R9*1), R10; \
	LEAQ (R10)(R9*1), R11; \
	LEAQ (R11)(R9*1), R12; \
	MOVQ one+80(FP), R13; \
	MOVQ two+88(FP), BX; \
	XORQ AX, AX; \
	SHRQ $2, CX

#define DOT(row, a, b) \
	VMOVUPD (row)(AX*1), Y10; \
	VFMADD231PD Y10, Y8, a; \
	VFMADD231PD Y10, Y9, b

// SUM adds up four sums of four into a vector of the four.
#define SUM(a, b, c, d, into) \
	VHADDPD b, a, a; \
	VHADDPD d, c, c; \
	VPERM2F128 $0x21, c, a, Y8; \
	VBLENDPD $12, c, a, Y9; \
	VADDPD Y8, Y9, Y8; \
	VMOVUPD Y8, (into)

// func dotsFMA(first, second, rows []float64, stride int, one, two *[4]float64)
TEXT ·dotsFMA(SB), NOSPLIT, $0-96
	ROWS
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	VXORPD Y4, Y4, Y4
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
dot:
	VMOVUPD (SI)(AX*1), Y8
	VMOVUPD (DI)(AX*1), Y9
	DOT(R8, Y0, Y4)
	DOT(R10, Y1, Y5)
	DOT(R11, Y2, Y6)
	DOT(R12, Y3, Y7)
	ADDQ $32, AX
	DECQ CX
	JNZ dot
	SUM(Y0, Y1, Y2, Y3, R13)
	SUM(Y4, Y5, Y6, Y7, BX)
	VZEROUPPER
	RET

#define AXPY(row, a, b) \
	VMOVUPD (row)(AX*1), Y10; \
	VFMADD231PD Y8, a, Y10; \
	VFMADD231PD Y9, b, Y10; \
	VMOVUPD Y10, (row)(AX*1)

// func axpysFMA(first, second, rows []float64, stride int, one, two *[4]float64)
TEXT ·axpysFMA(SB), NOSPLIT, $0-96
	ROWS
	VBROADCASTSD 0(R13), Y0
	VBROADCASTSD 8(R13), Y1
	VBROADCASTSD 16(R13), Y2
	VBROADCASTSD 24(R13), Y3
	VBROADCASTSD 0(BX), Y4
	VBROADCASTSD 8(BX), Y5
	VBROADCASTSD 16(BX), Y6
	VBROADCASTSD 24(BX), Y7
axpy:
	VMOVUPD (SI)(AX*1), Y8
	VMOVUPD (DI)(AX*1), Y9
	AXPY(R8, Y0, Y4)
	AXPY(R10, Y1, Y5)
	AXPY(R11, Y2, Y6)
	AXPY(R12, Y3, Y7)
	ADDQ $32, AX
	DECQ CX
	JNZ axpy
	VZEROUPPER
	RET
