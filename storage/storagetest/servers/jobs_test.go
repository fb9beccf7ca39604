package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestJobs runs the matrices of package jobs on the servers: every operation of
// a run killed, and every one failed by each cause.
func TestJobs(t *testing.T) {
	const matrices = "^(TestKillEveryOperation|TestOperationFails)$"
	t.Run("s3", func(t *testing.T) {
		s := startS3(t)
		testJobs(t, s, matrices+"/^s3$", storagetest.S3Env, s.url(s.addr))
	})
	t.Run("gcs", func(t *testing.T) {
		s := startGCS(t, "")
		testJobs(t, s, matrices+"/^gcs$", storagetest.GCSEnv, "http://"+s.addr)
	})
}

// testJobs runs tests of package jobs on the server, which they find by a
// variable.
func testJobs(t *testing.T, s *server, which, variable, value string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", tags, "-run", which, "-count", "1", "-timeout", "1h", "-v", ".")
	cmd.Dir = "../../../jobs"
	cmd.Env = append(os.Environ(), "GOFLAGS=", variable+"="+value)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if stores, err := filepath.Glob(filepath.Join(s.folder, "*", "p*", "*")); err != nil || len(stores) == 0 {
		t.Errorf("the tests made no store on the server, %v", err)
	}
	t.Logf("%s", out)
}
