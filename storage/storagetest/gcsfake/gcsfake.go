// Package gcsfake is a server in memory that speaks the part of Google Cloud
// Storage's HTTP API that a store uses, for tests.
package gcsfake

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server answers JSON for metadata, lists, copies, deletes, multipart and
// resumable uploads; JSON and XML for downloads with ranges. It honours
// preconditions on the generation. Any bucket's name exists.
//
// Reference: https://cloud.google.com/storage/docs/json_api/v1/objects
type Server struct {
	// Deny, if set, answers requests for which it returns a status other than 0.
	Deny func(r *http.Request) int

	mu         sync.Mutex
	objects    map[string]object // bucket "/" name
	uploads    map[string]*upload
	generation int64
}

type object struct {
	data       []byte
	generation int64
	updated    time.Time
	media      string
}

// upload is a resumable upload in progress.
type upload struct {
	bucket, name, media string
	query               url.Values
	data                []byte
	done                *object
}

// grain is what a server keeps of a part that broke off, and what parts but
// the last are multiples of.
const grain = 256 << 10

// New returns an empty server.
func New() *Server {
	return &Server{objects: map[string]object{}, uploads: map[string]*upload{}, generation: 1_000_000}
}

// ServeHTTP implements http.Handler.
func (g *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.Deny != nil {
		if status := g.Deny(r); status != 0 {
			fail(w, status, "denied by the test")
			return
		}
	}
	path := r.URL.EscapedPath()
	g.mu.Lock()
	defer g.mu.Unlock()
	if rest, ok := strings.CutPrefix(path, "/upload/storage/v1/b/"); ok {
		g.upload(w, r, strings.TrimSuffix(rest, "/o"))
		return
	}
	rest, ok := strings.CutPrefix(path, "/storage/v1/b/")
	if !ok { // the XML API: /bucket/object
		bucket, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		g.download(w, r, bucket, name)
		return
	}
	bucket, rest, _ := strings.Cut(rest, "/o")
	if rest == "" {
		g.list(w, r, bucket)
		return
	}
	name, target, copying := strings.Cut(strings.TrimPrefix(rest, "/"), "/rewriteTo/b/")
	name = unescape(name)
	switch {
	case copying:
		g.rewrite(w, bucket, name, target)
	case r.Method == http.MethodDelete:
		if _, ok := g.objects[bucket+"/"+name]; !ok {
			fail(w, http.StatusNotFound, "no such object")
			return
		}
		delete(g.objects, bucket+"/"+name)
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Query().Get("alt") == "media":
		g.download(w, r, bucket, name)
	default:
		o, ok := g.objects[bucket+"/"+name]
		if !ok {
			fail(w, http.StatusNotFound, "no such object")
			return
		}
		reply(w, o.resource(bucket, name))
	}
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func (g *Server) upload(w http.ResponseWriter, r *http.Request, bucket string) {
	q := r.URL.Query()
	if id := q.Get("upload_id"); id != "" {
		g.resume(w, r, g.uploads[id])
		return
	}
	if q.Get("uploadType") == "resumable" {
		var meta struct{ Name, ContentType string }
		_ = json.NewDecoder(r.Body).Decode(&meta) // an empty body leaves the name to the query
		if meta.Name == "" {
			meta.Name = q.Get("name")
		}
		g.generation++
		id := strconv.FormatInt(g.generation, 10)
		g.uploads[id] = &upload{bucket: bucket, name: meta.Name, media: meta.ContentType, query: q}
		w.Header().Set("Location", "http://"+r.Host+"/upload/storage/v1/b/"+bucket+"/o?uploadType=resumable&upload_id="+id)
		return
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	var meta struct{ Name, ContentType string }
	var data []byte
	for i := range 2 {
		p, err := parts.NextPart()
		if err == nil && i == 0 {
			err = json.NewDecoder(p).Decode(&meta)
		} else if err == nil {
			data, err = io.ReadAll(p)
		}
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	// A client that breaks off has closed the last part before it does.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if meta.Name == "" {
		meta.Name = q.Get("name")
	}
	g.put(w, q, bucket, meta.Name, meta.ContentType, data)
}

// resume takes a chunk of a resumable upload: Content-Range is
// "bytes FIRST-LAST/TOTAL", "bytes */TOTAL", and TOTAL may be "*".
func (g *Server) resume(w http.ResponseWriter, r *http.Request, u *upload) {
	if u == nil {
		fail(w, http.StatusNotFound, "no such upload")
		return
	}
	if r.Method == http.MethodDelete {
		u.data, u.name = nil, ""
		fail(w, 499, "the upload was given up")
		return
	}
	if u.name == "" {
		fail(w, http.StatusGone, "the upload was given up")
		return
	}
	chunk, err := io.ReadAll(r.Body)
	if err != nil {
		chunk = chunk[:len(chunk)/grain*grain]
	}
	if u.done != nil {
		reply(w, u.done.resource(u.bucket, u.name))
		return
	}
	span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	if first, _, ok := strings.Cut(span, "-"); ok {
		if at, err := strconv.Atoi(first); err != nil || at > len(u.data) {
			fail(w, http.StatusServiceUnavailable, "a gap in the upload")
			return
		} else if total == "*" && len(chunk)%grain != 0 {
			fail(w, http.StatusBadRequest, "parts are multiples of 256 KiB")
			return
		} else {
			u.data = append(u.data[:at], chunk...)
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if total != "*" && total == strconv.Itoa(len(u.data)) {
		if g.put(w, u.query, u.bucket, u.name, u.media, u.data) {
			o := g.objects[u.bucket+"/"+u.name]
			u.done = &o
		}
		return
	}
	w.Header().Set("X-Http-Status-Code-Override", "308")
	if len(u.data) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.data)-1))
	}
}

