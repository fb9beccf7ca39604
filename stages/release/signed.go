package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// maxKey caps the file of a public key.
const maxKey = 64 << 10

// PublicKey reads the file of a public key.
func PublicKey(path string) (*signature.PublicKey, error) {
	data, err := plainfile.Read(path, maxKey)
	if err != nil {
		return nil, err
	}
	return signature.ParsePublicKey(data)
}

// CheckPublicKey tells, where a plan is checked, why the file that an option names is no
// public key.
func CheckPublicKey(option, path string) []stages.FileProblem {
	if path == "" {
		return nil
	}
	_, err := PublicKey(path)
	if err == nil {
		return nil
	}
	return []stages.FileProblem{{Option: option, Message: fmt.Sprintf("the public key %s cannot be read: %v", path, err), Hint: "`openssl ec -in PRIVATE -pubout` writes it; paths in a plan are relative to the plan"}}
}

// Signed is what signatures say of a release.
type Signed struct {
	// Signer is the ID of the key, Model the name that it signed the model by, Files how many
	// files it signed.
	Signer string `json:"signer"`
	Model  string `json:"model"`
	Files  int    `json:"files"`
	// Run is how the release was made, by the same key's word; nil if it does not say.
	Run *signature.Provenance `json:"run,omitempty"`
}

// errUnsigned is that of a release without a signature.
var errUnsigned = errors.New("it is not signed: it has no " + signature.ModelFile)

// CheckSignature demands that a trusted key signed every file of the folder, and no other,
// and the statement of its run if one lies there; of one that came from a store, by its
// model's name. Each way in which that is not so is a Failure of CodeIntegrity. Unchanged
// says afterwards whether the files are still those, and no others.
func (f *Folder) CheckSignature(ctx context.Context, trust *signature.Trust) (*Signed, error) {
	files, err := f.files(ctx)
	if err != nil {
		return nil, err
	}
	read := func(name string) ([]byte, error) {
		if _, there := files[name]; !there {
			return nil, fs.ErrNotExist
		}
		return plainfile.Read(filepath.Join(f.Dir, name), maxFile)
	}
	signed, err := check(ctx, f.Name, f.model, trust, files, read)
	if err == nil {
		f.signed = files
	}
	return signed, err
}

// files are the digests of all files of a folder that a signature covers. Those that were
// read before are not read again.
func (f *Folder) files(ctx context.Context) (map[string]string, error) {
	paths, err := f.list()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, path := range paths {
		if f.read[path] == "" {
			if _, err := f.hash(ctx, path, -1); err != nil {
				return nil, err
			}
		}
		out[path] = f.read[path]
	}
	return out, ctx.Err()
}

// list lists the files of a folder that a signature covers.
func (f *Folder) list() (paths []string, err error) {
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "check the path", "read the release folder: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return f.damaged(path, "%w", err)
		case signature.Ignored(path) && d.IsDir():
			return fs.SkipDir
		case signature.Ignored(path) || d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return f.damaged(path, "is no plain file, and no signature covers it")
		}
		paths = append(paths, path)
		return nil
	})
	return paths, err
}

// CheckSignature is Folder.CheckSignature of a release of a store, whose bytes the store
// answers for: by the name that the model has there. The statement of the run is what the
// publisher recorded. A record that lists other files than those that its digest stands for
// is refused: some go by the one, some by the other.
func CheckSignature(ctx context.Context, s *storage.Store, r models.Release, trust *signature.Trust) (*Signed, error) {
	named, err := s.Tree(ctx, r.Digest)
	if err != nil {
		return nil, fmt.Errorf("files of the release %s@%d: %w", r.Name, r.Version, err)
	}
	if !slices.Equal(named, r.Files) {
		return nil, refused(fmt.Sprintf("%s@%d", r.Name, r.Version), errors.New("its record lists other files than those that its digest stands for"))
	}
	return checkStored(ctx, s, r, trust)
}

