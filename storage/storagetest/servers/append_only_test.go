package servers

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// The principal that runs sprint, and its bucket and store.
const (
	runnerKey    = "runner"
	runnerSecret = "runner-secret"
	locked       = "locked"
	lockedPrefix = "p"
)

// replaceable are the keys that .github/APPEND-ONLY.md lists as such.
var replaceable = regexp.MustCompile(`^` + lockedPrefix + `/((leases|last|kept|quarantine|pins)/|models/[^/]+/(aliases|mirrors)/)`)

// startLocked starts versitygw with a bucket whose rights are those of
// .github/APPEND-ONLY.md, and returns a client of the runner.
func startLocked(t *testing.T) (*server, *s3.Client) {
	t.Helper()
	s := startS3With(t, "--iam-dir", t.TempDir())
	admin := exec.CommandContext(t.Context(), program(t, versitygw), "admin", "--access", accessKey, "--secret", secretKey,
		"--endpoint-url", "http://"+s.addr, "create-user", "--access", runnerKey, "--secret", runnerSecret, "--role", "user")
	if out, err := admin.CombinedOutput(); err != nil {
		t.Fatalf("create the user: %v: %s", err, out)
	}
	root := s.client(accessKey, secretKey)
	if _, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(locked), ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := root.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket: aws.String(locked),
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{
				Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(365),
			}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(locked), Policy: aws.String(documentedPolicy(t))}); err != nil {
		t.Fatal(err)
	}
	return s, s.client(runnerKey, runnerSecret)
}

// documentedPolicy is that of .github/APPEND-ONLY.md for versitygw, with the names
// of the test.
func documentedPolicy(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../.github/APPEND-ONLY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## versitygw\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, policy, found := strings.Cut(section, "\n    {")
	policy, _, _ = strings.Cut(policy, "\n\n")
	if !found {
		t.Fatal("the page has no policy for versitygw")
	}
	return strings.NewReplacer("BUCKET", locked, "PREFIX", lockedPrefix, "RUNNER", runnerKey).Replace("{" + policy)
}

// objects are the ETags of all that is in the store, by key.
func objects(t *testing.T, c *s3.Client) map[string]string {
	t.Helper()
	found := map[string]string{}
	for pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(locked)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			found[*o.Key] = *o.ETag
		}
	}
	return found
}

// isDenied reports whether the server refused for want of a right.
func isDenied(err error) bool {
	var e smithy.APIError
	return errors.As(err, &e) && e.ErrorCode() == "AccessDenied"
}

// checkDenied tries to delete and to overwrite every object with the rights of the
// runner: only what must stay replaceable is.
func checkDenied(t *testing.T, c *s3.Client) {
	t.Helper()
	kept := 0
	for key := range objects(t, c) {
		k := aws.String(key)
		if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(locked), Key: k}); !isDenied(err) {
			t.Errorf("delete %s: %v", key, err)
		}
		if replaceable.MatchString(key) {
			continue
		}
		kept++
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(locked), Key: k, Body: strings.NewReader("x")}); !isDenied(err) {
			t.Errorf("overwrite %s: %v", key, err)
		}
		source := aws.String(locked + "/" + key)
		if _, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(locked), Key: k, CopySource: source, MetadataDirective: types.MetadataDirectiveReplace}); !isDenied(err) {
			t.Errorf("copy onto %s: %v", key, err)
		}
	}
	if kept < 30 {
		t.Errorf("only %d objects are written once", kept)
	}
}

// testAppendOnly: on a server that denies the runner every delete, and every
// overwrite but of what must stay replaceable, the quickstart is killed in its
// training, continued, and ends with the outputs that it has in a folder.
func testAppendOnly(t *testing.T, program string) {
	// The encoder is tuned on the labels themselves: heads alone are there before a kill.
	tuned := []string{"SPRINT_SET_TRAIN__EPOCHS=8", "SPRINT_SET_TRAIN__BATCH_SIZE=16", "SPRINT_SET_TRAIN__LEARNING_RATE=1e-4", "SPRINT_SET_TRAIN__HEAD_SCALE=10", "SPRINT_SET_TRAIN__POOLING=mean"}
	free := sprint{program: program, store: t.TempDir(), env: tuned}
	want := free.runs(t, times(6, "succeeded"))

	s, runner := startLocked(t)
	r := sprint{program: program, store: s3URL(s.addr, locked, lockedPrefix), env: tuned}.with("AWS_ACCESS_KEY_ID="+runnerKey, "AWS_SECRET_ACCESS_KEY="+runnerSecret)
	often := []string{"--set", "train.checkpoint_steps=10"} // no part of the key
	r.killed(t, filepath.Join(s.folder, locked, lockedPrefix, "checkpoints", "train", "*", "*"), 3, often...)
	before := objects(t, runner)
	r.ends(t, 0, []string{"status"})
	if got := r.runs(t, times(3, "cached")+" "+times(3, "succeeded"), often...); !maps.Equal(got, want) {
		t.Errorf("continued, the outputs are %v, not %v", got, want)
	}
	if log := r.ends(t, 0, []string{"logs", "--stage", "train"}); !regexp.MustCompile(`from the checkpoint of step [1-9]`).MatchString(log) {
		t.Errorf("the training was not continued:\n%s", log)
	}
	r.runs(t, times(6, "cached"))
	r.ends(t, 0, []string{"classify", "--model", "quickstart", "--strict", "Striker scores twice in cup final"}, `"top":"sports"`, "quickstart@1")
	r.ends(t, 0, []string{"promote", "quickstart@1", "--alias", "best"})
	r.ends(t, 0, []string{"promote", "quickstart@1", "--alias", "best"}) // it stays
	r.ends(t, 4, []string{"gc", "--yes", "--older-than", "1s", "--keep-runs", "1"}, "checkpoints/train/", "AccessDenied")
	checkDenied(t, runner)
	r.ends(t, 0, []string{"artifacts", "verify", "--all"})
	after := objects(t, runner)
	for key, etag := range before {
		if after[key] != etag && (!replaceable.MatchString(key) || after[key] == "") {
			t.Errorf("%s was %s and is %q", key, etag, after[key])
		}
	}
}
