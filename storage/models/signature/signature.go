// Package signature says who made a release, in the format of OpenSSF Model Signing v1.0
// (https://github.com/ossf/model-signing-spec): a Sigstore bundle with a DSSE envelope, in
// it an in-toto statement. It signs with keys; certificates and transparency logs, which
// the format has too, are refused by name.
//
//   - key.go: private and public keys, and which of them are trusted
//   - bundle.go: the bundle around a statement, signed and opened
//   - model.go: the statement of a model, which lists its files
//   - run.go: the statement of the run that made a model
//
// It reads no files and no store: what a release has is told by digests.
package signature

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Names of files of a release that no signature of a model lists.
const (
	ModelFile = "model.sig"      // the signature of the model
	RunFile   = "provenance.sig" // the statement of its run
)

// Classes of errors. What a bundle holds besides is in their text.
var (
	// ErrDamaged is that of a bundle that is none of this format, or holds what this
	// package cannot check.
	ErrDamaged = errors.New("no signature that can be checked")
	// ErrForged is that of a signature that its key did not make over these bytes.
	ErrForged = errors.New("the signature is not by its key over these bytes")
	// ErrUnknownKey is that of a signature by a key that is not among the trusted ones.
	ErrUnknownKey = errors.New("signed by another key")
	// ErrRevoked is that of a signature by a key that is trusted no more.
	ErrRevoked = errors.New("signed by a revoked key")
)

// Differs is the error about files that are not those that were signed. Paths are sorted.
type Differs struct{ Changed, Missing, Added []string }

func (d *Differs) Error() string {
	var parts []string
	for _, p := range []struct {
		what  string
		files []string
	}{{"other bytes than were signed", d.Changed}, {"signed and missing", d.Missing}, {"there and not signed", d.Added}} {
		if len(p.files) > 0 {
			parts = append(parts, p.what+": "+few(p.files))
		}
	}
	return strings.Join(parts, "; ")
}

// few are the first of some names, as a message shows them.
func few(names []string) string {
	const most = 5
	var shown []string
	for _, n := range names[:min(most, len(names))] {
		shown = append(shown, fmt.Sprintf("%.100q", n))
	}
	text := strings.Join(shown, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// Trust are the keys of which one must have signed, and those that must not.
type Trust struct {
	Keys []*PublicKey
	// Revoked are IDs of keys; one that is in Keys too is not trusted.
	Revoked []string
}

func (t *Trust) revoked(id string) bool { return slices.Contains(t.Revoked, id) }

// ids are those of the trusted keys.
func (t *Trust) ids() string {
	var out []string
	for _, k := range t.Keys {
		out = append(out, k.ID)
	}
	return strings.Join(out, ", ")
}
