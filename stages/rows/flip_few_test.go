//go:build !e2e

package rows_test

// flips has one of the three for each byte of a file; the e2e tier tries all.
func flips(at int) []byte { return []byte{[]byte{0x01, 0x80, 0xff}[at%3]} }
