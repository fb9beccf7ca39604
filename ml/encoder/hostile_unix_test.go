//go:build unix

package encoder_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/fuzztest"
)

// TestLoadRefusesHostileFolders: whatever lies in a folder in the place of an encoder's
// files, reading it ends, holds little in memory, and says which file is at fault.
func TestLoadRefusesHostileFolders(t *testing.T) {
	replace := func(name string, make func(path string) error) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			return errors.Join(os.RemoveAll(path), make(path))
		}
	}
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	zero := func(path string) error { return os.Symlink("/dev/zero", path) }
	sparse := func(size int64) func(string) error {
		return func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)) }
	}
	cut := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	weights := func(header string) func(string) error {
		return func(path string) error {
			return os.WriteFile(path, append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), 0o600)
		}
	}
	var empties strings.Builder
	for i := range 100_001 {
		fmt.Fprintf(&empties, `"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`, i)
	}
	for name, c := range map[string]struct {
		hostile func(dir string) error
		want    string
	}{
		"fifo as config":        {replace("config.json", fifo), "config.json"},
		"fifo as weights":       {replace("model.safetensors", fifo), "model.safetensors"},
		"fifo as vocab":         {replace("vocab.txt", fifo), "vocab.txt"},
		"zeros as config":       {replace("config.json", zero), "config.json"},
		"zeros as weights":      {replace("model.safetensors", zero), "model.safetensors"},
		"zeros as tokenizer":    {replace("tokenizer.json", zero), "tokenizer.json"},
		"folder as vocab":       {replace("vocab.txt", func(path string) error { return os.Mkdir(path, 0o700) }), "vocab.txt"},
		"huge config":           {replace("config.json", sparse(1<<40)), "config.json"},
		"huge tokenizer":        {replace("tokenizer.json", sparse(500<<20)), "tokenizer.json"},
		"huge vocab":            {replace("vocab.txt", sparse(1<<40)), "vocab.txt"},
		"huge settings":         {replace("tokenizer_config.json", sparse(1<<30)), "tokenizer_config.json"},
		"cut config":            {replace("config.json", cut(`{"model_type":"bert","hidden`)), "config.json"},
		"cut tokenizer":         {replace("tokenizer.json", cut(`{"model":{"type":"WordPiece","vo`)), "tokenizer.json"},
		"cut settings":          {replace("tokenizer_config.json", cut(`{"do_lower_case":`)), "tokenizer_config.json"},
		"100,001 empty tensors": {replace("model.safetensors", weights("{"+strings.TrimSuffix(empties.String(), ",")+"}")), "more than 100000 tensors"},
		"a header of blanks":    {replace("model.safetensors", weights("{"+strings.Repeat(" ", 20<<20)+"}")), "is the most that is read"},
		"metadata":              {replace("model.safetensors", weights(`{"__metadata__":{`+strings.TrimSuffix(strings.Repeat(`"a":"",`, 400_000), ",")+`}}`)), "__metadata__"},
		"a long shape":          {replace("model.safetensors", weights(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 4<<20)+`1],"data_offsets":[0,4]}}`)), `tensor "a"`},
	} {
		dir := tiny(t, "", "weight", "bias")
		if err := c.hostile(dir); err != nil {
			t.Fatal(err)
		}
		var err error
		fuzztest.Bounded(t, func() { _, err = encoder.Load(dir) })
		if !errors.Is(err, encoder.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", name, err)
		}
		// Nor does naming the folder in a plan wait for it, or hash without end.
		if strings.HasPrefix(name, "fifo") || strings.HasPrefix(name, "zeros") {
			if _, err := encoder.Resolve(t.Context(), dir, encoder.Options{}); err == nil {
				t.Errorf("%s: it has a digest", name)
			}
		}
	}
}

// TestWeightsThatDoNotFit: a file of more than half of the memory that the process may use
// is not read, even if it takes no disk.
func TestWeightsThatDoNotFit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 30))
	dir := tiny(t, "", "weight", "bias")
	header := `{"a":{"dtype":"U8","shape":[600000000],"data_offsets":[0,600000000]}}`
	path := filepath.Join(dir, "model.safetensors")
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	if err := errors.Join(os.WriteFile(path, data, 0o600), os.Truncate(path, int64(len(data))+600_000_000)); err != nil {
		t.Fatal(err)
	}
	var err error
	fuzztest.Bounded(t, func() { _, err = encoder.Load(dir) })
	if err == nil || !strings.Contains(err.Error(), "do not fit") || errors.Is(err, encoder.ErrCorrupt) {
		t.Error(err)
	}
}
