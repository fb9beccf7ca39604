//go:build !purego

#include "textflag.h"

#define EACH(name, value) \
	DATA name<>+0(SB)/8, value; \
	DATA name<>+8(SB)/8, value; \
	GLOBL name<>(SB), RODATA|NOPTR, $16

EACH(lower, $0x2020202020202020)
EACH(fromA, $0x6161616161616161)
EACH(letters, $0x1919191919191919)
EACH(from0, $0x3030303030303030)
EACH(digits, $0x0909090909090909)
EACH(lead, $0xc3c3c3c3c3c3c3c3)
EACH(odd, $0x2828282828282828)
EACH(oddest, $0xbfbfbfbfbfbfbfbf)

// PART adds the bits of sixteen bytes. x-'a' is a letter's if it is at most 25
// without a sign, which is if the smaller of the two is itself; the same holds for
// digits.
#define PART(offset, shift) \
	MOVOU offset(SI), X0; \
	PMOVMSKB X0, R9; \
	MOVO X0, X1; \
	POR X8, X1; \
	PSUBB X9, X1; \
	MOVO X1, X2; \
	PMINUB X10, X2; \
	PCMPEQB X1, X2; \
	MOVO X0, X3; \
	PSUBB X11, X3; \
	MOVO X3, X4; \
	PMINUB X12, X4; \
	PCMPEQB X3, X4; \
	POR X4, X2; \
	PMOVMSKB X2, R10; \
	ORQ R9, R10; \
	MOVO X0, X5; \
	PCMPEQB X13, X5; \
	PMOVMSKB X5, R11; \
	MOVO X0, X6; \
	PADDB X0, X6; \
	PMOVMSKB X6, R12; \
	POR X14, X0; \
	PCMPEQB X15, X0; \
	PMOVMSKB X0, R13; \
	SHLQ shift, R9; \
	SHLQ shift, R10; \
	SHLQ shift, R11; \
	SHLQ shift, R12; \
	SHLQ shift, R13; \
	ORQ R10, AX; \
	ORQ R9, BX; \
	ORQ R11, CX; \
	ORQ R12, DX; \
	ORQ R13, R8

// func scan(p *byte, out *block)
TEXT ·scan(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), SI
	MOVQ out+8(FP), DI
	MOVOU lower<>(SB), X8
	MOVOU fromA<>(SB), X9
	MOVOU letters<>(SB), X10
	MOVOU from0<>(SB), X11
	MOVOU digits<>(SB), X12
	MOVOU lead<>(SB), X13
	MOVOU odd<>(SB), X14
	MOVOU oddest<>(SB), X15
	XORL AX, AX
	XORL BX, BX
	XORL CX, CX
	XORL DX, DX
	XORL R8, R8
	PART(0, $0)
	PART(16, $16)
	PART(32, $32)
	PART(48, $48)
	MOVQ AX, 0(DI)
	MOVQ BX, 8(DI)
	MOVQ CX, 16(DI)
	MOVQ DX, 24(DI)
	MOVQ R8, 32(DI)
	RET
