package integrity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/storage"
)

// TestForeign puts objects into a store under names that sprint gives to none: each is
// found, and named, and ends no check.
func TestForeign(t *testing.T) {
	b := finished(t)
	own := map[string]string{} // a key of the store by its first part
	for _, key := range b.Objects("") {
		first, _, _ := strings.Cut(key, "/")
		own[first] = key
	}
	generations := strings.TrimSuffix(storage.ManifestKey("make", manifest(t, b, "make").Key, 1), "000001")
	attempts := "runs/" + strings.Split(own["runs"], "/")[1] + "/attempts/make/"
	long := strings.Repeat(strings.Repeat("a", 200)+"/", 3)
	for put, want := range map[string]string{
		generations + "1":                                       "",
		generations + "+00001":                                  "",
		generations + "-00001":                                  "",
		generations + "9223372036854775807":                     "",
		generations + "NEXT":                                    "",
		"manifests/Make/" + strings.Repeat("a", 64) + "/000001": "",
		"models/toy/01/release.json":                            "models/toy/01/",
		"models/toy/-3/claim":                                   "models/toy/-3/",
		"models/toy/+1/release.json":                            "",
		"models/toy/9223372036854775807/claim":                  "models/toy/9223372036854775807/",
		"models/toy/other/x":                                    "models/toy/other/",
		"models/Toy/1/release.json":                             "",
		"models/_toy/1/release.json":                            "models/_toy/1/",
		"models/toy/aliases/-x":                                 "",
		"models/toy/aliases/7":                                  "",
		"models/toy/1/files/Model":                              "",
		attempts + "01.json":                                    "",
		attempts + "-1.json":                                    "",
		attempts + "9223372036854775807.json":                   "",
		attempts + "1.json.bak":                                 "",
		attempts + "1":                                          "",
		"runs/A Run/result.json":                                "",
		"leases/make/A":                                         "",
		"pins/runs/X":                                           "",
		"answers/a/B":                                           "",
		"tombstones/make/" + strings.Repeat("A", 64):            "",
		"checkpoints/make/" + strings.Repeat("a", 64) + "/UP":   "",
		"blobs/sha256/AB/x":                                     "",
		"quarantine/sha256/AB/x":                                "",
		"runs/\x1b[31mred/result.json":                          "",
		"runs/" + long + "x":                                    "",
	} {
		if want == "" {
			want = put
		}
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(put))
		made := filepath.Dir(path) // the first folder that is new
		for {
			up := filepath.Dir(made)
			if _, err := os.Stat(up); err == nil {
				break
			}
			made = up
		}
		if _, err := os.Stat(made); err == nil {
			made = path
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := whole(t, b, b.Store, integrity.Everything())
		if len(r.Faults) != 1 || r.Faults[0].Key != want || r.Faults[0].Problem != integrity.Foreign || !strings.Contains(r.Faults[0].Repair, "remove it") {
			t.Errorf("%q: %+v", put, r.Faults)
		}
		if err := os.RemoveAll(made); err != nil {
			t.Fatal(err)
		}
	}
	if r := whole(t, b, b.Store, integrity.Everything()); !r.Whole {
		t.Errorf("in the end: %+v", r.Faults)
	}
}

// TestForgedRelease: a release whose record names what no store can hold is damaged.
func TestForgedRelease(t *testing.T) {
	b := finished(t)
	digest := manifest(t, b, "make").Outputs[0].Digest
	for _, path := range []string{"\\u00e5", "a b", strings.Repeat("a", 600)} {
		if err := b.Store.WriteRecord(b.Ctx, "models/toy/2/release.json", []byte(`{"name":"toy","version":2,"digest":"`+digest+`","files":[{"path":"`+path+`","digest":"`+digest+`","size":1}]}`)); err != nil {
			t.Fatal(err)
		}
		r := whole(t, b, b.Store, integrity.Subset{})
		if len(r.Faults) != 1 || r.Faults[0].Key != "models/toy/2/release.json" || r.Faults[0].Problem != integrity.Damaged {
			t.Errorf("%s: %+v", path, r.Faults)
		}
	}
}
