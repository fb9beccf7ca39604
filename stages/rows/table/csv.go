package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV reads a file whose first record names the columns; header is told the names. The
// zero Dialect finds out how the file is written. A header that cannot be read, and one
// that header refuses, are an error; the former wraps ErrFormat.
func CSV(r io.Reader, o Limits, d Dialect, columns *Columns, header Header, visit Visit) error {
	in := &csvReader{lines: newLines(r, o), delimiter: d.Delimiter}
	if d.Delimiter == 0 {
		head, err := in.peek(sampleBytes)
		if err != nil {
			return err
		}
		in.delimiter = d.delimiter(head, in.err != nil, columns)
	}
	first, tooLong, err := in.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case tooLong:
		return fmt.Errorf("%w: header of the csv file: it has more than %d bytes", ErrFormat, o.MaxLine)
	}
	if err := in.split(first); err != nil {
		if in.failed != nil {
			return in.failed
		}
		return fmt.Errorf("%w: header of the csv file: %w", ErrFormat, err)
	}
	names := make([]string, len(in.ends))
	for i := range names {
		if names[i] = strconv.Itoa(i + 1); !d.Numbered {
			names[i] = strings.ToValidUTF8(strings.TrimSpace(string(in.field(i))), "\uFFFD")
		}
	}
	if err := header(names); err != nil {
		return err
	}
	if in.places, err = columns.Places(names); err != nil {
		return err
	}
	in.record = NewRecord(columns)
	if d.Numbered {
		if err := in.visitFields(nil, visit); err != nil {
			return err
		}
	}
	return in.records(visit)
}

// recordLines is how many of the longest lines a record may have: a text in quotes may
// hold line ends, and one whose end is missing would hold all that follows.
const recordLines = 4

// What is wrong with a record, in the words of RFC 4180.
var (
	errBareQuote = errors.New(`bare " in non-quoted field`)
	errQuote     = errors.New(`extraneous or missing " in quoted field`)
)

// csvReader reads the records of a csv file.
type csvReader struct {
	*lines
	delimiter byte
	places    []int // of the fields, in a record; -1 for one of no use
	record    *Record
	text      []byte // of the fields of one record, without quotes, reused
	ends      []int  // of the fields, in text
	failed    error  // of the stream, in the middle of a record
	dropped   int    // lines over the limit within texts in quotes
	wanted    []byte // the fields that are of use, reused
	cuts      []int  // their ends in wanted
}

// next returns the next line that is not empty.
func (c *csvReader) next() (line []byte, tooLong bool, err error) {
	for {
		line, tooLong, err = c.lines.next()
		if len(line) > 0 || tooLong || err != nil {
			return line, tooLong, err
		}
	}
}

// records visits the records below the header.
func (c *csvReader) records(visit Visit) error {
	for {
		line, tooLong, err := c.next()
		if errors.Is(err, io.EOF) {
			return c.visitDropped(visit)
		}
		if err != nil {
			return err
		}
		c.record.Line = c.number
		if tooLong {
			if err := visit(c.record, ProblemTooLong); err != nil {
				return err
			}
			continue
		}
		if bytes.IndexByte(line, '"') < 0 {
			err = c.visitPlain(line, visit)
		} else {
			err = c.visitFields(c.split(line), visit)
		}
		if err != nil {
			return err
		}
	}
}

// visitDropped visits the lines that were left out of texts in quotes.
func (c *csvReader) visitDropped(visit Visit) error {
	for ; c.dropped > 0; c.dropped-- {
		if err := visit(c.record, ProblemTooLong); err != nil {
			return err
		}
	}
	return nil
}

// visitPlain visits the record of a line without quotes, of which nothing is copied that is
// of no use.
func (c *csvReader) visitPlain(line []byte, visit Visit) error {
	c.wanted, c.cuts = c.wanted[:0], c.cuts[:0]
	fields := 0
	for rest, more := line, true; more; fields++ {
		field := rest
		if i := bytes.IndexByte(rest, c.delimiter); i >= 0 {
			field, rest = rest[:i], rest[i+1:]
		} else {
			more = false
		}
		if fields < len(c.places) && c.places[fields] >= 0 {
			c.want(field)
		}
	}
	return c.visitWanted(fields, visit)
}

