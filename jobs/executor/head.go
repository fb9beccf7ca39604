package executor

import "bytes"

// Head keeps the first Most bytes that are written to it, and takes all. It has no other way in:
// io.Copy would fill a buffer that reads past the limit.
type Head struct {
	Most int
	kept bytes.Buffer
}

// Write implements io.Writer.
func (h *Head) Write(p []byte) (int, error) {
	_, _ = h.kept.Write(p[:min(len(p), h.Most-h.kept.Len())]) // a buffer takes all
	return len(p), nil
}

// Bytes are those that were kept.
func (h *Head) Bytes() []byte { return h.kept.Bytes() }
