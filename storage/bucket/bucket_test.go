package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/storage/gcsblob"
)

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for url, names := range map[string][]string{
		"ftp://host/x":                       {`"ftp"`, "file, gs, mem, s3"},
		"s3://bucket?regoin=x":               {`"regoin"`, "region"},
		"gs://bucket?region=x":               {`"region"`, "anonymous"},
		"gs://bucket?anonymous=perhaps":      {"anonymous"},
		"mem://?x=1":                         {`"x"`},
		"file:///tmp?create=1":               {"no parameters"},
		"file://host/folder":                 {"file:///FOLDER", `"host/folder"`},
		"file://./folder":                    {"file:///FOLDER", `"./folder"`},
		"file://":                            {"file:///FOLDER"},
		"s3://":                              {"BUCKET"},
		"s3://b?use_path_style=perhaps":      {"use_path_style"},
		"s3://b?x=hunter2":                   {`"x"`},
		"s3://a:hunter2@b":                   {"AWS_SECRET_ACCESS_KEY", "s3://b"},
		"s3://hunter2@b/prefix":              {"AWS_SECRET_ACCESS_KEY"},
		"s3://A:hun/hunter2+x@b/prefix":      {"AWS_SECRET_ACCESS_KEY", "s3://b/prefix"},
		"s3://A:hun?hunter2#x@b/prefix":      {"AWS_SECRET_ACCESS_KEY"},
		"s3://b?endpoint=http://a:hunter2@h": {"AWS_SECRET_ACCESS_KEY", "endpoint"},
		"gs://a:hunter2@b":                   {"GOOGLE_APPLICATION_CREDENTIALS"},
		"file://a:hunter2@host/folder":       {"./"},
		"ftp://a:hunter2@host/folder":        {`"ftp"`},
		file:                                 {file},
		"file://" + file:                     {file},
	} {
		s, err := Open(context.Background(), url, nil)
		if err == nil {
			t.Errorf("%s: opened %s", url, s.URL())
			continue
		}
		if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrTransient) {
			t.Errorf("%s: %v; want one that is not valid", url, err)
		}
		for _, n := range names {
			if !strings.Contains(err.Error(), n) {
				t.Errorf("%s: %q does not name %s", url, err, n)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q shows a secret", url, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for url, want := range map[string]string{
		"s3://u:p@b/x?region=r&kmskeyid=secret":   "s3://b/x?region=r",
		"s3://b?endpoint=http://u:p@h:1&region=r": "s3://b?endpoint=http://h:1&region=r",
		"gs://b/x":                               "gs://b/x",
		"folder?a=b@c":                           "folder?a=b@c",
		"file:///a@b/c":                          "file:///a@b/c",
		"s3://b?role=arn:":                       "s3://b",
		"s3://u:p/q@b/x?endpoint=http://u:p/q@h": "s3://…",
		"s3://u:p@b/x?endpoint=http://u:p@h":     "s3://b/x?endpoint=http://h",
		"s3://u:p/q@b/x":                         "s3://b/x",
		"s3://b/a@b?region=r":                    "s3://b/a@b?region=r",
		"s3://u:p?q@b":                           "s3://…",
		"http://[::1]:1/a@b":                     "http://[::1]:1/a@b",
	} {
		if got := Redact(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}

func TestClass(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{&gcsblob.Error{Status: 403}, ErrDenied},
		{fmt.Errorf("wrapped: %w", &gcsblob.Error{Status: 401}), ErrDenied},
		{&gcsblob.Error{Status: 412}, ErrExists},
		{&gcsblob.Error{Status: 503}, ErrTransient},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ErrFull},
		{syscall.EDQUOT, ErrFull},
		{syscall.EROFS, ErrDenied},
		{os.ErrPermission, ErrDenied},
		{io.ErrUnexpectedEOF, ErrTransient},
		{errors.New("whatever"), ErrTransient},
	} {
		if got := class(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
	if err := wrap("put", "k", context.Canceled); err != context.Canceled {
		t.Errorf("the caller's own end came back as %v", err)
	}
	full := wrap("put", "blobs/x", &os.PathError{Op: "write", Path: "/store/f", Err: syscall.ENOSPC})
	for _, n := range []string{"put blobs/x", "no space left", "/store/f"} {
		if !strings.Contains(full.Error(), n) {
			t.Errorf("%q does not name %s", full, n)
		}
	}
}

func TestPartSize(t *testing.T) {
	const mib = 1 << 20
	for size, want := range map[int64]int64{0: 16 * mib, 16 * mib: 16 * mib, 1 << 30: 16 * mib, 1<<30 + 64: 32 * mib, 2 << 30: 32 * mib, 1 << 38: 64 * mib, 1 << 40: 112 * mib} {
		if got := partSize(size); got != want {
			t.Errorf("%d bytes: parts of %d, want %d", size, got, want)
		}
	}
}
