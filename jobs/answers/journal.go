package answers

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows"
)

// journal holds the answered rows of the row group that is not whole yet, in files beside
// the partial one: a group is written when its last row is there, which a slow model may
// take an hour for. A whole group is in no need of it, and the next begins it anew. There
// are two files by turns, because the last record may name one until the next is written.
type journal struct {
	path  string // of the partial file
	turn  int    // the file that is written
	named int    // the file that the last record names; noFile is none
	file  *os.File
	out   *bufio.Writer
	hash  hash.Hash
	rows  int
	bytes int64
	line  []byte // of the last row, reused
}

const noFile = -1

// tail says in a record which rows stand in a journal.
type tail struct {
	File   int    `json:"file"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func newJournal(path string) *journal { return &journal{path: path, named: noFile} }

func (j *journal) name(file int) string { return fmt.Sprintf("%s.rows%d", j.path, file) }

// add takes a row as rows.Writer.WriteProbable does.
func (j *journal) add(r *rows.Row, probabilities []*float64) error {
	if j.file == nil {
		f, err := os.OpenFile(j.name(j.turn), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return unwritten(err)
		}
		j.file, j.out, j.hash = f, bufio.NewWriterSize(f, 256<<10), sha256.New()
	}
	j.line = appendRow(j.line[:0], r, probabilities)
	if _, err := j.out.Write(j.line); err != nil {
		return unwritten(err)
	}
	j.hash.Write(j.line)
	j.bytes += int64(len(j.line))
	j.rows++
	return nil
}

// begin drops the rows, which stand in a whole group now.
func (j *journal) begin() {
	j.close()
	if j.turn == j.named {
		j.turn = 1 - j.turn
	}
	j.rows, j.bytes = 0, 0
}

// close closes the file, of which what flush wrote stays.
func (j *journal) close() {
	if j != nil && j.file != nil {
		j.file.Close() // what counts was synced
		j.file = nil
	}
}

// flush writes out what is held, and says what a record is to say; nil of no rows.
func (j *journal) flush() (*tail, error) {
	if j == nil || j.rows == 0 {
		return nil, nil //nolint:nilnil // no rows are no error
	}
	if err := j.out.Flush(); err != nil {
		return nil, unwritten(err)
	}
	if err := j.file.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, unwritten(err)
	}
	return &tail{j.turn, j.rows, j.bytes, hex.EncodeToString(j.hash.Sum(nil))}, nil
}

// recorded tells that what flush said stands in the last record.
func (j *journal) recorded(t *tail) {
	if j == nil {
		return
	}
	if j.named = noFile; t != nil {
		j.named = t.File
	}
}

// replay gives visit the rows of a record of an earlier process. What is added meanwhile
// goes into the other file.
func (j *journal) replay(t *tail, visit func(*rows.Row, []*float64) error) error {
	j.named, j.turn = t.File, 1-t.File
	f, err := os.Open(j.name(t.File))
	if err != nil {
		return err
	}
	defer f.Close()
	in := rowReader{in: bufio.NewReaderSize(f, 256<<10), left: t.Bytes}
	for range t.Rows {
		r, probabilities := in.row()
		if in.err != nil {
			return fmt.Errorf("read %s: %w", f.Name(), in.err)
		}
		if err := visit(r, probabilities); err != nil {
			return err
		}
	}
	return nil
}

// check reports whether the bytes of a record of an earlier process are there.
func (j *journal) check(t *tail) error {
	if t.File != 0 && t.File != 1 || t.Rows < 0 || t.Bytes < 0 {
		return errDamaged
	}
	f, err := os.Open(j.name(t.File))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.CopyN(h, f, t.Bytes); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if n < t.Bytes || hex.EncodeToString(h.Sum(nil)) != t.SHA256 {
		return errDamaged
	}
	return nil
}

// errDamaged is that of bytes which nobody wrote so.
var errDamaged = errors.New("its bytes are not those that were written")

// remove removes the files.
func (j *journal) remove() {
	j.close()
	for file := range 2 {
		_ = os.Remove(j.name(file))
	}
}

// Of a label.
const (
	abstains = 1 << iota
	probable
)

// appendRow appends what a file of rows has of one.
func appendRow(b []byte, r *rows.Row, probabilities []*float64) []byte {
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	number := func(f float64) { b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f)) }
	for _, s := range [...]string{r.Title, r.Description, r.URL, r.Source, r.ID, r.TitleRaw, r.SeenAt, r.Language, r.LabelSource, strings.Join(r.Rules, ";"), strings.Join(r.Conflicts, ";")} {
		text(s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Labels)))
	for i, l := range r.Labels {
		flags := byte(0)
		if l.Abstain {
			flags |= abstains
		}
		if probabilities[i] != nil {
			flags |= probable
		}
		b = append(b, flags)
		number(l.Score)
		if text(l.Tag); probabilities[i] != nil {
			number(*probabilities[i])
		}
	}
	return b
}

// rowReader reads what appendRow wrote. err is the first error.
type rowReader struct {
	in   *bufio.Reader
	left int64 // bytes, which no length is over
	err  error
}

func (d *rowReader) length() int {
	n, err := binary.ReadUvarint(d.in)
	if err == nil && n > uint64(d.left) {
		err = errDamaged
	}
	if d.err == nil && err != nil {
		d.err = err
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

func (d *rowReader) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.in, b); d.err == nil {
		d.err = err
	}
	return b
}

func (d *rowReader) text() string { return string(d.bytes(d.length())) }

func (d *rowReader) number() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(d.bytes(8)))
}

func (d *rowReader) row() (*rows.Row, []*float64) {
	r := &rows.Row{}
	var rules, conflicts string
	for _, s := range [...]*string{&r.Title, &r.Description, &r.URL, &r.Source, &r.ID, &r.TitleRaw, &r.SeenAt, &r.Language, &r.LabelSource, &rules, &conflicts} {
		*s = d.text()
	}
	r.Rules, r.Conflicts = []string{rules}, []string{conflicts}
	var probabilities []*float64
	for range d.length() {
		flags := d.bytes(1)[0]
		r.Labels = append(r.Labels, rows.Label{Score: d.number(), Abstain: flags&abstains != 0, Tag: d.text()})
		p := (*float64)(nil)
		if flags&probable != 0 {
			x := d.number()
			p = &x
		}
		probabilities = append(probabilities, p)
		if d.err != nil {
			break
		}
	}
	return r, probabilities
}
