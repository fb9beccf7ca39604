package storeio

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sprint-ml/sprint/stages"
)

// LocalInput copies an input into a file of the folder scratch, of which any part can be
// read: a table that is too long for memory. The caller closes it.
func LocalInput(ctx context.Context, in stages.Inputs, name, scratch string) (*os.File, error) {
	r, err := in.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.CreateTemp(scratch, name+"-*")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return f, nil
}
