package storeio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// maxDocument caps an input that is read whole, in bytes.
const maxDocument = 64 << 20

// ReadFile returns the bytes of an input that is a small file.
func ReadFile(ctx context.Context, in stages.Inputs, name string) ([]byte, error) {
	r, err := in.Open(ctx, name)
	return readAll("input "+name, r, err)
}

// ReadTreeFile returns the bytes of a small file of a tree.
func ReadTreeFile(ctx context.Context, tree stages.Tree, path string) ([]byte, error) {
	r, err := tree.Open(ctx, path)
	return readAll("file "+path+" of a tree", r, err)
}

// readAll reads and closes r, unless opening it failed.
func readAll(what string, r io.ReadCloser, failed error) ([]byte, error) {
	if failed != nil {
		return nil, failed
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		err = fmt.Errorf("more than %d bytes", maxDocument)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return data, nil
}

// ReadRows returns the rows of an input that is a table, and the categories of
// their labels.
func ReadRows(ctx context.Context, in stages.Inputs, name string) ([]rows.Row, []string, error) {
	r, err := in.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	out, categories, err := rows.DecodeParquet(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return out, categories, nil
}

// The media of outputs.
const (
	mediaJSON    = "application/json"
	mediaParquet = "application/vnd.apache.parquet"
)

// WriteJSON commits an output that is one JSON document, indented. What has a
// meaning in HTML is escaped.
func WriteJSON(ctx context.Context, out stages.Outputs, name string, v any) error {
	return writeJSON(ctx, out, name, v, true)
}

// WritePlainJSON is WriteJSON without the escapes, for documents of titles that
// people read.
func WritePlainJSON(ctx context.Context, out stages.Outputs, name string, v any) error {
	return writeJSON(ctx, out, name, v, false)
}

func writeJSON(ctx context.Context, out stages.Outputs, name string, v any, escape bool) error {
	return write(ctx, out, name, mediaJSON, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(escape)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// WriteRows commits an output that is a table of rows with labels of the given
// categories, nil for rows without labels.
func WriteRows(ctx context.Context, out stages.Outputs, name string, in []rows.Row, categories []string) error {
	return write(ctx, out, name, mediaParquet, func(w io.Writer) error {
		return rows.WriteParquet(w, in, categories)
	})
}

// WriteEachRow is WriteRows of rows that each yields one by one, with labels of so many
// categories.
func WriteEachRow(ctx context.Context, out stages.Outputs, name string, schema rows.Schema, each func(categories int, visit func(*rows.Row) error) error) error {
	return write(ctx, out, name, mediaParquet, func(w io.Writer) error {
		table, err := rows.NewWriter(w, schema)
		if err != nil {
			return err
		}
		if err := each(len(schema.Categories), table.Write); err != nil {
			return err
		}
		return table.Close()
	})
}

// WriteProbableRows is WriteEachRow of rows with probabilities, as rows.Writer takes them.
func WriteProbableRows(ctx context.Context, out stages.Outputs, name string, schema rows.Schema, each func(write func(*rows.Row, []*float64) error) error) error {
	return write(ctx, out, name, mediaParquet, func(w io.Writer) error {
		table, err := rows.NewWriter(w, schema)
		if err != nil {
			return err
		}
		if err := each(table.WriteProbable); err != nil {
			return err
		}
		return table.Close()
	})
}

// WriteFile commits an output that is one file. media is its MIME type.
func WriteFile(ctx context.Context, out stages.Outputs, name, media string, data []byte) error {
	return write(ctx, out, name, media, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteTree commits the files of a folder, which has no folders in it, as an
// output that is a tree.
func WriteTree(ctx context.Context, out stages.Outputs, name, dir string) error {
	tree, err := out.CreateTree(ctx, name)
	if err != nil {
		return err
	}
	defer tree.Abort()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := AddFile(tree, e.Name(), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return tree.Commit()
}

// AddFile commits a local file as the file of a tree at path.
func AddFile(tree stages.TreeWriter, path, local string) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := tree.Create(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Commit()
}

func write(ctx context.Context, out stages.Outputs, name, media string, fill func(io.Writer) error) error {
	w, err := out.Create(ctx, name, media)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := fill(w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return w.Commit()
}
