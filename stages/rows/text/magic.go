package text

import (
	"bytes"
	"fmt"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

var gzipMagic = []byte("\x1f\x8b\x08")

// foreign are files that are no text, by how they begin, with what to do instead.
var foreign = []struct{ magic, inside, what string }{
	{"PK\x03\x04", "xl/", "an Excel workbook; in Excel choose Save As, CSV UTF-8, and name that file"},
	{"PK\x03\x04", "opendocument.spreadsheet", "an OpenDocument spreadsheet; save it as csv and name that file"},
	{"PK\x03\x04", "word/", "a Word document; rows are read from csv, jsonl or parquet"},
	{"PK\x03\x04", "", "a zip archive, or a document of an office program; unpack it or export its table as csv"},
	{"\xd0\xcf\x11\xe0", "", "a file of an old Excel or Word; in Excel choose Save As, CSV UTF-8, and name that file"},
	{"%PDF", "", "a PDF document; rows are read from csv, jsonl or parquet"},
	{"PAR1", "", "a Parquet file; set files.format: parquet, or give it the extension .parquet"},
	{"\x28\xb5\x2f\xfd", "", "compressed by zstd; unpack it, or compress it by gzip"},
	{"BZh", "1AY&SY", "compressed by bzip2; unpack it, or compress it by gzip"},
	{"\xfd7zXZ", "", "compressed by xz; unpack it, or compress it by gzip"},
	{"\x1f\x8b", "", "compressed by gzip twice; unpack it once"},
	{"SQLite format 3\x00", "", "an SQLite database; export the table as csv"},
	{"\xff\xfe\x00\x00", "", "written in UTF-32; save it as UTF-8"},
	{"\x00\x00\xfe\xff", "", "written in UTF-32; save it as UTF-8"},
}

// refuse is the error of a file that is no text.
func refuse(head []byte) error {
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) && bytes.Contains(head, []byte(f.inside)) {
			return fmt.Errorf("%w: it is %s", table.ErrFormat, f.what)
		}
	}
	return nil
}

// exports says of extensions of files that are no tables of text what to do with them.
var exports = map[string]string{
	".xlsx": "an Excel workbook: in Excel choose Save As, CSV UTF-8, and name that file",
	".xlsm": "an Excel workbook: in Excel choose Save As, CSV UTF-8, and name that file",
	".xls":  "an Excel workbook: in Excel choose Save As, CSV UTF-8, and name that file",
	".ods":  "an OpenDocument spreadsheet: save it as csv and name that file",
	".docx": "a Word document: rows are read from csv, jsonl or parquet",
	".pdf":  "a PDF document: rows are read from csv, jsonl or parquet",
	".zip":  "a zip archive: unpack it and name the files in it",
	".zst":  "compressed by zstd: unpack it, or compress it by gzip",
	".bz2":  "compressed by bzip2: unpack it, or compress it by gzip",
	".xz":   "compressed by xz: unpack it, or compress it by gzip",
	".7z":   "a 7z archive: unpack it and name the files in it",
}

// Export says of an extension, such as .xlsx, what such a file is and how its rows are
// written as text; ok is false for one that may hold rows.
func Export(extension string) (what string, ok bool) {
	what, ok = exports[extension]
	return what, ok
}
