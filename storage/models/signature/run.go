package signature

import (
	"context"
	"encoding/json"
	"time"
)

// runPredicate is SLSA's provenance, https://slsa.dev/spec/v1.0/provenance.
const runPredicate = "https://slsa.dev/provenance/v1"

// BuildType says how to read the parameters of a Provenance: those of a run of a plan.
const BuildType = "https://github.com/sprint-ml/sprint/blob/main/examples/README.md#who-made-a-model"

// Provenance is how a model was made, as SLSA's predicate has it.
type Provenance struct {
	Definition Definition `json:"buildDefinition"`
	Details    Details    `json:"runDetails"`
}

// Definition is what was to be done, of what.
type Definition struct {
	BuildType string         `json:"buildType"`
	External  map[string]any `json:"externalParameters"`
	Internal  map[string]any `json:"internalParameters,omitempty"`
	// Dependencies are what the work read, each with its digest where it has one.
	Dependencies []Dependency `json:"resolvedDependencies"`
}

// Dependency is in-toto's resource descriptor.
type Dependency struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// Details are who did it, and when.
type Details struct {
	Builder  Builder  `json:"builder"`
	Metadata Metadata `json:"metadata"`
}

// Builder is the program that ran.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Metadata is of the run.
type Metadata struct {
	Invocation string    `json:"invocationId"`
	Finished   time.Time `json:"finishedOn,omitzero"`
}

// SignRun signs how the model of a name and a root digest was made.
func SignRun(ctx context.Context, key *PrivateKey, name, root string, p Provenance) ([]byte, error) {
	return sign(ctx, key, name, root, runPredicate, p)
}

// Run opens the statement of the run that made a signed model. One about another model is
// damaged. Errors are of the classes of this package.
func (t *Trust) Run(ctx context.Context, bundle []byte, m *Model) (*Provenance, error) {
	s, _, err := t.open(ctx, bundle, runPredicate)
	if err != nil {
		return nil, err
	}
	if root := s.Subject[0].Digest["sha256"]; root != m.Root {
		return nil, damaged("it is about the model %.64s, not about %s", root, m.Root)
	}
	var p Provenance
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return nil, damaged("its predicate: %w", err)
	}
	return &p, nil
}
