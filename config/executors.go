package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// ExecutorOptions are those of executors of every kind; the kind's own stand beside
// them.
type ExecutorOptions struct {
	Kind        string        `yaml:"kind" required:"true" enum:"ssh|slurm|kubernetes|hf|sky" doc:"what the place is reached by"`
	Offers      Offer         `yaml:"offers"`
	Limits      Limits        `yaml:"limits"`
	PerHour     money.Price   `yaml:"price_per_hour" doc:"what an hour of a machine costs there: 1.80 or 1.80 EUR; a kind that knows its prices is asked without it"`
	PerSpotHour money.Price   `yaml:"preemptible_price_per_hour" doc:"the same, GPUs and all, of a machine that may be taken away, for stages that demand such; price_per_hour without it"`
	PerGPUHour  money.Price   `yaml:"price_per_gpu_hour" doc:"the same for each GPU that a stage demands, beside it"`
	Orphan      time.Duration `yaml:"orphan" default:"10m" min:"1m" doc:"a worker whose runner is gone ends itself after this long, checkpointed"`
	Cache       string        `yaml:"cache" doc:"folder there for encoders and plugins; the user's cache folder there by default"`
	Credentials string        `yaml:"credentials" default:"given" enum:"given|own" doc:"whether workers are given this machine's credentials for the store, by the secrets of the executor, or have their own"`
}

// Offer is what a place has for one job; 0 of cpus, memory and disk is not said.
type Offer struct {
	GPUs    int    `yaml:"gpus" default:"0" min:"0" doc:"GPUs that a job may demand"`
	GPUType string `yaml:"gpu_type" doc:"their type, as stages demand it: h100"`
	CPUs    int    `yaml:"cpus" default:"0" min:"0" doc:"cores that a job may demand"`
	Memory  Size   `yaml:"memory" doc:"memory that a job may demand: 64GB"`
	Disk    Size   `yaml:"disk" doc:"disk that a job may demand: 200GB"`
}

// Limits are how long each part of a job may take; the part in which it runs is
// limited by the timeout of its stage.
type Limits struct {
	Queue time.Duration `yaml:"queue" default:"24h" min:"1s" doc:"from submit until a machine is given"`
	Start time.Duration `yaml:"start" default:"15m" min:"1s" doc:"from then until the worker's first word"`
	Grace time.Duration `yaml:"grace" default:"2m" min:"0s" doc:"from the request to end until it is ended"`
}

// Size is a number of bytes, written 64GB, 512 MiB or 1000.
type Size int64

// sizeUnits are the words for powers of ten and of two.
func sizeUnits() map[string]float64 {
	return map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
}

// UnmarshalText reads it.
func (s *Size) UnmarshalText(text []byte) error {
	word := strings.ToLower(strings.TrimSpace(string(text)))
	digits := strings.TrimRight(word, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseFloat(digits, 64)
	unit, ok := sizeUnits()[strings.TrimSpace(word[len(digits):])]
	if err != nil || !ok || n < 0 || n*unit > 1<<60 {
		return fmt.Errorf("want a size such as 64GB, not %q", text)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText writes it in bytes.
func (s Size) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(s), 10), nil }

// executorValues is what a config says of its executors, with the places.
type executorValues struct {
	values  *options.Values
	files   []string // that may name executors, weakest first
	errorAt func(pos diagnostic.Position, path, message, hint string) *diagnostic.Error
}

// ExecutorNames are those of the executors, in the order in which stages try them: as they
// stand in the file, and those of a stronger file first.
func (c *Config) ExecutorNames() []string {
	return slices.SortedFunc(maps.Keys(c.Executors), func(a, b string) int {
		x, y := c.ExecutorPlace(a), c.ExecutorPlace(b)
		return cmp.Or(
			cmp.Compare(slices.Index(c.executors.files, y.File), slices.Index(c.executors.files, x.File)),
			cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col), cmp.Compare(a, b),
		)
	})
}

// ExecutorOptions decodes what all executors have of the one of that name.
func (c *Config) ExecutorOptions(name string) (*ExecutorOptions, error) {
	out := &ExecutorOptions{}
	return out, c.decodeExecutor(name, out, true)
}

// DecodeExecutor decodes the kind's own options of an executor into a pointer to a
// struct.
func (c *Config) DecodeExecutor(name string, into any) error {
	return c.decodeExecutor(name, into, false)
}

func (c *Config) decodeExecutor(name string, into any, common bool) error {
	path := strictyaml.Join("executors", name)
	all := options.Reference(&ExecutorOptions{})
	shared := func(key string) bool {
		return slices.ContainsFunc(all, func(f options.Field) bool { return f.Path == key || strings.HasPrefix(f.Path, key+".") })
	}
	layer := options.NewLayer("file", "")
	pos := diagnostic.Position{}
	if c.executors.values != nil {
		pos = c.executors.values.Position(path)
	}
	if pos.Line > 0 {
		layer.Base = filepath.Dir(pos.File)
	}
	for key, v := range c.Executors[name] {
		if shared(key) != common || v == nil {
			continue
		}
		layer.Set([]string{key}, v, c.executorPlace(path, key))
		c.executorPlaces(layer, path, key, v)
	}
	values := options.NewValues(path, pos)
	if err := values.Add(*layer); err != nil {
		return err
	}
	errorAt := c.executors.errorAt
	if errorAt == nil {
		errorAt = func(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
			return &diagnostic.Error{Pos: pos, Path: path, Message: message, Hint: hint}
		}
	}
	decoder := options.Decoder{ErrorAt: errorAt}
	if _, err := decoder.Decode(values, into); err != nil {
		suggestShared(err, path, append(options.Reference(into), all...))
		return &diagnostic.UsageError{Message: err.Error()}
	}
	return nil
}

// suggestShared lets a key that no kind has be compared with the keys that all have, too.
func suggestShared(err error, path string, fields []options.Field) {
	errs, _ := errors.AsType[diagnostic.Errors](err)
	for _, e := range errs {
		key, below := strings.CutPrefix(e.Path, path+".")
		if !below || strings.Contains(key, ".") || e.Message != options.UnknownOption {
			continue
		}
		var known []string
		for _, f := range fields {
			if !strings.Contains(f.Path, ".") {
				known = append(known, f.Path)
			}
		}
		e.Hint = diagnostic.Suggest(key, known)
	}
}

// ExecutorPlace is where the config names an executor, for messages.
func (c *Config) ExecutorPlace(name string) diagnostic.Position {
	return c.executorPlace("executors", name)
}

func (c *Config) executorPlace(path, key string) diagnostic.Position {
	if c.executors.values == nil {
		return diagnostic.Position{}
	}
	return c.executors.values.Position(strictyaml.Join(path, key))
}

// executorPlaces hands on where the values inside a map stand.
func (c *Config) executorPlaces(layer *options.Layer, path, key string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for inner, x := range m {
		at := strictyaml.Join(key, inner)
		layer.Pos[at] = c.executorPlace(path, at)
		c.executorPlaces(layer, path, at, x)
	}
}
