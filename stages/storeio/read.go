package storeio

import (
	"context"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// maxDocument caps an input that is read whole, in bytes.
const maxDocument = 64 << 20

// ReadFile returns the bytes of an input that is a small file.
func ReadFile(ctx context.Context, in stages.Inputs, name string) ([]byte, error) {
	r, err := in.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		err = fmt.Errorf("more than %d bytes", maxDocument)
	}
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", name, err)
	}
	return data, nil
}

// ReadRows returns the rows of an input that is a table, and the categories of
// their labels.
func ReadRows(ctx context.Context, in stages.Inputs, name string) ([]rows.Row, []string, error) {
	r, err := in.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	out, categories, err := rows.DecodeParquet(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return out, categories, nil
}
