//go:build e2e

package rows_test

func flips(int) []byte { return []byte{0x01, 0x80, 0xff} }
