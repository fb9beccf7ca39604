package encoder

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"runtime/debug"
	"slices"
	"strings"
	"unsafe"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// ErrCorrupt is wrapped by every error about bytes that are not what they claim
// to be: a safetensors file that breaks its format, a digest that does not
// match (exit code 9).
var ErrCorrupt = errors.New("corrupt")

// Caps of a file's JSON header, in bytes and tensors; the format's own, of 100 MB, is far
// above what any encoder has.
const (
	maxHeader   = 16 << 20
	maxMetadata = 1 << 20
	maxTensors  = 100_000
	maxNumbers  = 1 << 10 // bytes of a shape or of offsets
)

// Tensor is one named array in the format's little-endian layout.
type Tensor struct {
	Name  string
	DType string // F32, I64, ... as in the format
	Shape []int  // empty for a scalar
	Data  []byte // 8-byte aligned when it was read by ReadSafetensors
}

// Float32 views the data of an F32 tensor as numbers, without a copy, or makes them of an F16
// one. It is an error for any other dtype.
func (t Tensor) Float32() ([]float32, error) {
	if t.DType == dtypeHalf {
		return halvesToFloat32(t.Data), nil
	}
	if t.DType != "F32" {
		return nil, fmt.Errorf("tensor %s is %s, F32 or F16 is needed", t.Name, t.DType)
	}
	if len(t.Data) == 0 {
		return nil, nil
	}
	first := unsafe.Pointer(unsafe.SliceData(t.Data))
	if len(t.Data)%4 != 0 || uintptr(first)%4 != 0 || !littleEndian() {
		out := make([]float32, len(t.Data)/4)
		if _, err := binary.Decode(t.Data, binary.LittleEndian, out); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		return out, nil
	}
	return unsafe.Slice((*float32)(first), len(t.Data)/4), nil
}

// CheckFinite is an error that wraps ErrCorrupt if a number of an F32 or F16 tensor is NaN or
// infinite: no training writes such a weight, and a network with one answers NaN.
// Tensors of other types pass.
func (t Tensor) CheckFinite() error {
	if t.DType != "F32" && t.DType != dtypeHalf {
		return nil
	}
	data, err := t.Float32()
	if err != nil {
		return err
	}
	for i, x := range data {
		if x-x != 0 {
			return corrupt("tensor %q holds %v at place %d of %d, which is no finite number", t.Name, x, i, len(data))
		}
	}
	return nil
}

// Float32Tensor wraps numbers as an F32 tensor, without a copy.
func Float32Tensor(name string, data []float32, shape ...int) Tensor {
	t := Tensor{Name: name, DType: "F32", Shape: shape}
	if littleEndian() {
		t.Data = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*4)
		return t
	}
	t.Data, _ = binary.Append(nil, binary.LittleEndian, data) // a slice of float32 has a fixed size
	return t
}

func littleEndian() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}

// Safetensors is a parsed file with its tensors in memory, sorted by name.
type Safetensors struct {
	Tensors  []Tensor
	Metadata map[string]string
}

// Tensor finds a tensor by name.
func (s *Safetensors) Tensor(name string) (Tensor, bool) {
	i, ok := slices.BinarySearchFunc(s.Tensors, name, func(t Tensor, n string) int { return strings.Compare(t.Name, n) })
	if !ok {
		return Tensor{}, false
	}
	return s.Tensors[i], true
}

// LoadSafetensors is ReadSafetensors of a plain file.
func LoadSafetensors(path string) (*Safetensors, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return ReadSafetensors(f, info.Size())
}

// ReadSafetensors reads a whole file of the given size. It accepts exactly what
// the format allows: a header within its cap and the file, known dtypes, shapes
// whose product fits their bytes, names once each, and tensors that cover the
// data without gap or overlap. Errors wrap ErrCorrupt and name the tensor.
//
// No allocation is larger than the file, whatever the header claims, and a file of more
// than half of the memory that this process may use is not read.
func ReadSafetensors(r io.ReaderAt, size int64) (*Safetensors, error) {
	if limit := debug.SetMemoryLimit(-1); size > limit/2 { // a negative limit only asks
		return nil, fmt.Errorf("safetensors: %d MB do not fit into the %d MB that this process may use", size>>20, limit>>20)
	}
	header, dataAt, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(entries, size-dataAt); err != nil {
		return nil, err
	}
	s := &Safetensors{Metadata: metadata, Tensors: make([]Tensor, len(entries))}
	for i, e := range entries {
		// A separate allocation of words aligns each tensor wherever it lies in the file.
		n := e.end - e.begin
		data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make([]uint64, (n+7)/8+1)))), n)
		if got, err := r.ReadAt(data, dataAt+e.begin); err != nil && got < len(data) { // EOF may come with the last byte
			return nil, fmt.Errorf("read tensor %s: %w", e.name, err)
		}
		s.Tensors[i] = Tensor{Name: e.name, DType: e.dtype, Shape: e.shape, Data: data}
	}
	slices.SortFunc(s.Tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// readHeader gives the JSON header and the offset at which tensor data begins.
func readHeader(r io.ReaderAt, size int64) ([]byte, int64, error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, 0, corrupt("%d bytes are too few for a safetensors file", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, 0, corrupt("the header claims %d bytes, the file has %d, and %d is the most that is read", n, size, maxHeader)
	}
	header := make([]byte, n)
	if got, err := r.ReadAt(header, 8); err != nil && got < len(header) {
		return nil, 0, fmt.Errorf("read the header: %w", err)
	}
	return header, 8 + int64(n), nil
}

// entry is one tensor of the header, not yet checked against the file.
type entry struct {
	name, dtype string
	shape       []int
	begin, end  int64
}

// parseHeader walks the object token by token, since encoding/json would let
// the second of two equal names win.
func parseHeader(header []byte) ([]entry, map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(header))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, corrupt("the header is not a JSON object")
	}
	var (
		entries  []entry
		metadata map[string]string
		seen     = map[string]bool{}
	)
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, nil, corrupt("header: %v", err)
		}
		name, _ := tok.(string) // an object's keys are strings
		if seen[name] {
			return nil, nil, corrupt("tensor %q is there twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			if metadata, err = parseMetadata(d); err != nil {
				return nil, nil, corrupt("__metadata__: %v", err)
			}
			continue
		}
		if len(entries) == maxTensors {
			return nil, nil, corrupt("more than %d tensors", maxTensors)
		}
		var e struct {
			DType   string  `json:"dtype"`
			Shape   numbers `json:"shape"`
			Offsets numbers `json:"data_offsets"`
		}
		if err := d.Decode(&e); err != nil {
			return nil, nil, corrupt("tensor %q: %v", name, err)
		}
		t, err := newEntry(name, e.DType, []int64(e.Shape), e.Offsets)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, t)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, corrupt("header: %v", err)
	}
	if rest := bytes.TrimRight(header[d.InputOffset():], " "); len(rest) > 0 {
		return nil, nil, corrupt("the header goes on after its object")
	}
	return entries, metadata, nil
}

