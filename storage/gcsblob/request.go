package gcsblob

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// do sends a request with a body of that size in bytes. A reply that is no
// success becomes an *Error. The caller closes the reply's body.
func (b *Bucket) do(ctx context.Context, method, target string, query url.Values, header http.Header, body io.Reader, size int64) (*http.Response, error) {
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	if size == 0 {
		body = nil // a body of no known size would be sent in chunks
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	maps.Copy(req.Header, header)
	// Bytes come as they are stored: the transport would inflate what it asked
	// for itself, and forget the size.
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", "sprint")
	resp, err := b.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if resp.StatusCode >= 300 && !unfinished(resp) {
		defer resp.Body.Close()
		return nil, failure(resp)
	}
	return resp, nil
}

// failure reads what a reply says: JSON, or text where an object was asked for.
func failure(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	var text []byte
	body, err := plain(resp)
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(body, 64<<10))
	}
	var reply struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(text, &reply) == nil && reply.Error.Message != "" {
		e.Message = reply.Error.Message
	} else if e.Message = strings.TrimSpace(string(text[:min(len(text), 500)])); e.Message == "" {
		e.Message = "no reason given"
		if err != nil {
			e.Message = err.Error()
		}
	}
	return e
}

// call sends a request without a body and decodes the reply.
func (b *Bucket) call(ctx context.Context, method, target string, query url.Values, reply any) error {
	resp, err := b.do(ctx, method, target, query, nil, nil, 0)
	if err != nil {
		return err
	}
	return decode(resp, reply)
}

// replyLimit caps a reply of metadata: a page of 1,000 objects is 1 MB.
const replyLimit = 16 << 20

func decode(resp *http.Response, reply any) error {
	defer resp.Body.Close()
	body, err := plain(resp)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body, replyLimit))
	if err == nil && reply != nil {
		err = json.Unmarshal(text, reply)
	}
	if err != nil {
		return fmt.Errorf("reply of %s: %w", resp.Request.URL.Path, err)
	}
	return nil
}

// plain inflates a reply of metadata.
func plain(resp *http.Response) (io.Reader, error) {
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return resp.Body, nil
	}
	return gzip.NewReader(resp.Body)
}
