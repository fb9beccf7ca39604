package storage

import (
	"fmt"
	"strconv"
)

// MaxNumber is the highest number in the name of an object. A name above it is
// nobody's work: the next number after it can always be counted.
const MaxNumber = 999_999_999

// ParseNumber reads a number in the name of an object: a version, a generation, an
// attempt. digits is how many digits at least it is written with, zeros first. ok is
// false unless text is the one way to write a number from 1 to MaxNumber: an object of
// any other name has no number.
func ParseNumber(text string, digits int) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxNumber || text != fmt.Sprintf("%0*d", digits, n) {
		return 0, false
	}
	return n, true
}

// CheckNumber refuses a number that an object to be created at a key cannot have in its
// name; what says whose number it is. The error is ErrCorrupt if the numbers are used
// up: only a name that somebody else wrote comes near.
func CheckNumber(what, key string, n int) error {
	if n < 1 {
		return fmt.Errorf("storage: %s begins at 1, not %d", what, n)
	}
	if n > MaxNumber {
		return &Error{Op: "create", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("%s ends at %d, and that number is taken: find out who wrote it, and delete what nobody of yours did", what, MaxNumber)}
	}
	return nil
}
