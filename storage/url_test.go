package storage

import "testing"

func TestSplitURL(t *testing.T) {
	for raw, want := range map[string][2]string{
		"s3://b/Folder/a b.csv?region=r": {"s3://b?region=r", "Folder/a b.csv"},
		"s3://b/50%25.csv":               {"s3://b", "50%.csv"},
		"gs://b/a%3Fb?anonymous=true":    {"gs://b?anonymous=true", "a?b"},
		"gs://b":                         {"gs://b", ""},
	} {
		base, key, ok := SplitURL(raw)
		if !ok || base != want[0] || key != want[1] {
			t.Errorf("%s is %s and %q, %v; want %q", raw, base, key, ok, want)
		}
		if again := JoinURL(base, key); key != "" && again != raw {
			t.Errorf("%s and %q make %s, want %s", base, key, again, raw)
		}
	}
	for raw, path := range map[string]string{"Some/File?x": "Some/File?x", "file:///Some/File?x": "/Some/File?x"} {
		if _, _, ok := SplitURL(raw); ok || LocalPath(raw) != path {
			t.Errorf("%s is the local path %s, want %s", raw, LocalPath(raw), path)
		}
	}
}
