package bucket

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"

	"github.com/sprint-ml/sprint/storage/localblob"
	"gocloud.dev/blob"
)

// openFile opens a folder, which it makes if needed.
func openFile(_ context.Context, u *url.URL) (opened, error) {
	dir, err := filepath.Abs(filepath.FromSlash(u.Path))
	if err != nil {
		return opened{}, err
	}
	b, err := localblob.OpenBucket(dir)
	return opened{Bucket: b}, err
}

func fileVersion(r *blob.Reader) string {
	var v localblob.Version
	if r.As(&v) {
		return string(v)
	}
	return ""
}

func fileCondition(as func(any) bool, version string) error {
	var c *localblob.Condition
	if !as(&c) {
		return errors.New("storage: the bucket is not a local one")
	}
	c.Version = version
	return nil
}