func (g *Server) put(w http.ResponseWriter, q url.Values, bucket, name, media string, data []byte) bool {
	if q.Has("ifGenerationMatch") && q.Get("ifGenerationMatch") != strconv.FormatInt(g.objects[bucket+"/"+name].generation, 10) {
		fail(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		return false
	}
	g.generation++
	o := object{data: data, generation: g.generation, updated: time.Now(), media: media}
	g.objects[bucket+"/"+name] = o
	reply(w, o.resource(bucket, name))
	return true
}

func (g *Server) rewrite(w http.ResponseWriter, bucket, name, target string) {
	o, ok := g.objects[bucket+"/"+name]
	if !ok {
		fail(w, http.StatusNotFound, "no such object")
		return
	}
	toBucket, toName, _ := strings.Cut(target, "/o/")
	g.generation++
	o.generation, o.updated = g.generation, time.Now()
	g.objects[toBucket+"/"+unescape(toName)] = o
	size := strconv.Itoa(len(o.data))
	reply(w, map[string]any{
		"kind": "storage#rewriteResponse", "done": true, "objectSize": size, "totalBytesRewritten": size,
		"resource": o.resource(toBucket, unescape(toName)),
	})
}

func (g *Server) download(w http.ResponseWriter, r *http.Request, bucket, name string) {
	o, ok := g.objects[bucket+"/"+name]
	if !ok {
		fail(w, http.StatusNotFound, "no such object")
		return
	}
	h := w.Header()
	h.Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	h.Set("X-Goog-Metageneration", "1")
	h.Set("X-Goog-Hash", "crc32c="+crc32c(o.data))
	h.Set("Content-Type", "application/octet-stream")
	// A client that reads slowly must not hold up the others. The bytes of an
	// object are never changed.
	g.mu.Unlock()
	defer g.mu.Lock()
	http.ServeContent(w, r, "", o.updated, bytes.NewReader(o.data))
}

func (g *Server) list(w http.ResponseWriter, r *http.Request, bucket string) {
	q := r.URL.Query()
	limit := 1000
	if n, err := strconv.Atoi(q.Get("maxResults")); err == nil && n > 0 {
		limit = min(n, limit)
	}
	prefix, delimiter, after := q.Get("prefix"), q.Get("delimiter"), q.Get("pageToken")
	items, prefixes := []any{}, []string{}
	last, next := after, ""
	for _, key := range slices.Sorted(maps.Keys(g.objects)) {
		name, ok := strings.CutPrefix(key, bucket+"/")
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		shown := name
		if i := strings.Index(name[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			shown = name[:len(prefix)+i+len(delimiter)]
		}
		if shown <= after || slices.Contains(prefixes, shown) {
			continue
		}
		if len(items)+len(prefixes) == limit {
			next = last
			break
		}
		last = shown
		if shown == name {
			items = append(items, g.objects[key].resource(bucket, name))
		} else {
			prefixes = append(prefixes, shown)
		}
	}
	out := map[string]any{"kind": "storage#objects", "items": items, "prefixes": prefixes}
	if next != "" {
		out["nextPageToken"] = next
	}
	reply(w, out)
}

func (o object) resource(bucket, name string) map[string]any {
	sum := md5.Sum(o.data)
	stamp := o.updated.UTC().Format(time.RFC3339Nano)
	return map[string]any{
		"kind": "storage#object", "bucket": bucket, "name": name,
		"generation": strconv.FormatInt(o.generation, 10), "metageneration": "1",
		"size": strconv.Itoa(len(o.data)), "updated": stamp, "timeCreated": stamp, "contentType": o.media,
		"etag": fmt.Sprintf("g%d", o.generation), "md5Hash": base64.StdEncoding.EncodeToString(sum[:]), "crc32c": crc32c(o.data),
	}
}

// crc32c is base64 of the big-endian Castagnoli checksum.
func crc32c(data []byte) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	return base64.StdEncoding.EncodeToString(sum)
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client that went away needs no answer
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message}})
}
