// Package stored reads rows that a stage committed.
package stored

import (
	"context"

	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// Rows reads an artifact of rows, with the categories of its labels.
func Rows(ctx context.Context, s *storage.Store, a storage.Artifact) ([]rows.Row, []string, error) {
	r, err := s.Get(ctx, a.Digest, a.Size)
	if err != nil {
		return nil, nil, catalog.Gone(a.Name, err)
	}
	defer r.Close()
	return rows.DecodeParquet(r)
}
