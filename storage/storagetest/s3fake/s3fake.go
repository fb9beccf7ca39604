// Package s3fake is a server in memory that speaks the part of S3's HTTP API
// that a store uses, for tests.
package s3fake

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server answers path-style puts, gets, heads, copies, deletes, lists (version
// 2) and uploads in parts. It honours conditions on single puts, on copies and
// on joining parts, and refuses bodies that differ from a checksum sent with
// them. It lets everybody in, whatever a request is signed with.
//
// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
type Server struct {
	mu      sync.Mutex
	buckets map[string]map[string]object // by name, by key
	uploads map[string]*upload           // by id
	ids     int
}

// object is one version of an object. Its bytes are never changed.
type object struct {
	data    []byte
	etag    string // in quotes
	media   string
	updated time.Time
}

// New returns a server with these buckets, all empty.
func New(buckets ...string) *Server {
	s := &Server{buckets: map[string]map[string]object{}, uploads: map[string]*upload{}}
	for _, name := range buckets {
		s.buckets[name] = map[string]object{}
	}
	return s
}

// request is one with its bucket and key.
type request struct {
	*http.Request
	bucket, key string
	objects     map[string]object
	query       url.Values
	body        []byte
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r, query: r.URL.Query()}
	q.bucket, q.key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !q.read(w) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ok bool
	if q.objects, ok = s.buckets[q.bucket]; !ok {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	_, starts := q.query["uploads"]
	switch {
	case q.query.Has("uploadId") || starts:
		s.multipart(w, q)
	case q.key == "" && r.Method == http.MethodGet:
		q.list(w)
	case q.key == "":
		fail(w, http.StatusNotImplemented, "NotImplemented")
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		s.copy(w, q)
	case r.Method == http.MethodPut:
		if o := newObject(q.body, r.Header.Get("Content-Type")); q.put(w, o) {
			w.Header().Set("ETag", o.etag)
		}
	case r.Method == http.MethodDelete:
		delete(q.objects, q.key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.download(w, q)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// read reads the body and compares it with the checksums in the header. A body
// that breaks off, or is another one than was sent, changes nothing.
func (q *request) read(w http.ResponseWriter) bool {
	sum := q.Header.Get("X-Amz-Content-Sha256")
	if strings.HasPrefix(sum, "STREAMING-") { // a body in chunks with a trailer, which only TLS carries
		fail(w, http.StatusNotImplemented, "NotImplemented")
		return false
	}
	var err error
	if q.body, err = io.ReadAll(q.Body); err != nil {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return false
	}
	plain, short := sha256.Sum256(q.body), md5.Sum(q.body)
	for _, c := range []struct{ sent, is string }{
		{sum, hex.EncodeToString(plain[:])},
		{q.Header.Get("Content-Md5"), base64.StdEncoding.EncodeToString(short[:])},
		{q.Header.Get("X-Amz-Checksum-Crc32"), crc32Of(q.body)},
	} {
		if c.sent != "" && c.sent != "UNSIGNED-PAYLOAD" && c.sent != c.is {
			fail(w, http.StatusBadRequest, "BadDigest")
			return false
		}
	}
	return true
}

func newObject(data []byte, media string) object {
	sum := md5.Sum(data)
	return object{data: data, etag: `"` + hex.EncodeToString(sum[:]) + `"`, media: media, updated: now()}
}

// now is in whole seconds, as all times of S3 are.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// put stores an object unless a condition of the request does not hold.
func (q *request) put(w http.ResponseWriter, o object) bool {
	there, ok := q.objects[q.key]
	match := q.Header.Get("If-Match")
	switch {
	case match != "" && !ok:
		fail(w, http.StatusNotFound, "NoSuchKey")
	case match != "" && strings.Trim(match, `"`) != strings.Trim(there.etag, `"`), q.Header.Get("If-None-Match") == "*" && ok:
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		q.objects[q.key] = o
		return true
	}
	return false
}

func (s *Server) copy(w http.ResponseWriter, q *request) {
	from, ok := s.source(w, q)
	if !ok {
		return
	}
	o := newObject(from.data, from.media)
	if q.put(w, o) {
		reply(w, struct {
			XMLName      xml.Name `xml:"CopyObjectResult"`
			ETag         string
			LastModified time.Time
		}{ETag: o.etag, LastModified: o.updated})
	}
}

// source finds the object that a request copies.
func (s *Server) source(w http.ResponseWriter, q *request) (object, bool) {
	path, err := url.PathUnescape(q.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidArgument")
		return object{}, false
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	o, ok := s.buckets[bucket][key]
	if !ok {
		fail(w, http.StatusNotFound, "NoSuchKey")
	}
	return o, ok
}

func (s *Server) download(w http.ResponseWriter, q *request) {
	o, ok := q.objects[q.key]
	if !ok {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("ETag", o.etag)
	w.Header().Set("Content-Type", o.media)
	// A client that reads slowly must not hold up the others.
	s.mu.Unlock()
	defer s.mu.Lock()
	http.ServeContent(w, q.Request, "", o.updated, bytes.NewReader(o.data))
}

// listed is an object in a list.
type listed struct {
	Key, ETag    string
	LastModified time.Time
	Size         int
}

type commonPrefix struct{ Prefix string }

func (q *request) list(w http.ResponseWriter) {
	if q.query.Get("list-type") != "2" {
		fail(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	limit := 1000
	if n, err := strconv.Atoi(q.query.Get("max-keys")); err == nil {
		limit = min(n, limit)
	}
	out := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		KeyCount              int
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []listed
		CommonPrefixes        []commonPrefix
	}{Name: q.bucket, Prefix: q.query.Get("prefix")}
	delimiter := q.query.Get("delimiter")
	last := max(q.query.Get("start-after"), q.query.Get("continuation-token"))
	for _, key := range slices.Sorted(maps.Keys(q.objects)) {
		rest, ok := strings.CutPrefix(key, out.Prefix)
		if !ok {
			continue
		}
		shown := key
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			shown = out.Prefix + rest[:i+len(delimiter)]
		}
		if shown <= last { // listed before, or within a prefix that was
			continue
		}
		if out.KeyCount == limit {
			out.IsTruncated, out.NextContinuationToken = true, last
			break
		}
		out.KeyCount++
		if last = shown; shown != key {
			out.CommonPrefixes = append(out.CommonPrefixes, commonPrefix{shown})
			continue
		}
		o := q.objects[key]
		out.Contents = append(out.Contents, listed{key, o.etag, o.updated, len(o.data)})
	}
	reply(w, out)
}

// crc32Of is base64 of the big-endian IEEE checksum.
func crc32Of(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(body) // the client that went away needs no answer
}

// messages are what S3 says of a code; of others the code alone stands here.
var messages = map[string]string{
	"NoSuchBucket": "The specified bucket does not exist",
	"NoSuchKey":    "The specified key does not exist.",
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, cmp.Or(messages[code], code))
}
