//go:build !daulet

package tokenize

// newEngine builds the pure-Go engine, or says which part of the file it cannot follow.
func newEngine(s spec, _ []byte) (engine, error) {
	if s.unsupported != nil {
		return nil, s.unsupported
	}
	if s.unigram != nil {
		return newUnigram(s), nil
	}
	if s.bpe != nil {
		return newBPE(s)
	}
	return newWordPiece(s), nil
}
