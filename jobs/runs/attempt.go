package runs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// Attempt is one try of one stage, self-contained: what a worker on another
// machine needs to do it. It is stored before it begins.
type Attempt struct {
	Run        string                      `json:"run"`
	Plan       string                      `json:"plan"` // its name
	PlanDigest string                      `json:"plan_digest"`
	Stage      string                      `json:"stage"`
	Number     int                         `json:"number"`
	Kind       string                      `json:"kind"`
	Key        string                      `json:"key"`
	Generation int                         `json:"generation"`
	Preimage   json.RawMessage             `json:"preimage"`
	Options    json.RawMessage             `json:"options"` // the kind's struct
	Inputs     map[string]storage.Artifact `json:"inputs"`
	External   stages.External             `json:"external,omitempty"`
	Files      storeio.Files               `json:"files,omitempty"`
	Taxonomy   stages.Source               `json:"taxonomy"`
	Device     string                      `json:"device"`
	CacheDir   string                      `json:"cache_dir"`
	Offline    bool                        `json:"offline,omitempty"`
	Endpoints  map[string]string           `json:"endpoints,omitempty"`
	Version    string                      `json:"version"` // of sprint
	// Before is the work that the stage needs, of a stage that publishes.
	Before []stages.Work `json:"before,omitempty"`
	// OnDemand says that it goes to a machine that stays, though the stage may be interrupted.
	OnDemand bool `json:"on_demand,omitempty"`
	// Timeout ends it where it runs; zero is none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Spend is for how long its money pays for a machine, from when one is given; zero is
	// no limit.
	Spend time.Duration `json:"spend,omitempty"`
	// MayPay is what it may pay for answers of models; zero is no limit.
	MayPay money.Amount `json:"may_pay,omitempty"`
}

func attemptKey(run, stage string, number int) string {
	return fmt.Sprintf("runs/%s/attempts/%s/%d.json", run, stage, number)
}

// SaveAttempt stores an attempt before it begins. The error is storage.ErrExists
// if its number is taken.
func SaveAttempt(ctx context.Context, s *storage.Store, a *Attempt) error {
	return createJSON(ctx, s, attemptKey(a.Run, a.Stage, a.Number), a)
}

// LoadAttempt reads what a try of a stage was to do.
func LoadAttempt(ctx context.Context, s *storage.Store, run, stage string, number int) (Attempt, error) {
	return loadJSON[Attempt](ctx, s, "read attempt", attemptKey(run, stage, number))
}

// Digest tells the attempt's record from any other.
func (a *Attempt) Digest() (string, error) {
	record, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	return recordDigest(record), nil
}

func recordDigest(record []byte) string { return fmt.Sprintf("%x", sha256.Sum256(record)) }

// LoadExactAttempt reads an attempt and refuses another record than that of
// the given digest: whoever else may write to the store must not choose what is
// done.
func LoadExactAttempt(ctx context.Context, s *storage.Store, run, stage string, number int, digest string) (*Attempt, error) {
	body, _, err := s.Read(ctx, attemptKey(run, stage, number))
	if err != nil {
		return nil, err
	}
	if recordDigest(body) != digest {
		return nil, stages.Fail(stages.CodeIntegrity, "find out who else writes to this store; the same command tries again", "try %d of stage %s of run %s is not as its runner stored it: it was not begun", number, stage, run)
	}
	a := &Attempt{}
	return a, json.Unmarshal(body, a)
}

// Attempts lists the stages of a run that were tried, with the number of tries.
func Attempts(ctx context.Context, s *storage.Store, run string) (map[string]int, error) {
	prefix := Key(run, "attempts/")
	out := map[string]int{}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		stage, file, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
		number, _ := strings.CutSuffix(file, ".json")
		if n, ok := storage.ParseNumber(number, 1); ok { // 0 is the preflight
			out[stage] = max(out[stage], n)
		}
	}
	return out, nil
}
