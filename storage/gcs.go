package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	gcs "cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
)

// openGCS opens a bucket with the machine's credentials. Without any it says
// so at once instead of failing on the first read.
func openGCS(ctx context.Context, u *url.URL) (opened, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() // the type is documented
	tune(transport)
	var client *gcp.HTTPClient
	anonymous := false
	if v := u.Query().Get("anonymous"); v != "" {
		var err error
		if anonymous, err = strconv.ParseBool(v); err != nil {
			return opened{}, fmt.Errorf("invalid value for \"anonymous\": %w", err)
		}
	}
	if anonymous || os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		client = gcp.NewAnonymousHTTPClient(transport)
	} else {
		credentials, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return opened{}, &Error{Op: "open", Key: "gs://" + u.Host, Class: ErrDenied, Err: err}
		}
		client, err = gcp.NewHTTPClient(transport, gcp.CredentialsTokenSource(credentials))
		if err != nil {
			return opened{}, err
		}
	}
	bucket, err := gcsblob.OpenBucket(ctx, client, u.Host, nil)
	if err != nil {
		return opened{}, err
	}
	var api *gcs.Client
	if !bucket.As(&api) {
		return opened{}, errors.New("storage: the bucket is not a GCS one")
	}
	api.SetRetry(gcs.WithMaxAttempts(clientTries), gcs.WithBackoff(gax.Backoff{Initial: clientBackoff / 5, Max: clientBackoff, Multiplier: 2}))
	return opened{Bucket: bucket}, nil
}

func gcsVersion(r *blob.Reader) string {
	var in *gcs.Reader
	if r.As(&in) {
		return strconv.FormatInt(in.Attrs.Generation, 10)
	}
	return ""
}

// gcsDiscard breaks off the upload. The client does so too when its context is
// cancelled, but in a goroutine, and a Close before that goroutine's turn sends
// the end of the body: the server then has an object of what was sent so far.
func gcsDiscard(as func(any) bool) func(cause error) {
	var w *gcs.Writer
	if !as(&w) {
		return func(error) {}
	}
	return func(cause error) {
		_ = w.CloseWithError(cause) //nolint:staticcheck // the context it recommends is the one that comes too late
	}
}

func gcsCondition(as func(any) bool, version string) error {
	var handle **gcs.ObjectHandle
	if !as(&handle) {
		return errors.New("storage: the bucket is not a GCS one")
	}
	generation, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return fmt.Errorf("storage: version %q is not a generation: %w", version, err)
	}
	*handle = (*handle).If(gcs.Conditions{GenerationMatch: generation})
	return nil
}
