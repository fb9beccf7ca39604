//go:build !daulet

package tokenize

// newEngine builds the pure-Go engine, or says which part of the file it cannot follow.
func newEngine(s spec, _ []byte) (engine, error) {
	if s.unsupported != nil {
		return nil, s.unsupported
	}
	return newWordPiece(s), nil
}
