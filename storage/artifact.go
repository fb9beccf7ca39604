package storage

import (
	"encoding/json"
	"time"
)

// MediaTree is the media type of a tree: the canonical JSON of its entries.
const MediaTree = "application/vnd.sprint.tree+json"

// Artifact is an immutable named output of a stage: a file, or a tree.
type Artifact struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // "sha256:" and 64 hex digits
	Size   int64  `json:"size"`
	Media  string `json:"media,omitempty"`
	// Volatile artifacts hold clock readings and never enter a key.
	Volatile bool `json:"volatile,omitempty"`
}

// TreeEntry is one file of a tree.
type TreeEntry struct {
	Path   string `json:"path"` // slash-separated, relative, clean
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Manifest commits a stage: it is written last and exclusively, so either all
// outputs of a key are there or the key is not done.
type Manifest struct {
	Format     int               `json:"format"`
	Kind       string            `json:"kind"`
	Key        string            `json:"key"` // 64 hex digits
	Generation int               `json:"generation"`
	Preimage   json.RawMessage   `json:"preimage"`
	Inputs     map[string]string `json:"inputs,omitempty"` // artifact name -> digest
	Outputs    []Artifact        `json:"outputs"`          // sorted by name
	Plan       string            `json:"plan,omitempty"`   // digest of the plan
	Run        string            `json:"run,omitempty"`
	Stage      string            `json:"stage,omitempty"`
	Attempt    int               `json:"attempt,omitempty"`
	Nonce      string            `json:"nonce"`
	Started    time.Time         `json:"started"`
	Finished   time.Time         `json:"finished"`
	Device     string            `json:"device,omitempty"`
	Notes      map[string]any    `json:"notes,omitempty"`
	Verdict    *Verdict          `json:"verdict,omitempty"`
	Version    string            `json:"version,omitempty"` // of sprint
}

// Output returns the output of that name.
func (m *Manifest) Output(name string) (Artifact, bool) {
	for _, a := range m.Outputs {
		if a.Name == name {
			return a, true
		}
	}
	return Artifact{}, false
}

// Verdict records that a stage finished its work and judged it bad.
type Verdict struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}
