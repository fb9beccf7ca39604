package gcsblob

import (
	"bytes"
	"context"
	"encoding/base64"
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
	// chunk is the size up to which an object is sent by one request.
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
	return b.put(ctx, object{Name: key, ContentType: media}, url.Values{}, size, at)
}

// put is Put with the conditions of the write in its query.
func (b *Bucket) put(ctx context.Context, meta object, query url.Values, size int64, at func(offset int64) (io.Reader, error)) error {
	if size <= chunk {
		body, err := at(0)
		if err != nil {
			return err
		}
		return b.putAtOnce(ctx, meta, query, body, size)
	}
	u := &upload{b: b, ctx: ctx, size: size, at: at}
	if err := u.begin(meta, query); err != nil {
		return err
	}
	err := u.sendAll()
	if err == nil && u.sum == "" { // no request had all bytes
		u.sum, err = sumOf(at)
	}
	if err == nil {
		err = u.made.check(size, u.sum)
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

// upload is an object that is sent by as many requests as it takes and appears
// with the last.
type upload struct {
	b       *Bucket
	ctx     context.Context
	size    int64
	at      func(offset int64) (io.Reader, error) // the bytes from there on
	session string                                // its URL
	sent    int64                                 // bytes that the server has
	lost    error                                 // of the source of the bytes: another try would not help
	sum     string                                // of all bytes, if one request had them
	made    resource
}

// begin asks for the URL of the upload.
func (u *upload) begin(meta object, query url.Values) error {
	body, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	query.Set("uploadType", "resumable")
	header := http.Header{"Content-Type": {"application/json"}}
	resp, err := u.b.do(u.ctx, http.MethodPost, u.b.uploads(), query, header, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	if err := decode(resp, nil); err != nil {
		return err
	}
	if u.session = resp.Header.Get("Location"); u.session == "" {
		return errors.New("the reply to a new upload names no place to send it to")
	}
	if !strings.HasPrefix(u.session, u.b.endpoint+"/") {
		return errors.New("the reply to a new upload names a place at another server")
	}
	return nil
}

// sendAll sends what the server lacks, again after failures that may pass; those
// after which the server has more than ever before do not count.
func (u *upload) sendAll() error {
	wait, most := chunkWait, u.sent
	for try := 1; ; try++ {
		err := u.send()
		if err == nil || try == chunkTries || u.ctx.Err() != nil || u.lost != nil || final(err) {
			return err
		}
		select {
		case <-u.ctx.Done():
			return u.ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
		// An upload that has ended well lost the reply to its last bytes.
		if more, err := u.request("bytes */*", nil, 0); err == nil && !more || final(err) {
			return err
		}
		if u.sent > most {
			try, wait, most = 0, chunkWait, u.sent
		}
	}
}

// final reports whether a reply will be the same next time.
func final(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status < 500 && refused.Status != http.StatusTooManyRequests && refused.Status != http.StatusRequestTimeout
}

// send sends all that the server lacks. It fails if the server did not take it.
func (u *upload) send() error {
	var body io.Reader
	if body, u.lost = u.at(u.sent); u.lost != nil {
		return u.lost
	}
	first, from := u.sent, newSource(body)
	span := fmt.Sprintf("bytes %d-%d/%d", first, u.size-1, u.size)
	if first == u.size {
		span = fmt.Sprintf("bytes */%d", u.size)
	}
	more, err := u.request(span, from, u.size-first)
	sum, lost := from.state()
	u.lost = lost
	switch {
	case lost != nil:
		return lost
	case err != nil:
		return err
	case more:
		return fmt.Errorf("the server has %d bytes of the upload and wants more, after %d were sent", u.sent, u.size)
	case first == 0:
		u.sum = sum
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
	return &source{r: r, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
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

// state returns the checksum so far, as the API writes one, and the failure.
func (s *source) state() (sum string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return base64.StdEncoding.EncodeToString(s.sum.Sum(nil)), s.err
}

// request sends n bytes of the upload, or asks with none how far it came. With
// more the server waits for further ones; else the upload has ended.
func (u *upload) request(span string, body io.Reader, n int64) (more bool, err error) {
	header := http.Header{"Content-Range": {span}, "X-Guploader-No-308": {"yes"}}
	resp, err := u.b.do(u.ctx, http.MethodPut, u.session, nil, header, body, n)
	if err != nil {
		return false, err
	}
	if !unfinished(resp) {
		return false, decode(resp, &u.made)
	}
	if err := decode(resp, nil); err != nil {
		return true, err
	}
	return true, u.progress(resp.Header.Get("Range"))
}

// unfinished reports whether a reply to a part of an upload asks for more.
// The API used the status 308 for that before it had its present meaning.
func unfinished(resp *http.Response) bool {
	return resp.Header.Get("X-Http-Status-Code-Override") == "308" ||
		resp.StatusCode == http.StatusPermanentRedirect && resp.Request.Header.Get("Content-Range") != ""
}

// progress takes from a reply how far the server is: "bytes=0-1023". One without
// a span has nothing, even if it had something before.
func (u *upload) progress(span string) error {
	u.sent = 0
	if span == "" {
		return nil
	}
	first, last, _ := strings.Cut(span, "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || first != "bytes=0" {
		return fmt.Errorf("the server says that it has %q of an upload", span)
	}
	u.sent = n + 1
	return nil
}

// abandon gives the upload up: what was sent takes space for a week.
func (u *upload) abandon() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), 5*time.Second)
	defer cancel()
	_ = u.b.call(ctx, http.MethodDelete, u.session, nil, nil)
}
