package bucket

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
)

// granule is the piece of a content whose bytes an upload checks at once.
const granule = 16 << 20

// Scanner learns in one pass what an upload needs to know of its bytes: their
// number and digest, and a checksum of every granule, by which the second pass
// finds that they changed meanwhile.
type Scanner struct {
	sha  hash.Hash
	crc  hash.Hash32
	size int64
	sums []uint32 // of the whole granules so far
}

// NewScanner returns a scanner that has seen nothing.
func NewScanner() *Scanner { return &Scanner{sha: sha256.New(), crc: crc32.NewIEEE()} }

// Write implements io.Writer; it never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	s.sha.Write(p)
	for rest := p; len(rest) > 0; {
		n := int(min(granule-s.size%granule, int64(len(rest))))
		s.crc.Write(rest[:n])
		rest = rest[n:]
		if s.size += int64(n); s.size%granule == 0 {
			s.sums = append(s.sums, s.crc.Sum32())
			s.crc.Reset()
		}
	}
	return len(p), nil
}

// Content returns what was scanned, to be read again from r.
func (s *Scanner) Content(r io.ReaderAt) *Content {
	c := &Content{r: r, Digest: DigestOf(s.sha), Size: s.size, sums: s.sums}
	if s.size%granule != 0 {
		c.sums = append(c.sums, s.crc.Sum32())
	}
	return c
}

// ScanFile reads a file to its end. The content reads from the file: the caller
// closes it after the upload.
func ScanFile(f *os.File) (*Content, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	scan, buf := NewScanner(), make([]byte, max(min(info.Size()+1, copyBuffer), 512)) // most files are small
	_, err = io.CopyBuffer(scan, struct{ io.Reader }{f}, buf)
	return scan.Content(f), err
}

// Content is the bytes that are to be uploaded. Any number of sections of it may
// be read at once, and nothing of it is held in memory.
type Content struct {
	r      io.ReaderAt
	Digest string // "sha256:" and 64 hex digits
	Size   int64  // bytes
	sums   []uint32
}

// section returns n bytes from an offset on, which is a multiple of granule.
func (c *Content) section(from, n int64) *section {
	return &section{c: c, from: from, n: n, crc: crc32.NewIEEE(), checked: true}
}

// all returns the whole content.
func (c *Content) all() *section { return c.section(0, c.Size) }

// section reads a part of a content and fails if its bytes are not those that
// were scanned. A client that sends a request again seeks to the start.
type section struct {
	c       *Content
	from, n int64
	at      int64 // relative to from
	crc     hash.Hash32
	checked bool // crc holds all bytes of this granule so far
}

func (s *section) Read(p []byte) (int, error) {
	if s.at >= s.n {
		return 0, io.EOF
	}
	// Reads end with their granule, so that nothing of a changed one is the
	// last thing that was sent.
	end := min(s.at-s.at%granule+granule, s.n)
	p = p[:min(int64(len(p)), end-s.at)]
	n, err := s.c.r.ReadAt(p, s.from+s.at)
	if n < len(p) {
		if errors.Is(err, io.EOF) {
			return n, s.changed()
		}
		return n, err
	}
	s.crc.Write(p)
	if s.at += int64(n); s.at == end {
		if s.checked && s.crc.Sum32() != s.c.sums[(s.from+s.at-1)/granule] {
			return 0, s.changed()
		}
		s.crc.Reset()
		s.checked = true
	}
	return n, nil
}

func (s *section) changed() error {
	return &Error{Op: "put", Key: s.c.Digest, Class: ErrStale, Err: fmt.Errorf("the file was written to while it was stored; it had %d bytes", s.c.Size)}
}

// Seek implements io.Seeker.
func (s *section) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.n
	}
	if offset < 0 {
		return 0, errors.New("storage: seek before the start")
	}
	if offset != s.at {
		s.crc.Reset()
		s.checked = offset%granule == 0
	}
	s.at = offset
	return offset, nil
}
