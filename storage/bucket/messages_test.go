package bucket

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlainly: what a user reads names the operation, the key and the cause
// once, and nothing of the layers between.
func TestPlainly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none")
	for k, v := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "STORAGE_EMULATOR_HOST": closed,
	} {
		t.Setenv(k, v)
	}
	file := filepath.Join(t.TempDir(), "store")
	s3 := "s3://bucket?use_path_style=true&region=us-east-1&endpoint=http://" + closed
	for _, c := range []struct {
		url, key string // of the credentials
		class    error
		words    string
	}{
		{s3, "key", ErrTransient, "cannot reach " + closed},
		{s3, "", ErrDenied, "no credentials for S3"},
		{"gs://bucket", "", ErrTransient, "cannot reach " + closed},
		{file, "", ErrNotFound, "stat some/key: not found"},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", c.key)
		t.Setenv("AWS_SECRET_ACCESS_KEY", c.key)
		s, err := Open(t.Context(), c.url, &Options{Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Stat(t.Context(), "some/key")
		if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.url, err)
		}
		for _, noise := range []string{"operation error", "RequestID", "code=", "https response", "statat"} {
			if strings.Contains(err.Error(), noise) {
				t.Errorf("%q says %q", err, noise)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
