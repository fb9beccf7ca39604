package bucket

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/sprint-ml/sprint/storage/transport"
	"gocloud.dev/blob/s3blob"
	"golang.org/x/sync/semaphore"
)

func openS3(ctx context.Context, u *url.URL, _ *slog.Logger) (opened, error) {
	opener := &s3blob.URLOpener{}
	bucket, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return opened{}, err
	}
	var client *s3.Client
	if !bucket.As(&client) {
		return opened{}, errors.New("storage: the bucket is not an S3 one")
	}
	if HasUserInfo(aws.ToString(client.Options().BaseEndpoint)) {
		return opened{}, errors.New("AWS_ENDPOINT_URL holds a user or a password, which are not used: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	// The opener offers no way to set the retries and the transport before it
	// builds the client, but leaves in its Options what the URL said of the
	// bucket.
	var all *transport.Connections
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = clientTries, clientBackoff
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if all != nil && all.Unreachable(err) {
					return aws.FalseTernary // Bucket.retry asks again, for a server that is just starting
				}
				return aws.UnknownTernary
			})}, o.Retryables...)
		})
		o.Logger = logging.Nop{}
		if !u.Query().Has("response_checksum_validation") {
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // what is read is hashed here
		}
		if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			tuned := c.WithTransportOptions(func(h *http.Transport) { all = transport.Tune(h, 2*FilesInFlight) })
			o.HTTPClient = &http.Client{Transport: tuned.GetTransport(), CheckRedirect: transport.SameServer}
		}
	})
	bucket, err = s3blob.OpenBucket(ctx, client, u.Host, &opener.Options)
	if err != nil {
		return opened{}, err
	}
	t := &s3Transfer{
		client: client, bucket: &u.Host, prefix: keyPrefix(u),
		encryption: opener.Options.EncryptionType, parts: semaphore.NewWeighted(partsInFlight),
	}
	if key := opener.Options.KMSEncryptionID; key != "" {
		t.kmsKey = &key
	}
	if client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		t.checksum = types.ChecksumAlgorithmCrc32
	}
	return opened{bucket, t, all}, nil
}
