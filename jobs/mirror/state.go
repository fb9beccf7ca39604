package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/record"
)

// State is what a store knows of a mirror of a model. It names no secret, and nobody sends
// one where a store says: addresses come from plans alone.
type State struct {
	Target   string         `json:"target"`
	Versions map[int]string `json:"versions"` // digests of the releases that were pushed
	Aliases  map[string]int `json:"aliases"`  // versions that they were made to name
	// Tries counts the failed ones since the last that was not; Error is why the last
	// one failed.
	Tries int       `json:"tries,omitempty"`
	Tried time.Time `json:"tried"` // by the clock of who tried
	Error string    `json:"error,omitempty"`
	// Remarks are what the last try found there and set right, or left alone.
	Remarks []string `json:"remarks,omitempty"`
	// Plan is the name of the plan that listed it last; empty if nobody said. Dropped is when
	// a run of that plan first listed it no more, by that run's clock; zero if none did.
	Plan    string    `json:"plan,omitempty"`
	Dropped time.Time `json:"dropped,omitzero"`
	// Forgotten is the state of a mirror of which nothing is known any more.
	Forgotten bool `json:"forgotten,omitempty"`
}

// Limits of a state's words, in bytes and number.
const (
	maxWords   = 400
	maxRemarks = 20
)

// ID names a mirror in keys of the store.
func ID(target string) string {
	sum := sha256.Sum256([]byte(target))
	return hex.EncodeToString(sum[:8])
}

// folder is the prefix of the keys of the states of a model's mirrors.
func folder(model string) string { return "models/" + model + "/mirrors/" }

func decodeState(body []byte, s *State) error {
	if err := record.DecodeStrict(body, s); err != nil {
		return err
	}
	if s.Target == "" || s.Tries < 0 || len(s.Error) > maxWords || len(s.Plan) > maxWords || len(s.Remarks) > maxRemarks {
		return errors.New("it is no state of a mirror")
	}
	return nil
}

// load reads the state of a mirror and the version that Swap takes. One that is not there,
// or cannot be read, is that of a mirror where nothing is known to be.
func load(ctx context.Context, store *storage.Store, model, target string) (State, string, error) {
	none := State{Target: target, Versions: map[int]string{}, Aliases: map[string]int{}}
	s, at, err := storage.ReadAs(ctx, store, "read mirror", folder(model)+ID(target), decodeState)
	switch {
	case errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) && at != "":
		return none, at, nil
	case err != nil:
		return none, at, err
	case s.Target != target:
		return none, at, nil
	}
	if s.Versions == nil {
		s.Versions = none.Versions
	}
	if s.Aliases == nil {
		s.Aliases = none.Aliases
	}
	return s, at, nil
}

// save keeps a state, in place of what another wrote meanwhile: both have been there, and
// the last to come knows best.
func (s State) save(ctx context.Context, store *storage.Store, model string) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	key := folder(model) + ID(s.Target)
	for range 20 {
		_, at, err := store.Read(ctx, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && at == "" {
			return err
		}
		if _, err = store.Swap(ctx, key, at, body); !errors.Is(err, storage.ErrStale) {
			return err
		}
	}
	return &storage.Error{Op: "write mirror", Key: key, Class: storage.ErrTransient}
}

// States lists what a store knows of the mirrors of a model, by target, without those that
// were forgotten. One that cannot be read is left out: it is written anew by the next try.
func States(ctx context.Context, store *storage.Store, model string) ([]State, error) {
	var out []State
	for info, err := range store.List(ctx, folder(model)) {
		if err != nil {
			return nil, err
		}
		s, _, err := storage.ReadAs(ctx, store, "read mirror", info.Key, decodeState)
		if storage.DamagedOrUntrusted(err) || errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !s.Forgotten {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b State) int { return strings.Compare(a.Target, b.Target) })
	return out, nil
}

// Lag is an alias that names another version at a mirror than in the store.
type Lag struct {
	Alias       string
	There, Here int // There is 0 if it names none of ours there
}

func (l Lag) String() string {
	if l.There == 0 {
		return l.Alias + " is not there"
	}
	return fmt.Sprintf("%s is version %d there, not %d", l.Alias, l.There, l.Here)
}

// Behind lists the aliases that name something else at a mirror than in the store, as far as
// the store knows. aliases are those of the store, by version.
func (s State) Behind(aliases map[int][]string) []Lag {
	var out []Lag
	for _, version := range slices.Sorted(maps.Keys(aliases)) {
		for _, alias := range slices.Sorted(slices.Values(aliases[version])) {
			if there := s.Aliases[alias]; there != version {
				out = append(out, Lag{alias, there, version})
			}
		}
	}
	return out
}

// LastError says why the last try failed, and how many did by now; empty if it did not.
func (s State) LastError() string {
	if s.Tries < 2 {
		return s.Error
	}
	return fmt.Sprintf("%s (%d tries failed)", s.Error, s.Tries)
}

// cut is a text of as many bytes as a state takes, on one line.
func cut(text string) string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(text, "?")) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	text = strings.Join(lines, "; ")
	for len(text) > maxWords {
		text = text[:strings.LastIndexFunc(text, func(rune) bool { return true })]
	}
	return text
}

// aliasesOf are the aliases of a model by the version that they name.
func aliasesOf(ctx context.Context, store *storage.Store, model string) (map[int][]string, error) {
	aliases, err := models.In(store).Aliases(ctx, model)
	if err != nil && !storage.DamagedOrUntrusted(err) {
		return nil, err
	}
	return aliases, nil
}
