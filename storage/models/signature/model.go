package signature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// modelPredicate is the type of the statement that lists the files of a model.
const modelPredicate = "https://model_signing/signature/v1.0"

// maxFiles caps the files of a model.
const maxFiles = 100_000

// alwaysIgnored are entries of a model's folder that no signature covers, by the format.
var alwaysIgnored = []string{".git", ".gitattributes", ".github", ".gitignore"}

// Model is what a signature says of a model.
type Model struct {
	Name   string
	Root   string // digest over the digests of the files, in hex
	Signer string // ID of the key
	// Files are their digests, "sha256:" and hex, by slash-separated path.
	Files map[string]string
	// Ignored are paths of files and folders that the signature leaves out.
	Ignored []string
}

type predicate struct {
	Serialization serialization `json:"serialization"`
	Resources     []resource    `json:"resources"`
}

type serialization struct {
	Method   string   `json:"method"`
	Hash     string   `json:"hash_type"`
	Symlinks bool     `json:"allow_symlinks"`
	Shard    int64    `json:"shard_size,omitempty"`
	Ignored  []string `json:"ignore_paths,omitempty"`
}

type resource struct {
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"`
	Digest    string `json:"digest"`
}

// SignModel signs the files of a model, digests by path as Model.Files has them. The files
// of signatures are left out. The same files, name and key give the same bytes.
func SignModel(ctx context.Context, key *PrivateKey, name string, files map[string]string) (bundle []byte, root string, err error) {
	p := predicate{Serialization: serialization{Method: "files", Hash: "sha256", Ignored: append(slices.Clone(alwaysIgnored), ModelFile, RunFile)}}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		digest, ok := strings.CutPrefix(files[file], "sha256:")
		switch {
		case ignored(file, p.Serialization.Ignored):
			continue
		case !ok || !ValidID(digest):
			return nil, "", fmt.Errorf("sign %s: the file %q has the digest %q, want sha256", name, file, files[file])
		}
		p.Resources = append(p.Resources, resource{file, "sha256", digest})
	}
	if len(p.Resources) == 0 {
		return nil, "", fmt.Errorf("sign %s: there are no files", name)
	}
	if root, err = rootOf(p.Resources); err != nil {
		return nil, "", fmt.Errorf("sign %s: %w", name, err)
	}
	bundle, err = sign(ctx, key, name, root, modelPredicate, p)
	return bundle, root, err
}

// rootOf is the digest of a model: that of the digests of its files, one after another.
func rootOf(resources []resource) (string, error) {
	h := sha256.New()
	for _, r := range resources {
		d, err := hex.DecodeString(r.Digest)
		if err != nil {
			return "", err
		}
		h.Write(d)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Model opens the signature of a model. That its key is trusted and that it made the
// signature is true of what it returns; whether files are those that were signed says
// Model.Compare. Errors are of the classes of this package.
func (t *Trust) Model(ctx context.Context, bundle []byte) (*Model, error) {
	s, signer, err := t.open(ctx, bundle, modelPredicate)
	if err != nil {
		return nil, err
	}
	var p predicate
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return nil, damaged("its predicate: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, damaged("%w", err)
	}
	m := &Model{Name: s.Subject[0].Name, Root: s.Subject[0].Digest["sha256"], Signer: signer, Files: map[string]string{}, Ignored: p.Serialization.Ignored}
	for _, r := range p.Resources {
		if _, twice := m.Files[r.Name]; twice {
			return nil, damaged("it lists %.100q twice", r.Name)
		}
		m.Files[r.Name] = "sha256:" + r.Digest
	}
	if root, err := rootOf(p.Resources); err != nil || root != m.Root {
		return nil, damaged("its digest of the model is not that of the files that it lists")
	}
	return m, nil
}

// check refuses a list of files that cannot be compared, or that no signer should make.
func (p *predicate) check() error {
	s := p.Serialization
	switch {
	case s.Method != "files" || s.Shard != 0:
		return fmt.Errorf("it is over parts of files (method %.40q), and only whole files are compared", s.Method)
	case s.Hash != "sha256":
		return fmt.Errorf("its digests are %.40q, and only sha256 is compared", s.Hash)
	case s.Symlinks:
		return errors.New("it follows links out of the folder, which is not done here")
	case len(p.Resources) == 0:
		return errors.New("it lists no files")
	case len(p.Resources) > maxFiles || len(s.Ignored) > maxFiles:
		return fmt.Errorf("it lists more than %d files", maxFiles)
	}
	for _, r := range p.Resources {
		switch {
		case r.Algorithm != "sha256" || !ValidID(r.Digest):
			return fmt.Errorf("it has no sha256 of %.100q", r.Name)
		case r.Name == "" || r.Name != path.Clean(r.Name) || path.IsAbs(r.Name) || r.Name == ".." || strings.HasPrefix(r.Name, "../") || !utf8.ValidString(r.Name):
			return fmt.Errorf("it lists %.100q, which is no path inside a folder", r.Name)
		}
	}
	return nil
}

// Ignored reports whether the format leaves a path out of every signature: it is not
// compared.
func Ignored(file string) bool { return ignored(file, alwaysIgnored) }

// ignored reports whether a file is one of some paths, or in one.
func ignored(file string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		p = path.Clean(p)
		return file == p || strings.HasPrefix(file, p+"/")
	})
}

// Compare compares the files of a folder, digests by path, with those that were signed. It
// returns those that the signature leaves out by its own word; what the format always
// leaves out, and the files of signatures, are not among them. Its error is *Differs.
func (m *Model) Compare(files map[string]string) (left []string, err error) {
	var d Differs
	for _, file := range slices.Sorted(maps.Keys(files)) {
		signed, ok := m.Files[file]
		switch {
		case ok && signed != files[file]:
			d.Changed = append(d.Changed, file)
		case ok, file == ModelFile, file == RunFile, ignored(file, alwaysIgnored):
		case ignored(file, m.Ignored):
			left = append(left, file)
		default:
			d.Added = append(d.Added, file)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(m.Files)) {
		if _, ok := files[file]; !ok {
			d.Missing = append(d.Missing, file)
		}
	}
	if len(d.Changed)+len(d.Missing)+len(d.Added) > 0 {
		return left, &d
	}
	return left, nil
}
