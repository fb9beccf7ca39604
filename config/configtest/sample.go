// Package configtest has what the tests of config and of its options share: a
// struct with an option of every sort, plans that hold it, and golden files.
package configtest

import (
	"fmt"
	"strings"
	"time"
)

// Sample has an option of every sort that a kind may have.
type Sample struct {
	Source   string             `yaml:"source" default:"files" enum:"files|web" doc:"where rows come from"`
	Files    SampleFiles        `yaml:"files" when:"source=files" doc:"options of source: files"`
	Web      *SampleWeb         `yaml:"web" when:"source=web" doc:"options of source: web"`
	Depth    int                `yaml:"depth" default:"2" when:"source=web" doc:"links to follow"`
	Ratios   SampleRatios       `yaml:"ratios" doc:"shares; together 1"`
	Epochs   int                `yaml:"epochs" default:"3" min:"1" max:"1000" doc:"passes over the rows"`
	Rate     float64            `yaml:"rate" default:"3.0e-5" above:"0" below:"1" doc:"peak learning rate"`
	Seed     int64              `yaml:"seed" default:"1" doc:"another seed, other weights"`
	Strict   bool               `yaml:"strict" default:"true" doc:"refuse what is odd"`
	Freeze   string             `yaml:"freeze" default:"auto" enum:"auto|true|false" doc:"keep the embeddings fixed"`
	Text     []string           `yaml:"text" default:"[title]" enum:"title|description" min:"1" max:"2" doc:"fields of the text"`
	Labels   map[string]string  `yaml:"labels" doc:"free words"`
	Weights  map[string]float64 `yaml:"weights" min:"0" doc:"by category"`
	Pace     time.Duration      `yaml:"pace" default:"5s" min:"1s" key:"-" doc:"time between requests"`
	Window   time.Duration      `yaml:"window" default:"6h" min:"1h" below:"48h" doc:"length of a window"`
	Gold     string             `yaml:"gold" path:"true" key:"-" like:"verify.gold" doc:"gold set"`
	Encoder  string             `yaml:"encoder" path:"dotted" doc:"a name or a folder"`
	Token    string             `yaml:"token" secret:"true" key:"-" doc:"reference to a token"`
	Secrets  map[string]string  `yaml:"secrets" secret:"true" key:"-" doc:"references by name"`
	Checks   []SampleCheck      `yaml:"checks" doc:"what must hold"`
	Level    Level              `yaml:"level" default:"low" doc:"low or high"`
	Best     *float64           `yaml:"best" doc:"may be absent"`
	internal int                //nolint:unused // an unexported field is no option
	NoOption int
}

// SampleFiles are the options of one source.
type SampleFiles struct {
	Paths  []string `yaml:"paths" path:"true" key:"-" doc:"files or globs"`
	Format string   `yaml:"format" default:"auto" enum:"auto|jsonl|csv" doc:"by the extension if auto"`
}

// SampleWeb are the options of another source.
type SampleWeb struct {
	URL   string `yaml:"url" required:"true" doc:"address"`
	Limit int    `yaml:"limit" default:"10" min:"1" doc:"rows at most"`
}

// SampleRatios is a struct inside the options.
type SampleRatios struct {
	Train float64 `yaml:"train" default:"0.7" above:"0" below:"1" doc:"share that trains"`
	Test  float64 `yaml:"test" default:"0.3" above:"0" below:"1" doc:"share that measures"`
}

// SampleCheck is an element of a list.
type SampleCheck struct {
	ID   string   `yaml:"id" required:"true" enum:"f1|gain" doc:"what is measured"`
	On   string   `yaml:"on" default:"test" enum:"test|gold" doc:"the rows"`
	Min  *float64 `yaml:"min" doc:"the least that passes"`
	File string   `yaml:"file" path:"true" doc:"rows of its own"`
}

// Level reads itself and has more spellings than values.
type Level int

// UnmarshalText reads a level by name or number.
func (l *Level) UnmarshalText(b []byte) error {
	switch strings.ToLower(string(b)) {
	case "low", "0":
		*l = 0
	case "high", "1":
		*l = 1
	default:
		return fmt.Errorf("%q is no level", b)
	}
	return nil
}

// MarshalText has a pointer receiver on purpose: the key must use it too.
func (l *Level) MarshalText() ([]byte, error) { return []byte([]string{"low", "high"}[*l]), nil }
