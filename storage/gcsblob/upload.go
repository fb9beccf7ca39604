package gcsblob

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// chunk is what an object of unknown size is sent by, and what a writer holds
	// in memory. The API wants a multiple of 256 KiB.
	chunk = 16 << 20
	// chunkTries caps the tries of a part of an upload, so that a failure does
	// not send all again; what fails then is tried again by the caller.
	chunkTries = 3
	chunkWait  = 200 * time.Millisecond
)

// object is what an upload says of itself.
type object struct {
	Name        string `json:"name"`
	ContentType string `json:"contentType,omitempty"`
}

// Put stores size bytes, which at reads from an offset on. None of them is held
// in memory, and a broken connection is taken up where it broke.
func (b *Bucket) Put(ctx context.Context, key, media string, size int64, at func(offset int64) (io.Reader, error)) error {
	meta := object{Name: key, ContentType: media}
	if size <= chunk {
		body, err := at(0)
		if err != nil {
			return err
		}
		return b.putAtOnce(ctx, meta, url.Values{}, body, size)
	}
	u, err := b.begin(ctx, meta, url.Values{})
	if err != nil {
		return err
	}
	sum := ""
	err = u.retry(size, func() error {
		body, err := at(u.sent)
		if err != nil {
			u.lost = err
			return err
		}
		first, from := u.sent == 0, newSource(body)
		err = u.send(from, size-u.sent, size)
		if err == nil && first {
			sum, _ = from.state()
		}
		return err
	})
	if err == nil && sum == "" { // no request had all bytes
		sum, err = sumOf(at)
	}
	if err == nil {
		err = u.made.check(size, sum)
	}
	if err != nil {
		u.abandon()
	}
	return err
}

// sumOf reads all bytes for their checksum.
func sumOf(at func(offset int64) (io.Reader, error)) (string, error) {
	body, err := at(0)
	if err != nil {
		return "", err
	}
	from := newSource(body)
	if _, err := io.Copy(io.Discard, from); err != nil {
		return "", err
	}
	return from.state()
}

func (b *Bucket) uploads() string {
	return strings.Replace(b.objects(""), "/storage/v1/", "/upload/storage/v1/", 1)
}

// putAtOnce sends metadata and bytes by one request.
func (b *Bucket) putAtOnce(ctx context.Context, meta object, query url.Values, body io.Reader, size int64) error {
	var head bytes.Buffer
	parts := multipart.NewWriter(&head)
	into, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
	if err == nil {
		err = json.NewEncoder(into).Encode(meta)
	}
	if err == nil {
		_, err = parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}})
	}
	if err != nil {
		return err
	}
	tail := "\r\n--" + parts.Boundary() + "--\r\n"
	query.Set("uploadType", "multipart")
	header := http.Header{"Content-Type": {"multipart/related; boundary=" + parts.Boundary()}}
	from := newSource(body)
	all := io.MultiReader(&head, from, strings.NewReader(tail))
	resp, err := b.do(ctx, http.MethodPost, b.uploads(), query, header, all, int64(head.Len())+size+int64(len(tail)))
	if err != nil {
		return err
	}
	var made resource
	err = decode(resp, &made)
	sum, lost := from.state()
	switch {
	case lost != nil:
		return lost
	case err != nil:
		return err
	}
	return made.check(size, sum)
}

// check compares what the server made with what was sent.
func (o *resource) check(size int64, sum string) error {
	switch {
	case o.Size != size:
		return fmt.Errorf("the object has %d bytes after its upload, not %d", o.Size, size)
	case o.CRC32C != "" && o.CRC32C != sum:
		return fmt.Errorf("the object has checksum %s after its upload, not %s", o.CRC32C, sum)
	}
	return nil
}

// upload is an object that is sent by several requests and appears with the
// last.
type upload struct {
	b       *Bucket
	ctx     context.Context
	session string // its URL
	sent    int64  // bytes that the server has
	lost    error  // of the source of the bytes: another try would not help
	made    resource
}

