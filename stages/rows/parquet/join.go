package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// mark begins and ends every file.
const mark = "PAR1"

// Join makes one file of whole files of the same columns, each of which is held in memory,
// without decoding their pages: the row groups of all stand one after the other. What it
// knows of the parts so far can be kept and taken up again, so that a long file is
// continued after its writer was killed. The zero value has no part.
type Join struct {
	meta format.FileMetaData
	size int64 // of what was returned so far
}

// Add takes the next part, and returns the bytes that the file goes on with.
func (j *Join) Add(part []byte) ([]byte, error) {
	end := len(part) - 8
	if end < len(mark) || string(part[:4]) != mark || string(part[end+4:]) != mark {
		return nil, errors.New("join parquet: a part is no whole file")
	}
	length := int64(binary.LittleEndian.Uint32(part[end:]))
	if length > int64(end-len(mark)) {
		return nil, errors.New("join parquet: the footer of a part is longer than the part")
	}
	var m format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), part[int64(end)-length:end], &m); err != nil {
		return nil, fmt.Errorf("join parquet: the footer of a part: %w", err)
	}
	body := part[:int64(end)-length]
	first := j.size == 0
	shift := j.size - int64(len(mark))
	if first {
		shift = 0
	} else {
		body = body[len(mark):]
	}
	for i := range m.RowGroups {
		g := &m.RowGroups[i]
		g.FileOffset += shift
		g.Ordinal = int16(len(j.meta.RowGroups) + i)
		for k := range g.Columns {
			c := &g.Columns[k]
			// Page indexes hold places too. They only help to skip pages, and are left out.
			c.OffsetIndexOffset, c.OffsetIndexLength, c.ColumnIndexOffset, c.ColumnIndexLength = 0, 0, 0, 0
			c.FileOffset += shift
			c.MetaData.DataPageOffset += shift
			for _, at := range []*int64{&c.MetaData.DictionaryPageOffset, &c.MetaData.IndexPageOffset, &c.MetaData.BloomFilterOffset} {
				if *at != 0 {
					*at += shift
				}
			}
		}
	}
	if first {
		j.meta = m
	} else {
		j.meta.RowGroups = append(j.meta.RowGroups, m.RowGroups...)
		j.meta.NumRows += m.NumRows
	}
	j.size += int64(len(body))
	return body, nil
}

// Rows is how many rows the parts have.
func (j *Join) Rows() int64 { return j.meta.NumRows }

// Footer returns the bytes that end the file after its last part. There must be one.
func (j *Join) Footer() ([]byte, error) {
	if j.size == 0 {
		return nil, errors.New("join parquet: no part")
	}
	out, err := thrift.Marshal(new(thrift.CompactProtocol), &j.meta)
	if err != nil {
		return nil, fmt.Errorf("join parquet: %w", err)
	}
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(out))), mark...), nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (j *Join) MarshalBinary() ([]byte, error) {
	if j.size == 0 {
		return nil, nil
	}
	meta, err := thrift.Marshal(new(thrift.CompactProtocol), &j.meta)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(j.size)), meta...), err
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (j *Join) UnmarshalBinary(data []byte) error {
	*j = Join{}
	if len(data) == 0 {
		return nil
	}
	if len(data) < 8 {
		return errors.New("join parquet: what was kept of it is cut")
	}
	j.size = int64(binary.LittleEndian.Uint64(data))
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), data[8:], &j.meta); err != nil {
		return fmt.Errorf("join parquet: what was kept of it: %w", err)
	}
	return nil
}