// checkStored is CheckSignature of the files that r lists.
func checkStored(ctx context.Context, s *storage.Store, r models.Release, trust *signature.Trust) (*Signed, error) {
	files := map[string]string{}
	for _, e := range r.Files {
		files[e.Path] = e.Digest
	}
	return check(ctx, fmt.Sprintf("%s@%d", r.Name, r.Version), r.Name, trust, files, func(name string) ([]byte, error) {
		if _, there := files[name]; there {
			return ReadFile(ctx, s, r.Files, name)
		}
		if said := r.Facts().Provenance; name == signature.RunFile && len(said) > 0 {
			return said, nil
		}
		return nil, fs.ErrNotExist
	})
}

// Trusted demands that a key of kept.Trust, where it has any, signed a release of a store,
// and so did own, where that is given; one that is revoked signs for neither. What is
// compared is what the digest of the release stands for: whoever reads that reads what was
// signed. A signature that is not as is demanded is a Failure of CodeIntegrity; keys that
// are revoked where none is trusted are one of CodeUsage.
func Trusted(ctx context.Context, kept stages.Kept, r models.Release, own *signature.PublicKey) error {
	var demanded []*signature.Trust
	if kept.Trust != nil && len(kept.Trust.Keys) > 0 {
		demanded = append(demanded, kept.Trust)
	}
	if own != nil {
		by := &signature.Trust{Keys: []*signature.PublicKey{own}}
		if kept.Trust != nil {
			by.Revoked = kept.Trust.Revoked
		}
		demanded = append(demanded, by)
	}
	if len(demanded) == 0 {
		if kept.Trust != nil && len(kept.Trust.Revoked) > 0 {
			return stages.Fail(stages.CodeUsage, "model_keys, or the stage's key where it has one, names the public keys that are trusted", "model_keys_revoked is set, and no key must have signed the model %s", r.Name)
		}
		return nil
	}
	var err error
	if r.Files, err = kept.Store.Tree(ctx, r.Digest); err != nil {
		return fmt.Errorf("files of the release %s@%d: %w", r.Name, r.Version, err)
	}
	for _, trust := range demanded {
		if _, err := checkStored(ctx, kept.Store, r, trust); err != nil {
			return err
		}
	}
	return nil
}

// check compares files, digests by path, with the signature that read gives. One over
// another model than the named one is refused, as whoever writes to a store could put any
// that the same key signed in its place; empty takes each.
func check(ctx context.Context, name, model string, trust *signature.Trust, files map[string]string, read func(string) ([]byte, error)) (*Signed, error) {
	bundle, err := read(signature.ModelFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refused(name, errUnsigned)
	}
	if err != nil {
		return nil, fmt.Errorf("signature of %s: %w", name, err)
	}
	m, err := trust.Model(ctx, bundle)
	if err != nil {
		return nil, refused(name, err)
	}
	if model != "" && m.Name != model {
		return nil, refused(name, fmt.Errorf("it was signed as a release of the model %.100q", m.Name))
	}
	left, err := m.Compare(files)
	if err == nil && len(left) > 0 {
		err = &signature.Differs{Added: left} // its word is no reason to use what nobody signed
	}
	if err != nil {
		return nil, refused(name, err)
	}
	out := &Signed{Signer: m.Signer, Model: m.Name, Files: len(m.Files)}
	said, err := read(signature.RunFile)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("statement of the run of %s: %w", name, err)
	}
	if out.Run, err = trust.Run(ctx, said, m); err != nil {
		return nil, refused(name, fmt.Errorf("the statement of its run: %w", err))
	}
	return out, nil
}

// refused is the failure of a release that is not signed as is demanded.
func refused(name string, err error) error {
	hint := "fetch it again from where it was published; nobody who is trusted signed this"
	switch {
	case errors.Is(err, errUnsigned):
		hint = "publish it with sign.key, or name a release that is signed; without --key, model_keys and a stage's key none is demanded"
	case errors.Is(err, signature.ErrUnknownKey):
		hint = "if you trust that key, name the file of it by --key, by model_keys or by the stage's key"
	case errors.Is(err, signature.ErrRevoked):
		hint = "publish it again, signed by another key"
	}
	return stages.Fail(stages.CodeIntegrity, hint, "the release %s is refused: %w", name, err)
}
