package storage

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// FuzzManifest: a manifest that is accepted can be committed and read again.
func FuzzManifest(f *testing.F) {
	good, err := json.Marshal(Manifest{
		Format: 1, Kind: "train", Key: zeros, Generation: 1, Preimage: []byte("{}"), Nonce: "n",
		Outputs: []Artifact{{Name: "a", Digest: "sha256:" + zeros, Size: 1}}, Notes: map[string]any{"n": 1.5},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"kind":"../x"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Manifest
		var err error
		fuzztest.Bounded(t, func() { err = decodeManifest(data, &m) })
		if err != nil {
			return
		}
		if !ValidKey(ManifestKey(m.Kind, m.Key, max(m.Generation, 1))) {
			t.Errorf("accepted a manifest of the key %s", ManifestKey(m.Kind, m.Key, m.Generation))
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeManifest(body, &Manifest{}); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	})
}

// FuzzTree: no listing that is accepted leaves its folder.
func FuzzTree(f *testing.F) {
	f.Add([]byte(`[{"path":"a/b","digest":"sha256:` + zeros + `","size":1}]`))
	f.Add([]byte(`[{"path":"../b","digest":"sha256:` + zeros + `","size":1}]`))
	f.Add([]byte(`[{"path":"a","digest":"sha256:` + zeros + `","size":-1}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var entries []TreeEntry
		var err error
		fuzztest.Bounded(t, func() { entries, err = decodeTree(data) })
		if err != nil {
			return
		}
		for _, e := range entries {
			for part := range strings.SplitSeq(e.Path, "/") {
				if part == "" || part == "." || part == ".." {
					t.Errorf("accepted the path %q", e.Path)
				}
			}
		}
	})
}

// FuzzLease: a lease that is accepted can be taken over.
func FuzzLease(f *testing.F) {
	f.Add([]byte(`{"holder":{"host":"h","pid":1},"epoch":1,"beat":0}`))
	f.Add([]byte(`{"epoch":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r leaseRecord
		var err error
		fuzztest.Bounded(t, func() { err = decodeLease(data, &r) })
		if err != nil {
			return
		}
		_ = r.Holder.Dead(Self())
		if r.Epoch < 1 {
			t.Errorf("accepted epoch %d", r.Epoch)
		}
	})
}
