package table

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Dialect is how a csv file is written.
type Dialect struct {
	// Delimiter parts the fields; 0 is found out.
	Delimiter byte
	// Numbered says that the file has no header: its columns are called 1, 2, and so on.
	Numbered bool
}

// delimiters are those that are found out.
const delimiters = ",;\t|"

// sample is how much of a file is looked at for its delimiter, in bytes and records.
const (
	sampleBytes   = 64 << 10
	sampleRecords = 50
)

// delimiter is the dialect's, or the one of a file that begins so. A comma that gives the
// header a known column is it; else the one that gives most of them, else the one by which
// most records have as many fields as the first; of several the one of most fields.
func (d Dialect) delimiter(head []byte, whole bool, columns *Columns) byte {
	if d.Delimiter != 0 {
		return d.Delimiter
	}
	if !whole { // the last record may be cut
		head = head[:bytes.LastIndexByte(head, '\n')+1]
	}
	best, mostKnown, bestShare, mostFields := byte(','), 0, 0.5, 0
	for _, by := range []byte(delimiters) {
		known, fields, share := judge(head, by, columns)
		if by == ',' && known > 0 {
			return by
		}
		if known > mostKnown || known == mostKnown && (share > bestShare || share == bestShare && fields > mostFields) {
			best, mostKnown, bestShare, mostFields = by, known, share, fields
		}
	}
	return best
}

// FindDelimiter is what the zero Dialect finds in a file that begins so.
func FindDelimiter(head []byte, columns *Columns) byte {
	return Dialect{}.delimiter(head[:min(len(head), sampleBytes)], len(head) < sampleBytes, columns)
}

// judge parts the records of a text by a delimiter. known is how many fields of the first
// are names of columns, first how many it has, share how many of all have as many fields as the first; it is 0 if
// that is a single one.
func judge(text []byte, by byte, columns *Columns) (known, first int, share float64) {
	in := &csvReader{lines: newLines(bytes.NewReader(text), Limits{MaxLine: sampleBytes, MaxBytes: sampleBytes}), delimiter: by}
	same, all := 0, 0
	for all < sampleRecords {
		line, _, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || in.split(line) != nil {
			all++
			continue
		}
		if all++; all == 1 {
			first = len(in.ends)
			for i := range first {
				if columns.knows(string(bytes.TrimSpace(in.field(i)))) {
					known++
				}
			}
		}
		if len(in.ends) == first {
			same++
		}
	}
	if first < 2 {
		return known, first, 0
	}
	return known, first, float64(same) / float64(all)
}

var (
	numeric = regexp.MustCompile(`^[-+]?[0-9][0-9.,:/ TZ-]*$`)
	wordy   = regexp.MustCompile(`\S+\s+\S+\s+\S+\s+\S+`)
)

// Headless reports whether the first record of a csv file looks like a row: names of
// columns are no numbers, dates, addresses or sentences, and none is empty between others.
func Headless(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return numeric.MatchString(n) || wordy.MatchString(n) || strings.Contains(n, "://") || len(n) > 60
	})
}
