package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Address is a URL from which whoever has it can read an object for so long, without
// any credentials. It fails with errors.ErrUnsupported where the bucket's server
// hands none out, or the credentials cannot sign. It does not look whether the object
// is there.
func (b *Bucket) Address(ctx context.Context, key string, valid time.Duration) (address string, err error) {
	if err := checkKey("sign an address of", key); err != nil {
		return "", err
	}
	err = b.retry(ctx, "sign an address of", key, func() (err error) {
		address, err = b.blobs.SignedURL(ctx, key, &blob.SignedURLOptions{Method: http.MethodGet, Expiry: valid})
		return err
	})
	if told, ok := errors.AsType[*Error](err); ok && gcerrors.Code(told.Err) == gcerrors.Unimplemented {
		return "", fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return address, err
}
