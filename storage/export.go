package storage

import (
	"context"
	"fmt"
	"os"

	"github.com/sprint-ml/sprint/storage/bucket"
)

// PutFile stores a local file under any key of the bucket, in place of what is there: data
// for others, of which no record of the store knows. It is there whole or not at all.
func (s *Store) PutFile(ctx context.Context, key string, f *os.File) error {
	if _, err := f.Seek(0, 0); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	c, err := bucket.ScanFile(f)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return s.Export(ctx, key, c)
}
