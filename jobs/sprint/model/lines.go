package model

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/text"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// maxLine is the length of a line above which it is no text.
const maxLine = 1 << 20

// eachLine visits each line as a row with that title. Blank lines are passed over. It
// returns the encoding that it found, and of how many lines it mended bytes that are none
// of UTF-8. What is typed is UTF-8, so that no line waits for the next one.
func (in *input) eachLine(r *bufio.Reader, typed bool, visit rows.Visit) (encoding string, mended int, err error) {
	if typed {
		mended, err = splitLines(r, visit)
		return text.UTF8, mended, err
	}
	decoded, err := text.Open(r, text.Auto, &rows.Budget{})
	if err != nil {
		return "", 0, err
	}
	lines := bufio.NewReaderSize(decoded, 64<<10)
	_, _ = lines.Peek(1) // what it cannot read, the reading tells
	if head, _ := lines.Peek(lines.Buffered()); bytes.IndexByte(head, 0) >= 0 {
		return "", 0, fmt.Errorf("%w: it is no text, as it has bytes that are zero", rows.ErrFormat)
	}
	mended, err = splitLines(lines, visit)
	return decoded.Encoding(), mended, err
}

// splitLines visits each line that is not blank, and counts those that it mends.
func splitLines(r *bufio.Reader, visit rows.Visit) (mended int, err error) {
	var line []byte
	for long := false; ; {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return mended, err
		}
		row := &rows.Row{}
		if !long && !utf8.Valid(line) {
			mended++
		}
		title := strings.TrimSpace(strings.ToValidUTF8(string(line), string(utf8.RuneError)))
		if long {
			row.Problem = "the line is over 1 MB"
		} else {
			row.Title, row.TitleRaw = titles.Normalize(title), title
		}
		if long || title != "" {
			if failed := visit(row, nil); failed != nil {
				return mended, failed
			}
		}
		if ended {
			return mended, nil
		}
		line, long = line[:0], false
	}
}
