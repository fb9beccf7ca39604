package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// Digest stands for what answers with the folder are made of: the digest of the release
// in its store, or, of a folder of no store, one of the files that are read.
func (f *Folder) Digest(ctx context.Context) (string, error) {
	if f.digest != "" {
		return f.digest, nil
	}
	all := sha256.New()
	for _, name := range slices.Concat(encoder.FileNames(), []string{"taxonomy.yaml", "thresholds.json"}) {
		file, err := plainfile.Open(filepath.Join(f.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("digest of the release: %w", err)
		}
		h := sha256.New()
		for err == nil {
			if err = ctx.Err(); err == nil {
				_, err = io.CopyN(h, file, 16<<20)
			}
		}
		file.Close()
		if !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("digest of the release: %w", err)
		}
		fmt.Fprintf(all, "%s %x\n", name, h.Sum(nil))
	}
	f.digest = "sha256:" + hex.EncodeToString(all.Sum(nil))
	return f.digest, nil
}
