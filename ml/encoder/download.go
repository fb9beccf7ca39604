package encoder

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own object id, compared beside TLS and never trusted alone
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// errAbsent is a file that the revision does not have.
var errAbsent = errors.New("no such file in the revision")

// maxDownload caps one file; the largest BERT is 1.4 GB.
const maxDownload = 16 << 30

// maxStalls is how many answers in a row may bring nothing before giving up.
const maxStalls = 4

// download is one file of a hub model on its way to path.
type download struct {
	hub  *hub
	id   ID
	name string
	path string
	o    Options

	tag  string // the hub's own digest of the file, once known
	size int64  // whole size, -1 until known
}

// run fetches the file, continuing what is already there, and returns its
// sha256. The bytes are compared with the digest that the hub sends: sha256 for
// large files, git's blob id for small ones.
func (d *download) run(ctx context.Context) (string, error) {
	d.size = -1
	for stalls := 0; ; {
		before := fileSize(d.path)
		done, err := d.once(ctx)
		if err != nil {
			return "", err
		}
		if done {
			return d.check()
		}
		if fileSize(d.path) > before {
			stalls = 0
			continue
		}
		if stalls++; stalls >= maxStalls {
			return "", &FetchError{Ref: d.id.Ref, Message: fmt.Sprintf("%s stopped at byte %d of %d and does not go on", d.name, before, d.size), Hint: "run the same command again; it continues there"}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Duration(stalls) * 200 * time.Millisecond):
		}
	}
}

// once sends one request from where the file ends and appends what comes. A
// connection that breaks is not an error but not done.
func (d *download) once(ctx context.Context) (done bool, err error) {
	have := fileSize(d.path)
	address := fmt.Sprintf("%s/%s/resolve/%s/%s", d.hub.base, d.id.Name, d.id.Revision, d.name)
	resp, err := d.hub.get(ctx, address, have)
	if err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		return false, &FetchError{Ref: d.id.Ref, Message: "cannot fetch " + d.name, Err: err, Hint: "check the network, set HF_ENDPOINT to a mirror, or give a folder instead"}
	}
	defer resp.Body.Close()
	d.noteDigest(resp)
	flags, from, done, err := d.begin(resp, have)
	if err != nil || done || flags == 0 {
		return done, err
	}
	return d.write(ctx, resp.Body, flags, from)
}

// begin reads where an answer's bytes belong, and the size of the file: the flags to open
// it with and the offset at which they begin. done says that the file is whole already.
// Flags of 0 ask for another request.
func (d *download) begin(resp *http.Response, have int64) (flags int, from int64, done bool, err error) {
	flags = os.O_WRONLY | os.O_CREATE
	switch resp.StatusCode {
	case http.StatusOK: // from the beginning, whatever was asked for
		flags |= os.O_TRUNC
		have = 0
		if resp.ContentLength >= 0 {
			d.size = resp.ContentLength
		}
	case http.StatusPartialContent:
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != have {
			return 0, 0, false, &FetchError{Ref: d.id.Ref, Message: fmt.Sprintf("%s: asked for byte %d, the answer has another range", d.name, have)}
		}
		d.size = total
		flags |= os.O_APPEND
	case http.StatusRequestedRangeNotSatisfiable:
		if _, total, ok := contentRange(resp.Header.Get("Content-Range")); ok && total == have {
			d.size = total
			return 0, 0, true, nil // all was there already; check decides whether it is right
		}
		return 0, 0, false, removeStale(d.path) // longer than the file: begin again
	case http.StatusNotFound:
		if have > 0 {
			return 0, 0, false, errors.Join(errAbsent, removeStale(d.path))
		}
		return 0, 0, false, errAbsent
	default:
		return 0, 0, false, d.hub.statusError(d.id, d.name, resp.StatusCode)
	}
	if d.size > maxDownload {
		return 0, 0, false, &FetchError{Ref: d.id.Ref, Message: fmt.Sprintf("%s has %d bytes, at most %d are accepted", d.name, d.size, int64(maxDownload))}
	}
	return flags, have, false, nil
}

// write appends the bytes of an answer to the file. done says that it is whole.
func (d *download) write(ctx context.Context, body io.Reader, flags int, from int64) (done bool, err error) {
	f, err := os.OpenFile(d.path, flags, 0o600)
	if err != nil {
		return false, fmt.Errorf("open the download: %w", err)
	}
	defer f.Close()
	n, err := io.Copy(&counter{w: f, at: from, of: d.size, tell: d.o.Progress}, io.LimitReader(body, maxDownload+1))
	var disk *os.PathError
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.As(err, &disk):
		return false, fmt.Errorf("write the download: %w", err)
	case err != nil:
		d.o.log().DebugContext(ctx, "the connection broke; continuing", "file", d.name, "bytes", from+n, "error", err)
		return false, nil
	}
	if d.size < 0 {
		return true, f.Close() // no length was sent: the end is the end, check decides
	}
	return from+n == d.size, f.Close()
}

// noteDigest keeps the digest that the hub sends. The header of a large file is on the
// redirect, which is the response before this one.
func (d *download) noteDigest(resp *http.Response) {
	for r := resp; r != nil; {
		if tag := etag(r.Header.Get("X-Linked-Etag")); tag != "" {
			d.tag = tag
			return
		}
		if r.Request == nil || r.Request.Response == nil {
			// The hub itself answered: its own ETag is the git blob id.
			if tag := etag(r.Header.Get("ETag")); fullHash.MatchString(tag) {
				d.tag = tag
			}
			return
		}
		r = r.Request.Response
	}
}

// check compares the finished file with the hub's digest; a file that fails is
// removed, since continuing it would keep the damage.
func (d *download) check() (string, error) {
	sum, err := wheel.HashFile(d.path)
	if err != nil {
		return "", fmt.Errorf("read back the download: %w", err)
	}
	got := sum
	if fullHash.MatchString(d.tag) {
		if got, err = gitBlob(d.path); err != nil {
			return "", fmt.Errorf("read back the download: %w", err)
		}
	}
	if d.tag != "" && got != d.tag {
		return "", errors.Join(&FetchError{Ref: d.id.Ref, Message: fmt.Sprintf("%s has digest %s, the hub says %s", d.name, got, d.tag), Err: ErrCorrupt, Hint: "run the same command again"}, removeStale(d.path))
	}
	return sum, nil
}

// counter reports progress as it writes.
type counter struct {
	w      io.Writer
	at, of int64
	tell   func(done, total int64)
}

// Write passes the bytes on and tells how many there are.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.at += int64(n)
	if c.tell != nil {
		c.tell(c.at, c.of)
	}
	return n, err
}

// contentRange reads "bytes 5-9/10" and "bytes */10".
func contentRange(s string) (start, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, size, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, false
	}
	total, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if span == "*" {
		return -1, total, true
	}
	first, _, _ := strings.Cut(span, "-")
	start, err = strconv.ParseInt(first, 10, 64)
	return start, total, err == nil
}

// etag strips the quotes and the weakness mark, and keeps only hex digests.
func etag(s string) string {
	s = strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
	if _, err := hex.DecodeString(s); err != nil || len(s) != 40 && len(s) != 64 {
		return ""
	}
	return s
}

// gitBlob is the id that git gives the file's content.
func gitBlob(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha1.New() //nolint:gosec // see the import
	fmt.Fprintf(h, "blob %d\x00", fileSize(path))
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a stale download: %w", err)
	}
	return nil
}
