package release

import "testing"

// TestLocate: every way to name a release says the same store, name and version.
func TestLocate(t *testing.T) {
	for ref, want := range map[string][3]string{
		"news":                                  {"file:///s", "news", ""},
		"news@3":                                {"file:///s", "news", "3"},
		"news@champion":                         {"file:///s", "news", "champion"},
		"s3://bucket/team/models/news":          {"s3://bucket/team", "news", ""},
		"s3://bucket/team/models/news/3":        {"s3://bucket/team", "news", "3"},
		"s3://bucket/models/news/champion/":     {"s3://bucket", "news", "champion"},
		"file:///home/someone/store/models/x/7": {"file:///home/someone/store", "x", "7"},
	} {
		store, name, version := locate(ref, "file:///s")
		if got := [3]string{store, name, version}; got != want {
			t.Errorf("%s: %v, want %v", ref, got, want)
		}
	}
}
