package table

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CSV reads a file whose first record names the columns; header is told the
// names. Lines over the cap are visited after all others. A header that cannot be
// read is an error that wraps ErrFormat.
func CSV(r io.Reader, o Limits, columns *Columns, header Header, visit Visit) error {
	lines, tooLong := shortLines(r, o)
	defer lines.Close()
	bounded := &boundedRecord{r: lines, most: recordLines * o.MaxLine}
	bounded.begin()
	in := csv.NewReader(bounded)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	head, err := in.Read()
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return nil
	case errors.As(err, &parse):
		return fmt.Errorf("%w: header of the csv file: %w", ErrFormat, parse)
	case err != nil:
		return err
	}
	names := make([]string, len(head))
	for i, n := range head {
		names[i] = strings.ToValidUTF8(strings.TrimSpace(n), "\uFFFD")
	}
	header(names)
	if err := csvRecords(in, bounded, columns, names, visit); err != nil {
		return err
	}
	for range <-tooLong {
		if err := visit(nil, ProblemTooLong); err != nil {
			return err
		}
	}
	return nil
}

// recordLines is how many of the longest lines a record may have: a text in quotes may
// hold line ends, and one whose end is missing would hold all that follows.
const recordLines = 4

// boundedRecord ends a file whose record has more than most bytes, or what the reader's
// buffer holds beside.
type boundedRecord struct {
	r          io.Reader
	most, left int
}

func (b *boundedRecord) begin() { b.left = b.most + 4096 }

func (b *boundedRecord) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: a record of the csv file has more than %d bytes; is the end of a quote missing?", ErrFormat, b.most)
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// shortLines passes on the lines that are within the cap; tooLong gets the number
// of the others when all are read. Closing the reader ends the passing.
func shortLines(r io.Reader, o Limits) (lines *io.PipeReader, tooLong <-chan int) {
	pr, pw := io.Pipe()
	count := make(chan int, 1)
	go func() {
		n := 0
		err := eachLine(r, o, func(line []byte, tooLong bool) error {
			if tooLong {
				n++
				return nil
			}
			_, err := pw.Write(append(line, '\n'))
			return err
		})
		count <- n
		pw.CloseWithError(err)
	}()
	return pr, count
}

// csvRecords visits the records below the header.
func csvRecords(in *csv.Reader, bounded *boundedRecord, columns *Columns, names []string, visit Visit) error {
	places, err := columns.Places(names)
	if err != nil {
		return err
	}
	rec := NewRecord(columns)
	for {
		bounded.begin()
		fields, err := in.Read()
		problem := ""
		var parse *csv.ParseError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &parse):
			problem = "not a csv record: " + parse.Err.Error()
		case err != nil:
			return err
		case len(fields) != len(names):
			problem = fmt.Sprintf("%d fields, the header has %d", len(fields), len(names))
		default:
			for i, v := range fields {
				if places[i] >= 0 {
					rec.Set(places[i], Text(v))
				}
			}
		}
		if err := visit(rec, problem); err != nil {
			return err
		}
	}
}
