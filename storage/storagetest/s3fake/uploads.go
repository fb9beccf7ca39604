package s3fake

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upload is an upload in parts that nobody has finished.
type upload struct {
	bucket, key, media string
	began              time.Time
	parts              map[int]object // by number
}

// multipart answers what belongs to uploads in parts.
func (s *Server) multipart(w http.ResponseWriter, q *request) {
	id := q.query.Get("uploadId")
	u := s.uploads[id]
	switch {
	case id == "" && q.Method == http.MethodGet && q.key == "":
		s.listUploads(w, q)
	case id == "" && q.Method == http.MethodPost:
		s.ids++
		id = "upload-" + strconv.Itoa(s.ids)
		s.uploads[id] = &upload{q.bucket, q.key, q.Header.Get("Content-Type"), now(), map[int]object{}}
		reply(w, struct {
			XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
			Bucket, Key string
			UploadID    string `xml:"UploadId"`
		}{Bucket: q.bucket, Key: q.key, UploadID: id})
	case u == nil || u.bucket != q.bucket || u.key != q.key:
		fail(w, http.StatusNotFound, "NoSuchUpload")
	case q.Method == http.MethodPut:
		s.putPart(w, q, u)
	case q.Method == http.MethodGet:
		u.listParts(w, id)
	case q.Method == http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case q.Method == http.MethodPost:
		if u.join(w, q) {
			delete(s.uploads, id)
		}
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// putPart takes a part: the body, or a range of another object.
func (s *Server) putPart(w http.ResponseWriter, q *request, u *upload) {
	number, err := strconv.Atoi(q.query.Get("partNumber"))
	if err != nil || number < 1 || number > 10_000 {
		fail(w, http.StatusBadRequest, "InvalidArgument")
		return
	}
	copies := q.Header.Get("X-Amz-Copy-Source") != ""
	data := q.body
	if copies {
		from, ok := s.source(w, q)
		if !ok {
			return
		}
		if data, ok = within(from.data, q.Header.Get("X-Amz-Copy-Source-Range")); !ok {
			fail(w, http.StatusBadRequest, "InvalidRange")
			return
		}
	}
	part := newObject(data, "")
	u.parts[number] = part
	w.Header().Set("ETag", part.etag)
	if !copies {
		w.Header().Set("X-Amz-Checksum-Crc32", crc32Of(data))
		return
	}
	reply(w, struct {
		XMLName      xml.Name `xml:"CopyPartResult"`
		ETag         string
		LastModified time.Time
	}{ETag: part.etag, LastModified: part.updated})
}

// within cuts "bytes=FIRST-LAST" out of data, or all of it without a range.
func within(data []byte, span string) ([]byte, bool) {
	if span == "" {
		return data, true
	}
	var first, last int
	n, err := fmt.Sscanf(span, "bytes=%d-%d", &first, &last)
	if err != nil || n != 2 || first < 0 || first > last || last >= len(data) {
		return nil, false
	}
	return data[first : last+1], true
}

// join makes the object of the parts that the body lists.
func (u *upload) join(w http.ResponseWriter, q *request) bool {
	var list struct {
		Part []struct {
			PartNumber          int
			ETag, ChecksumCRC32 string
		}
	}
	if err := xml.Unmarshal(q.body, &list); err != nil || len(list.Part) == 0 {
		fail(w, http.StatusBadRequest, "MalformedXML")
		return false
	}
	var data bytes.Buffer
	sums := md5.New()
	for i, p := range list.Part {
		part, ok := u.parts[p.PartNumber]
		etag := strings.Trim(part.etag, `"`)
		if i > 0 && p.PartNumber <= list.Part[i-1].PartNumber {
			fail(w, http.StatusBadRequest, "InvalidPartOrder")
			return false
		}
		if !ok || strings.Trim(p.ETag, `"`) != etag || p.ChecksumCRC32 != "" && p.ChecksumCRC32 != crc32Of(part.data) {
			fail(w, http.StatusBadRequest, "InvalidPart")
			return false
		}
		data.Write(part.data)
		sum, _ := hex.DecodeString(etag) // newObject wrote it
		sums.Write(sum)
	}
	o := newObject(data.Bytes(), u.media)
	o.etag = fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(list.Part))
	if !q.put(w, o) {
		return false
	}
	reply(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: q.bucket, Key: q.key, ETag: o.etag})
	return true
}

// begun is an upload in a list.
type begun struct {
	Key       string
	UploadID  string `xml:"UploadId"`
	Initiated time.Time
}

func (s *Server) listUploads(w http.ResponseWriter, q *request) {
	out := struct {
		XMLName xml.Name `xml:"ListMultipartUploadsResult"`
		Bucket  string
		Upload  []begun
	}{Bucket: q.bucket}
	for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
		if u := s.uploads[id]; u.bucket == q.bucket && strings.HasPrefix(u.key, q.query.Get("prefix")) {
			out.Upload = append(out.Upload, begun{u.key, id, u.began})
		}
	}
	reply(w, out)
}

// sent is a part in a list.
type sent struct {
	PartNumber, Size int
	ETag             string
}

func (u *upload) listParts(w http.ResponseWriter, id string) {
	out := struct {
		XMLName     xml.Name `xml:"ListPartsResult"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
		Part        []sent
	}{Bucket: u.bucket, Key: u.key, UploadID: id}
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		out.Part = append(out.Part, sent{number, len(u.parts[number].data), u.parts[number].etag})
	}
	reply(w, out)
}
