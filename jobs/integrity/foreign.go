package integrity

import (
	"context"
	"errors"
	"iter"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

var (
	errKey    = errors.New("no object of a store has such a key")
	errNumber = errors.New("no object has such a name here: a number is wanted, without sign, and with no more zeros before it than its kind has")
	errAlias  = errors.New("no alias has such a name")
)

// foreign records an object whose name no program gave that keeps to the rules. Nobody
// reads it, and some operations could not even be asked for it.
func (c *check) foreign(key string, why error) { c.fault(Fault{Key: key, Problem: Foreign}, why) }

// list yields the objects below a prefix. Those whose keys no store has are recorded,
// and not yielded.
func (c *check) list(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for info, err := range c.Store.Bucket.List(ctx, prefix) {
			if err == nil && !storage.ValidKey(info.Key) {
				c.foreign(info.Key, errKey)
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// misnamed says what is wrong with the place of a folder of the registry, which is
// models/MODEL/PLACE; nil if it can hold aliases, their history, what is known of mirrors or
// a release.
func misnamed(model, place string) error {
	if !models.ValidName(model) {
		return errors.New("no model has such a name")
	}
	if _, ok := models.ParseVersion(place); !ok && place != "aliases" && place != "history" && place != "mirrors" {
		return errNumber
	}
	return nil
}

// isAttempt reports whether what lies below a run's attempts/ has the name of one.
func isAttempt(name string) bool {
	number, ok := strings.CutSuffix(path.Base(name), ".json")
	if _, counted := storage.ParseNumber(number, 1); !counted && number != "0" { // of a preflight
		return false
	}
	return ok && strings.Count(name, "/") == 2
}
