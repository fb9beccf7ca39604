package train

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
)

// compileTimes are the seconds that programs took to be compiled on this machine, by
// device, size of the encoder and what they do. They stand in a file of the cache folder
// and are for the eye: one that is missing or damaged only means that no time is told.
type compileTimes map[string]float64

const (
	compileTimesFile = "compile-times.json"
	// maxCompileTimes bounds the entries of the file, and with it its bytes.
	maxCompileTimes = 256
	// longestCompile bounds what is believed.
	longestCompile = 24 * time.Hour
)

func readCompileTimes(cacheDir string) compileTimes {
	out := compileTimes{}
	data, err := plainfile.Read(filepath.Join(cacheDir, compileTimesFile), 1<<16)
	if err != nil || json.Unmarshal(data, &out) != nil {
		return compileTimes{}
	}
	maps.DeleteFunc(out, func(_ string, seconds float64) bool {
		return !(seconds > 0 && seconds < longestCompile.Seconds())
	})
	return out
}

// add joins what was measured to the file.
func (c compileTimes) add(cacheDir string) (err error) {
	all := readCompileTimes(cacheDir)
	maps.Copy(all, c)
	if len(all) > maxCompileTimes {
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
	return os.Rename(f.Name(), filepath.Join(cacheDir, compileTimesFile))
}

// compileKey names programs that take about as long: their shapes matter little.
func (l *loop) compileKey(does string) string {
	return fmt.Sprintf("%s %s %s", l.device, l.compileModel, does)
}

// announceCompile says what is compiled now, and how long that took before, if it did.
func (l *loop) announceCompile(does []string, kept bool) {
	l.missing = true
	left := stages.Progress{Total: int64(len(does)), Unit: "programs", Text: "compiling"}
	text := fmt.Sprintf("compiling %d programs", len(does))
	if len(does) == 1 {
		text = "compiling a program"
	}
	known, seconds := readCompileTimes(l.env.CacheDir), 0.0
	for _, d := range does {
		took, ok := known[l.compileKey(d)]
		if !ok {
			seconds = 0
			break
		}
		seconds += took
	}
	if seconds > 0 {
		text += fmt.Sprintf(", about %.0f s", max(seconds, 1))
		left.Left = time.Duration(seconds * float64(time.Second))
	}
	l.env.Progress(left)
	if kept {
		text += ", cached next time"
	}
	l.env.Log.Log(context.Background(), stages.LevelNotable, text) //nolint:sloglint // a sentence for people
}

// keepCompileTimes remembers how long programs took.
func (l *loop) keepCompileTimes() {
	measured := compileTimes{}
	for does, all := range l.trainer.Compiled {
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		measured[l.compileKey(does)] = round(sum.Seconds() / float64(len(all)))
	}
	if len(measured) == 0 || l.env.CacheDir == "" {
		return
	}
	if err := measured.add(l.env.CacheDir); err != nil {
		l.env.Log.Debug("how long programs take to be compiled is not kept", "error", err)
	}
}
