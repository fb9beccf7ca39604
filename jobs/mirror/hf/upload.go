package hf

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
	"github.com/sprint-ml/sprint/storage"
)

// action is what the hub says to do with a file.
type action struct {
	Address string         `json:"href"`
	Header  map[string]any `json:"header"` // values are texts, of some servers numbers
}

// object is what the hub says of a file.
type object struct {
	OID     string            `json:"oid"`
	Actions map[string]action `json:"actions"` // none if its bytes are there
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// lfsType is the type of what is said about large files.
const lfsType = "application/vnd.git-lfs+json"

// upload sends the files of which the hub has not got the bytes, by the protocol of Git LFS. A
// file that is there, of an earlier try or of another version, is not sent.
func (r *Registry) upload(ctx context.Context, release mirror.Release, files []storage.TreeEntry) error {
	if len(files) == 0 {
		return nil
	}
	var objects []map[string]any
	for _, e := range files {
		objects = append(objects, map[string]any{"oid": oid(e), "size": e.Size})
	}
	ask, err := rest.JSON(map[string]any{"operation": "upload", "transfers": []string{"basic", "multipart"}, "objects": objects, "hash_algo": "sha256"})
	if err != nil {
		return err
	}
	ask.Type = lfsType
	var answer struct {
		Objects []object `json:"objects"`
	}
	if err := r.client.Do(ctx, http.MethodPost, "/"+r.repo()+".git/info/lfs/objects/batch", http.Header{"Accept": {lfsType}}, &ask, &answer); err != nil {
		return fmt.Errorf("ask where files go: %w", err)
	}
	for _, e := range files {
		at := slices.IndexFunc(answer.Objects, func(o object) bool { return o.OID == oid(e) })
		if at < 0 {
			return fmt.Errorf("the hub does not say where %s goes", e.Path)
		}
		if bad := answer.Objects[at].Error; bad != nil {
			return fmt.Errorf("the hub refuses %s: %s", e.Path, bad.Message) // whole, or a secret in it may be cut and not be known again
		}
		if err := r.send(ctx, release, e, answer.Objects[at].Actions); err != nil {
			return fmt.Errorf("send %s: %w", e.Path, err)
		}
	}
	return nil
}

// send sends one file as its actions say; none is of a file that is there.
func (r *Registry) send(ctx context.Context, release mirror.Release, e storage.TreeEntry, actions map[string]action) error {
	up, ok := actions["upload"]
	if !ok {
		return nil
	}
	header := http.Header{}
	chunk := int64(0)
	for name, value := range up.Header {
		if text := fmt.Sprint(value); name == "chunk_size" {
			chunk, _ = strconv.ParseInt(strings.TrimSuffix(text, ".0"), 10, 64)
		} else {
			header.Set(name, text)
		}
	}
	var err error
	if _, parts := up.Header["chunk_size"]; parts {
		err = r.sendParts(ctx, release, e, up, chunk)
	} else {
		body := part(ctx, release, e, 0, e.Size)
		err = r.client.Do(ctx, http.MethodPut, up.Address, header, &body, nil)
	}
	if check, ok := actions["verify"]; ok && err == nil {
		err = r.client.Call(ctx, http.MethodPost, strings.TrimPrefix(check.Address, r.base), map[string]any{"oid": oid(e), "size": e.Size}, nil)
	}
	return err
}

// part is the body of a part of a file.
func part(ctx context.Context, release mirror.Release, e storage.TreeEntry, from, size int64) rest.Body {
	return rest.Body{Size: size, Open: func() (io.ReadCloser, error) {
		r, err := release.Open(ctx, e)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, r, from); err != nil {
			r.Close()
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(r, size), r}, nil
	}}
}

// maxParts bounds the parts of a file.
const maxParts = 10_000

// sendParts sends a file in parts of chunk bytes, each to an address of its own, and then says
// that it is complete.
func (r *Registry) sendParts(ctx context.Context, release mirror.Release, e storage.TreeEntry, up action, chunk int64) error {
	if chunk < 1 || e.Size/chunk >= maxParts {
		return fmt.Errorf("the hub wants parts of %d bytes", chunk)
	}
	type sent struct {
		Number int    `json:"partNumber"`
		ETag   string `json:"etag"`
	}
	var parts []sent
	for from := int64(0); from < e.Size; from += chunk {
		number := len(parts) + 1
		address := ""
		for name, value := range up.Header {
			if n, err := strconv.Atoi(name); err == nil && n == number { // 1 or 00001
				address = fmt.Sprint(value)
			}
		}
		if address == "" {
			return fmt.Errorf("the hub gives no address for part %d", number)
		}
		body := part(ctx, release, e, from, min(chunk, e.Size-from))
		var tag http.Header
		if err := r.client.Do(ctx, http.MethodPut, address, nil, &body, &tag); err != nil {
			return fmt.Errorf("part %d: %w", number, err)
		}
		parts = append(parts, sent{number, tag.Get("Etag")})
	}
	data, err := json.Marshal(map[string]any{"oid": oid(e), "parts": parts})
	if err != nil {
		return err
	}
	body := rest.Bytes(lfsType, data)
	return r.client.Do(ctx, http.MethodPost, up.Address, http.Header{"Accept": {lfsType}}, &body, nil)
}