func parseMetadata(d *json.Decoder) (metadata map[string]string, err error) {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	if len(raw) > maxMetadata {
		return nil, fmt.Errorf("%d bytes, more than %d", len(raw), maxMetadata)
	}
	return metadata, json.Unmarshal(raw, &metadata)
}

// numbers is a short list of them.
type numbers []int64

// UnmarshalJSON refuses a long list before anything is made of it.
func (n *numbers) UnmarshalJSON(b []byte) error {
	if len(b) > maxNumbers {
		return fmt.Errorf("a list of %d bytes", len(b))
	}
	return json.Unmarshal(b, (*[]int64)(n))
}

// newEntry checks one tensor by itself: dtype, shape and byte count agree.
func newEntry[D int | int64](name, dtype string, shape []D, offsets []int64) (entry, error) {
	width := dtypeBits(dtype)
	if width == 0 {
		return entry{}, corrupt("tensor %q: unknown dtype %q", name, dtype)
	}
	if len(offsets) != 2 || offsets[0] < 0 || offsets[1] < offsets[0] {
		return entry{}, corrupt("tensor %q: data_offsets %v", name, offsets)
	}
	e := entry{name: name, dtype: dtype, shape: make([]int, len(shape)), begin: offsets[0], end: offsets[1]}
	count := uint64(width)
	for i, dim := range shape {
		if dim < 0 || D(int(dim)) != dim {
			return entry{}, corrupt("tensor %q: shape %v", name, shape)
		}
		hi, lo := bits.Mul64(count, uint64(dim))
		if hi != 0 {
			return entry{}, corrupt("tensor %q: shape %v overflows", name, shape)
		}
		count, e.shape[i] = lo, int(dim)
	}
	if count%8 != 0 || count/8 != uint64(e.end-e.begin) {
		return entry{}, corrupt("tensor %q: %s %v does not fill %d bytes", name, dtype, shape, e.end-e.begin)
	}
	return e, nil
}

// checkLayout requires that the tensors, in order of offset, cover the data exactly.
func checkLayout(entries []entry, size int64) error {
	byOffset := slices.Clone(entries)
	slices.SortFunc(byOffset, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) // empty tensors first
	})
	at := int64(0)
	for _, e := range byOffset {
		if e.begin != at {
			return corrupt("tensor %q begins at byte %d of the data, expected %d", e.name, e.begin, at)
		}
		at = e.end
	}
	if at > size {
		return corrupt("the file is cut short: its tensors have %d bytes, %d are there", at, size)
	}
	if at != size {
		return corrupt("the tensors end at byte %d of the data, the file has %d", at, size)
	}
	return nil
}

// dtypeBits is the width of a dtype of the format in bits, 0 if it is unknown.
func dtypeBits(dtype string) int {
	switch dtype {
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0":
		return 8
	case "U16", "I16", "F16", "BF16":
		return 16
	case "U32", "I32", "F32":
		return 32
	case "U64", "I64", "F64", "C64":
		return 64
	}
	return 0
}

// WriteSafetensors writes the tensors in name order, so that equal content gives
// equal bytes. A name given twice, an unknown dtype or data that do not fill the
// shape are errors, found before anything is written.
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	type header struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	all := map[string]any{} // encoding/json sorts the keys
	if len(metadata) > 0 {
		all["__metadata__"] = metadata
	}
	at := int64(0)
	for _, t := range sorted {
		if _, dup := all[t.Name]; dup {
			return fmt.Errorf("write safetensors: tensor %q is there twice", t.Name)
		}
		end := at + int64(len(t.Data))
		if _, err := newEntry(t.Name, t.DType, t.Shape, []int64{at, end}); err != nil {
			return fmt.Errorf("write safetensors: %w", err)
		}
		all[t.Name] = header{DType: t.DType, Shape: append([]int{}, t.Shape...), Offsets: [2]int64{at, end}}
		at = end
	}
	head, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	for len(head)%8 != 0 {
		head = append(head, ' ') // aligns the data for readers that map the file
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)); err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	for _, t := range sorted {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("write safetensors: tensor %s: %w", t.Name, err)
		}
	}
	return nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: safetensors: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