// visitFields visits the record that was split, unless that failed.
func (c *csvReader) visitFields(failed error, visit Visit) error {
	switch {
	case c.failed != nil:
		return c.failed
	case failed != nil:
		return visit(c.record, "not a csv record: "+failed.Error())
	}
	c.wanted, c.cuts = c.wanted[:0], c.cuts[:0]
	for i := range min(len(c.ends), len(c.places)) {
		if c.places[i] >= 0 {
			c.want(c.field(i))
		}
	}
	return c.visitWanted(len(c.ends), visit)
}

// want takes a field that is of use.
func (c *csvReader) want(field []byte) {
	c.wanted = append(c.wanted, field...)
	c.cuts = append(c.cuts, len(c.wanted))
}

// visitWanted visits the record of the fields that were wanted, of so many in all.
func (c *csvReader) visitWanted(fields int, visit Visit) error {
	if fields != len(c.places) {
		return visit(c.record, fmt.Sprintf("%d fields, the header has %d", fields, len(c.places)))
	}
	all, from, k := string(c.wanted), 0, 0
	for _, place := range c.places {
		if place >= 0 {
			c.record.Set(place, Text(all[from:c.cuts[k]]))
			from = c.cuts[k]
			k++
		}
	}
	return visit(c.record, "")
}

// field is one of those that were split.
func (c *csvReader) field(i int) []byte {
	if i == 0 {
		return c.text[:c.ends[0]]
	}
	return c.text[c.ends[i-1]:c.ends[i]]
}

// split parts a record into its fields; a text in quotes may go on in the next lines. What
// is wrong with the record is its error. That of the stream, and a record that does not
// end, is in failed.
func (c *csvReader) split(line []byte) error {
	c.text, c.ends = c.text[:0], c.ends[:0]
	for {
		if len(line) == 0 || line[0] != '"' {
			field, rest, more := bytes.Cut(line, []byte{c.delimiter})
			if bytes.IndexByte(field, '"') >= 0 {
				return errBareQuote
			}
			c.endField(field)
			if !more {
				return nil
			}
			line = rest
			continue
		}
		rest, more, err := c.quoted(line[1:])
		if err != nil {
			return err
		}
		c.endField(nil)
		if !more {
			return nil
		}
		line = rest
	}
}

func (c *csvReader) endField(text []byte) {
	c.text = append(c.text, text...)
	c.ends = append(c.ends, len(c.text))
}

// quoted takes a field from behind its first quote; rest is what follows its delimiter,
// and more says that there was one.
func (c *csvReader) quoted(line []byte) (rest []byte, more bool, err error) {
	for size := len(line); ; {
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			c.text = append(append(c.text, line...), '\n')
			if line, err = c.goOn(&size); err != nil {
				return nil, false, err
			}
			continue
		}
		c.text = append(c.text, line[:i]...)
		line = line[i+1:]
		switch {
		case len(line) == 0:
			return nil, false, nil
		case line[0] == '"':
			c.text = append(c.text, '"')
			line = line[1:]
		case line[0] == c.delimiter:
			return line[1:], true, nil
		default:
			return nil, false, errQuote
		}
	}
}

// goOn returns the next line of a text in quotes, of which size bytes were read. Lines over
// the limit are left out of it.
func (c *csvReader) goOn(size *int) (line []byte, err error) {
	for {
		line, tooLong, err := c.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errQuote
		case err != nil:
			c.failed = err
			return nil, err
		}
		if tooLong {
			c.dropped++
			continue
		}
		if *size += len(line) + 1; *size > recordLines*c.limits.MaxLine {
			c.failed = fmt.Errorf("%w: a record of the csv file has more than %d bytes; is the end of a quote missing?", ErrFormat, recordLines*c.limits.MaxLine)
			return nil, c.failed
		}
		return line, nil
	}
}
