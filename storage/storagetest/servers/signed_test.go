package servers

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// testSigned: with a key of the store a small quickstart runs and is cached, a
// record that somebody without the key put on the server ends with 9, and the key
// is changed.
func testSigned(t *testing.T, program string) {
	s := startS3(t)
	dir, prefix := t.TempDir(), "signed"
	for name, digits := range map[string]string{"old.key": "0123456789abcdef", "new.key": "fedcba9876543210"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat(digits, 4)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	oldKey, newKey := "file:"+filepath.Join(dir, "old.key"), "file:"+filepath.Join(dir, "new.key")
	bare := sprint{program: program, store: s3URL(s.addr, bucket, prefix)}
	old, other := bare.with("SPRINT_STORE_KEY="+oldKey), bare.with("SPRINT_STORE_KEY="+newKey)
	small := []string{"--set", "train.epochs=1", "--set", "verify.checks=[{id: macro_f1, on: gold, min: 0}]"}
	again := append([]string{"run", plan}, small...)

	want := old.runs(t, times(6, "succeeded"), small...)
	old.runs(t, times(6, "cached"), small...)
	undo := forgeManifest(t, s, prefix, "train")
	old.ends(t, 9, again, "manifests/train/", "it is not signed", "sprint store rekey")
	old.ends(t, 9, []string{"store", "rekey", "--yes"}, "refused: manifests/train/")
	old.ends(t, 9, []string{"artifacts", "verify", "--all"}, "manifests/train/")
	undo()
	old.runs(t, times(6, "cached"), small...)
	old.ends(t, 0, []string{"artifacts", "verify", "--all"})
	bare.ends(t, 4, append(again, "--force=label"), "store_key")

	other.ends(t, 9, again, "is none of this runner's")
	both := other.with("SPRINT_STORE_KEYS_ACCEPTED=[" + oldKey + "]")
	both.runs(t, times(6, "cached"), small...)
	both.ends(t, 0, []string{"store", "rekey", "--yes"}, "signed now")
	if got := other.runs(t, times(6, "cached"), small...); !maps.Equal(got, want) {
		t.Errorf("with the other key the outputs are %v, not %v", got, want)
	}
	other.ends(t, 0, []string{"classify", "--model", "quickstart", "--strict", "Striker scores twice in cup final"}, "quickstart@1")
	old.ends(t, 9, again, "is none of this runner's")
}

// forgeManifest gives the manifest of a kind's work other outputs, whole under its
// key, as whoever may write to the bucket can.
func forgeManifest(t *testing.T, s *server, prefix, kind string) (undo func()) {
	t.Helper()
	c := s.client(accessKey, secretKey)
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix + "/manifests/" + kind + "/")})
	if err != nil || len(list.Contents) != 1 {
		t.Fatalf("the manifests of %s: %v, %v", kind, list, err)
	}
	key := list.Contents[0].Key
	o, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	good, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		t.Helper()
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: key, Body: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
	}
	put(storagetest.Forge(t, strings.TrimPrefix(*key, prefix+"/"), good, func(body string) string {
		return strings.Replace(body, `"digest":"sha256:`, `"digest":"sha256:`+strings.Repeat("e", 8), 1)
	}))
	return func() { put(good) }
}
