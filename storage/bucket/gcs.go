package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sprint-ml/sprint/storage/gcsblob"
	"github.com/sprint-ml/sprint/storage/transport"
	"gocloud.dev/blob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// gcsScope is what a store asks of the machine's credentials.
const gcsScope = "https://www.googleapis.com/auth/cloud-platform"

// openGCS opens a bucket with the machine's credentials. Without any it says
// so at once instead of failing on the first read.
func openGCS(ctx context.Context, u *url.URL, _ *slog.Logger) (opened, error) {
	tuned := http.DefaultTransport.(*http.Transport).Clone() // the type is documented
	all := transport.Tune(tuned, 2*FilesInFlight)
	client := &http.Client{Transport: tuned, CheckRedirect: transport.SameServer}
	anonymous := false
	if v := u.Query().Get("anonymous"); v != "" {
		var err error
		if anonymous, err = strconv.ParseBool(v); err != nil {
			return opened{}, fmt.Errorf("invalid value for \"anonymous\": %w", err)
		}
	}
	endpoint, emulated := gcsblob.Endpoint()
	if HasUserInfo(endpoint) {
		return opened{}, errors.New("STORAGE_EMULATOR_HOST holds a user or a password, which are not used: an emulator needs none")
	}
	b := gcsblob.New(client, endpoint, u.Host)
	if !anonymous && !emulated {
		credentials, err := google.FindDefaultCredentials(ctx, gcsScope)
		if err != nil {
			return opened{}, &Error{Op: "open", Key: "gs://" + u.Host, Class: ErrDenied, Err: err}
		}
		client.Transport = &oauth2.Transport{Base: tuned, Source: credentials.TokenSource}
		if b.Signer, err = gcsblob.SignerOf(credentials.JSON); err != nil {
			return opened{}, &Error{Op: "open", Key: "gs://" + u.Host, Class: ErrDenied, Err: err}
		}
	}
	return opened{blob.NewBucket(b), &gcsTransfer{b, keyPrefix(u)}, all}, nil
}

// gcsTransfer stores blobs without a writer, which would hold a part in memory.
type gcsTransfer struct {
	bucket *gcsblob.Bucket
	prefix string
}

func (t *gcsTransfer) put(ctx context.Context, key string, c *Content) error {
	return t.bucket.Put(ctx, t.prefix+key, blobMedia, c.Size, func(offset int64) (io.Reader, error) {
		all := c.all()
		_, err := all.Seek(offset, io.SeekStart)
		return all, err
	})
}

func (t *gcsTransfer) copy(ctx context.Context, to, from string, _ int64) error {
	return t.bucket.Copy(ctx, t.prefix+to, t.prefix+from, nil)
}
