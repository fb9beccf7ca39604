// Package speed knows how long parts of a training take on a machine, for the eye:
// compile.go keeps how long programs took to be compiled, godevice.go says what the
// pure-Go device will take.
package speed

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// CompileTimes are the seconds that programs took to be compiled on this machine, by
// device, size of the encoder and what they do. They stand in a file of the cache folder
// and are for the eye: one that is missing or damaged only means that no time is told.
type CompileTimes map[string]float64

const (
	fileName = "compile-times.json"
	// maxEntries bounds the entries of the file, and with it its bytes.
	maxEntries = 256
	// longest bounds what is believed.
	longest = 24 * time.Hour
)

// ReadCompileTimes reads what a cache folder holds that can be believed.
func ReadCompileTimes(cacheDir string) CompileTimes {
	out := CompileTimes{}
	data, err := plainfile.Read(filepath.Join(cacheDir, fileName), 1<<16)
	if err != nil || json.Unmarshal(data, &out) != nil {
		return CompileTimes{}
	}
	maps.DeleteFunc(out, func(_ string, seconds float64) bool {
		return !(seconds > 0 && seconds < longest.Seconds())
	})
	return out
}

// Add joins what was measured to the file.
func (c CompileTimes) Add(cacheDir string) (err error) {
	all := ReadCompileTimes(cacheDir)
	maps.Copy(all, c)
	if len(all) > maxEntries {
		all = c
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(cacheDir, ".compile-times-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // renamed, or tried
	if _, err = f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(cacheDir, fileName))
}
