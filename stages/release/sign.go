package release

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Sign signs all files of the folder, but those of signatures, as a release of a model. It
// writes nothing: bundle is the content of signature.ModelFile, nil where the folder has that
// already. One by another key, or over other files or another model, is a *SignedError.
func (f *Folder) Sign(ctx context.Context, key *signature.PrivateKey, model string) (bundle []byte, err error) {
	files, err := f.files(ctx)
	if err != nil {
		return nil, err
	}
	if bundle, _, err = signature.SignModel(ctx, key, model, files); err != nil {
		return nil, err
	}
	there, err := plainfile.Read(filepath.Join(f.Dir, signature.ModelFile), maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bundle, f.Unchanged()
	case err != nil:
		return nil, err
	}
	trust := &signature.Trust{Keys: []*signature.PublicKey{&key.PublicKey}}
	m, err := trust.Model(ctx, there)
	if err == nil {
		_, err = m.Compare(files)
	}
	switch {
	case err != nil:
		return nil, &SignedError{err}
	case m.Name != model:
		return nil, &SignedError{errors.New("as a release of the model " + m.Name)}
	}
	return nil, nil
}

// SignedError says that a folder has another signature than the one that was to be made.
type SignedError struct{ err error }

func (e *SignedError) Error() string { return "it is signed already, otherwise: " + e.err.Error() }
func (e *SignedError) Unwrap() error { return e.err }
