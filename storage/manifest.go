package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage/record"
)

// manifestFormat is bumped when the meaning of a field changes.
const manifestFormat = 1

func manifestPrefix(kind, key string) string { return "manifests/" + kind + "/" + key + "/" }

// ManifestKey is the key of a manifest in the store.
func ManifestKey(kind, key string, generation int) string {
	return fmt.Sprintf("%s%0*d", manifestPrefix(kind, key), generationDigits, generation)
}

const generationDigits = 6

// ParseGeneration reads the last part of a manifest's key; ok is false if it is no
// generation.
func ParseGeneration(text string) (generation int, ok bool) {
	return ParseNumber(text, generationDigits)
}

// Commit makes m the manifest of its key: the one exclusive create that decides
// who did the work. m.Generation must be one above the newest that the caller
// has seen. If another manifest took the place, Commit returns that one and
// won is false: its outputs are as good.
func (s *Store) Commit(ctx context.Context, m Manifest) (winner Manifest, won bool, err error) {
	m.Format = manifestFormat
	m.Nonce = record.NewNonce()
	key := ManifestKey(m.Kind, m.Key, m.Generation)
	if err := CheckNumber("the generation of a manifest", key, m.Generation); err != nil {
		return Manifest{}, false, err
	}
	m.Outputs = slices.Clone(m.Outputs) // the caller's order is the caller's
	slices.SortFunc(m.Outputs, func(a, b Artifact) int { return strings.Compare(a.Name, b.Name) })
	if err := m.check(); err != nil {
		return Manifest{}, false, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Manifest{}, false, err
	}
	err = s.Create(ctx, key, body)
	if err == nil {
		return m, true, nil
	}
	if !errors.Is(err, ErrExists) {
		return Manifest{}, false, err
	}
	winner, err = s.ManifestAt(ctx, key)
	return winner, false, err
}

// Manifest returns the newest manifest of a key. Outputs are not checked.
func (s *Store) Manifest(ctx context.Context, kind, key string) (Manifest, error) {
	m, _, err := s.Newest(ctx, kind, key)
	return m, err
}

// Newest returns the newest manifest of a key and its generation. Without any
// the generation is 0 and the error ErrNotFound; one that cannot be read is
// ErrCorrupt beside its generation, so that the next may replace it.
func (s *Store) Newest(ctx context.Context, kind, key string) (Manifest, int, error) {
	newest, err := s.Generation(ctx, kind, key)
	if err != nil {
		return Manifest{}, 0, err
	}
	if newest == 0 {
		return Manifest{}, 0, &Error{Op: "read", Key: manifestPrefix(kind, key), Class: ErrNotFound}
	}
	m, err := s.ManifestAt(ctx, ManifestKey(kind, key, newest))
	return m, newest, err
}

// Generation returns the number of the newest manifest of a key, readable or
// not; 0 if there is none. What has another name than a manifest's is none.
func (s *Store) Generation(ctx context.Context, kind, key string) (int, error) {
	newest := 0
	prefix := manifestPrefix(kind, key)
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return 0, err
		}
		if n, ok := ParseGeneration(strings.TrimPrefix(info.Key, prefix)); ok {
			newest = max(newest, n)
		}
	}
	return newest, nil
}

// ManifestAt reads the manifest at a key of the store; one that belongs to another
// key is ErrCorrupt.
func (s *Store) ManifestAt(ctx context.Context, at string) (Manifest, error) {
	m, _, err := ReadAs(ctx, s, "read manifest", at, func(body []byte, m *Manifest) error {
		err := decodeManifest(body, m)
		if err == nil && ManifestKey(m.Kind, m.Key, m.Generation) != at {
			err = errors.New("it is the manifest of another key")
		}
		return err
	})
	return m, err
}

func decodeManifest(body []byte, m *Manifest) error {
	if err := record.DecodeStrict(body, m); err != nil {
		return err
	}
	return m.check()
}

var (
	kindPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	keyPattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (m *Manifest) check() error {
	if m.Format != manifestFormat {
		return fmt.Errorf("manifest format %d; this sprint reads %d", m.Format, manifestFormat)
	}
	if !kindPattern.MatchString(m.Kind) || !keyPattern.MatchString(m.Key) {
		return fmt.Errorf("manifest of kind %q with key %q: want a name and 64 hex digits", m.Kind, m.Key)
	}
	for i, a := range m.Outputs {
		if _, err := BlobKey(a.Digest); err != nil {
			return fmt.Errorf("output %s: %w", a.Name, err)
		}
		if a.Size < 0 || a.Name == "" || i > 0 && m.Outputs[i-1].Name >= a.Name {
			return fmt.Errorf("output %q: bad size, name or order", a.Name)
		}
	}
	return nil
}
