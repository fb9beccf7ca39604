package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// eachLine calls visit with every line of r, without its end; tooLong lines
// come empty. It never holds more than a line of the limits.
func eachLine(r io.Reader, o Limits, visit func(line []byte, tooLong bool) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	var total int64
	tooLong, first := false, true
	for {
		part, err := in.ReadSlice('\n')
		if total += int64(len(part)); total > o.MaxBytes {
			return fmt.Errorf("%w: over %d bytes", ErrTooLarge, o.MaxBytes)
		}
		o.Budget.Read(int64(len(part)))
		if !tooLong {
			line = append(line, part...)
			tooLong = len(line) > o.MaxLine+2
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		if tooLong {
			line = line[:0]
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			first = false
		}
		if err == nil || len(line) > 0 || tooLong {
			if verr := visit(line, tooLong); verr != nil {
				return verr
			}
		}
		if err == io.EOF {
			return nil
		}
		line, tooLong = line[:0], false
	}
}
