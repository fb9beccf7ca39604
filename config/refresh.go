package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Refresh says when a model is trained anew, and what its successor must hold to take the
// place of the champion. Nothing of it is keyed: it decides when work is done, not which.
type Refresh struct {
	MaxAge               Span    `yaml:"max_age" default:"90d" doc:"train once the champion was published this long ago, for example 30d; 0 is never for its age"`
	Drift                float64 `yaml:"drift" default:"0.2" min:"0" doc:"train once the population stability index of categories, languages, domains or lengths is surely this high: the lower end of its interval; 0 is never for drift"`
	F1Drop               float64 `yaml:"f1_drop" default:"0.05" min:"0" max:"1" doc:"train once the macro-F1 that is estimated without labels is surely this much below that of the training data; 0 is never for it"`
	Rows                 int     `yaml:"rows" default:"0" min:"0" doc:"train once the window has this many rows that the champion has not seen; 0 is never for their number"`
	Cooldown             Span    `yaml:"cooldown" default:"7d" doc:"train at most once in this time, whatever is due"`
	MinChange            float64 `yaml:"min_change" default:"-0.01" min:"-1" max:"1" doc:"least change of macro-F1 on the gold set, over the champion, with which the challenger is promoted"`
	MinChangeCorrections float64 `yaml:"min_change_corrections" default:"0" min:"-1" max:"1" doc:"the same of micro-F1 on the corrections made since the champion, where they say enough"`
}

// Span is a time such as 30d, 12h or 90m; a day has 24 hours.
type Span time.Duration

// longest is a span beyond which none makes sense: a hundred years.
const longest = 36500 * 24 * time.Hour

// UnmarshalText reads it.
func (s *Span) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	d, err := time.ParseDuration(word)
	if days, isDays := strings.CutSuffix(word, "d"); isDays {
		n, wrong := strconv.ParseFloat(days, 64)
		if err = wrong; err == nil && n*24 <= longest.Hours() {
			d = time.Duration(n * 24 * float64(time.Hour))
		} else if err == nil {
			d = longest + 1
		}
	}
	if err != nil || d < 0 || d > longest {
		return fmt.Errorf("want a time such as 30d or 12h, up to 36500d, not %.40q", text)
	}
	*s = Span(d)
	return nil
}

// String writes whole days as such.
func (s Span) String() string {
	const day = 24 * time.Hour
	if d := time.Duration(s); d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return time.Duration(s).String()
}

// MarshalText writes it as String does.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// refresh reads the block of a plan; without one all is as the defaults say.
func (r *planReader) refresh(it *strictyaml.Node) (out Refresh) {
	decoder, values := options.Decoder{ErrorAt: r.doc.ErrorAt}, options.NewValues("refresh", r.doc.Root.Pos)
	if it != nil {
		if _, ok := it.Value.(*strictyaml.Map); !ok {
			r.wrong(it, "refresh", "want a map of options", "for example {max_age: 30d}")
			return out
		}
		values = options.NewValues("refresh", it.Pos)
		layer := options.NewLayer("plan", "")
		layer.Raw = it.Plain().(map[string]any)
		it.Places("", layer.Pos)
		if err := values.Add(*layer); err != nil {
			r.fail(it.Pos, "refresh", err.Error(), "")
			return out
		}
	}
	_, err := decoder.Decode(values, &out)
	if errs, ok := errors.AsType[diagnostic.Errors](err); ok {
		r.errs = append(r.errs, errs...)
	} else if err != nil {
		r.fail(r.doc.Root.Pos, "refresh", err.Error(), "")
	}
	return out
}
