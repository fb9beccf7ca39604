package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	library "github.com/parquet-go/parquet-go"

	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/parquet/parquettest"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// BenchmarkRead reads 200,000 rows of a labelled table, and beside it, in turns, with the
// library; it reports how many times as long as the library it takes.
func BenchmarkRead(b *testing.B) {
	columns := []parquet.Column{{Name: "title"}, {Name: "url"}, {Name: "source"}}
	for i := range 9 {
		columns = append(columns, parquet.Column{Name: fmt.Sprintf("c%d_score", i), Number: true}, parquet.Column{Name: fmt.Sprintf("c%d_tag", i)})
	}
	var file bytes.Buffer
	w := parquet.NewWriter(&file, columns)
	for i := range 200_000 {
		w.Text(fmt.Sprintf("Storm number %d closes the harbour of town %d", i, i%977), fmt.Sprintf("https://news.example/%d", i), fmt.Sprint("paper ", i%50))
		for c := range 9 {
			if i%9 == c {
				w.Number(1)
			} else {
				w.Null()
			}
			w.Text("")
		}
		if err := w.End(); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	var ours, theirs float64
	for b.Loop() {
		ours += seconds(b, func() error {
			return visitRows(file.Bytes(), &table.Budget{}, func(*table.Record) error { return nil })
		})
		theirs += seconds(b, func() error { return readByLibrary(file.Bytes()) })
	}
	b.ReportMetric(ours/theirs, "x-library")
	b.ReportMetric(200_000*float64(b.N)/ours, "rows/s")
}

// BenchmarkBombs reads each bomb until it is refused; none may take a second.
func BenchmarkBombs(b *testing.B) {
	for name, data := range parquettest.Bombs(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = visitRows(data, &table.Budget{}, func(*table.Record) error { return nil }) // most are refused
			}
		})
	}
}

func seconds(b *testing.B, f func() error) float64 {
	b.Helper()
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began).Seconds()
}

// readByLibrary visits every value of every row, and makes strings of texts.
func readByLibrary(data []byte) error {
	f, err := library.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	buffer, texts := make([]library.Row, 128), 0
	for _, g := range f.RowGroups() {
		in := g.Rows()
		for {
			n, err := in.ReadRows(buffer)
			for _, row := range buffer[:n] {
				for _, v := range row {
					if v.Kind() == library.ByteArray {
						texts += len(string(v.ByteArray()))
					}
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if err := in.Close(); err != nil {
			return err
		}
	}
	return nil
}