// begin asks for the URL of an upload.
func (b *Bucket) begin(ctx context.Context, meta object, query url.Values) (*upload, error) {
	body, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	query.Set("uploadType", "resumable")
	header := http.Header{"Content-Type": {"application/json"}}
	resp, err := b.do(ctx, http.MethodPost, b.uploads(), query, header, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	if err := decode(resp, nil); err != nil {
		return nil, err
	}
	u := &upload{b: b, ctx: ctx, session: resp.Header.Get("Location")}
	if u.session == "" {
		return nil, errors.New("the reply to a new upload names no place to send it to")
	}
	return u, nil
}

// retry calls send, with which the upload has total bytes, again after failures
// that may pass; those after which the server has more than ever before do not
// count. A negative total is not known yet.
func (u *upload) retry(total int64, send func() error) error {
	wait, most := chunkWait, u.sent
	for try := 1; ; try++ {
		err := send()
		if err == nil || try == chunkTries || u.ctx.Err() != nil || u.lost != nil || final(err) {
			return err
		}
		select {
		case <-u.ctx.Done():
			return u.ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
		if done, err := u.ask(total); done || final(err) {
			return err
		}
		if u.sent > most {
			try, wait, most = 0, chunkWait, u.sent
		}
	}
}

// final reports whether a reply will be the same next time.
func final(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests && refused.Status != http.StatusRequestTimeout
}

// send sends the next n bytes; a total that is not negative ends the upload. It
// fails if the server did not take them all.
func (u *upload) send(from *source, n, total int64) error {
	size := "*"
	if total >= 0 {
		size = strconv.FormatInt(total, 10)
	}
	span := fmt.Sprintf("bytes %d-%d/%s", u.sent, u.sent+n-1, size)
	if n == 0 {
		span = "bytes */" + size
	}
	r, err := u.put(span, from, n)
	if _, u.lost = from.state(); u.lost != nil {
		return u.lost
	}
	switch {
	case err != nil:
		return err
	case !r.more && total >= 0:
		u.made = r.made
		return nil
	case !r.more:
		return errEnded
	}
	want := u.sent + n
	if err := u.progress(r); err != nil {
		return err
	}
	if u.sent != want || total >= 0 {
		return fmt.Errorf("the server has %d bytes of the upload and wants more, after %d were sent", u.sent, want)
	}
	return nil
}

// source is a body that remembers its checksum and whether its bytes could not
// be read. A transport may still hold it when the reply is there.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	sum hash.Hash32
	err error
}

func newSource(r io.Reader) *source {
	return &source{r: r, sum: newSum()}
}

func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// checksum is how the API writes one.
func checksum(h hash.Hash32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.sum.Write(p[:n]) // never fails
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// state returns the checksum so far and the failure.
func (s *source) state() (sum string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return checksum(s.sum), s.err
}

// reply is the answer to a request of an upload.
type reply struct {
	more bool     // the server waits for further ones
	span string   // then: the bytes that it has, "bytes=0-1023"; empty if none
	made resource // else
}

// put sends one request of the upload.
func (u *upload) put(span string, body io.Reader, n int64) (r reply, err error) {
	header := http.Header{"Content-Range": {span}, "X-Guploader-No-308": {"yes"}}
	resp, err := u.b.do(u.ctx, http.MethodPut, u.session, nil, header, body, n)
	if err != nil {
		return r, err
	}
	if r.more = unfinished(resp); r.more {
		r.span = resp.Header.Get("Range")
		return r, decode(resp, nil)
	}
	return r, decode(resp, &r.made)
}

// unfinished reports whether a reply to a part of an upload asks for more.
// The API used the status 308 for that before it had its present meaning.
func unfinished(resp *http.Response) bool {
	return resp.Header.Get("X-Http-Status-Code-Override") == "308" ||
		resp.StatusCode == http.StatusPermanentRedirect && resp.Request.Header.Get("Content-Range") != ""
}

// progress takes from a reply how far the server is. One without a span has
// nothing, even if it had something before.
func (u *upload) progress(r reply) error {
	u.sent = 0
	if r.span == "" {
		return nil
	}
	first, last, _ := strings.Cut(r.span, "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || first != "bytes=0" {
		return fmt.Errorf("the server says that it has %q of an upload", r.span)
	}
	u.sent = n + 1
	return nil
}

// ask finds out how far the upload came; done says that it has ended well: the
// reply to the last bytes was lost.
func (u *upload) ask(total int64) (done bool, err error) {
	r, err := u.put("bytes */*", nil, 0)
	switch {
	case err != nil:
		return false, err
	case r.more:
		return false, u.progress(r)
	}
	if total < 0 {
		return false, errEnded
	}
	u.made = r.made
	return true, nil
}

var errEnded = errors.New("the server ended the upload before its end")

// abandon gives the upload up: what was sent takes space for a week.
func (u *upload) abandon() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), 5*time.Second)
	defer cancel()
	_ = u.b.call(ctx, http.MethodDelete, u.session, nil, nil)
}
