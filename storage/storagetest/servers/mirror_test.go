//go:build unix

package servers

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow/mlflowtest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
)

// killingTime is about how long processes are killed at a registry.
const killingTime = 8 * time.Second

// TestKilledMirror kills `sprint models mirror` at real registries: nothing is there twice or
// by half.
func TestKilledMirror(t *testing.T) {
	program := buildSprint(t)
	push := func(t *testing.T, store, to string) *exec.Cmd {
		t.Helper()
		s := sprint{program: program, store: store}
		cmd, _, _ := s.command(t.Context(), "models", "mirror", plan, "--set", "publish.name="+mirrortest.Model, "--set", fmt.Sprintf("publish.mirror=[{to: %q, plain: true}]", to))
		return cmd
	}
	t.Run("Containers", func(t *testing.T) {
		host, repositories := startContainers(t, t.TempDir()), 0
		mirrortest.Processes{
			Subject: mirrortest.Subject{To: "oci://registry.example/team/news", New: func(*testing.T) mirrortest.Server {
				repositories++
				return &ocitest.Reader{Host: host, Repository: fmt.Sprintf("team/news%d", repositories)}
			}},
			Push: func(t *testing.T, store string, server mirrortest.Server) *exec.Cmd {
				at := server.(*ocitest.Reader)
				return push(t, store, "oci://"+filepath.Join(at.Host, at.Repository))
			},
			Time: killingTime,
		}.Run(t)
	})
	t.Run("MLflow", func(t *testing.T) {
		server := mlflowtest.Start(t, jobstest.Python(t, "MLFLOW_PYTHON", "mlflow==3.17.2", "mlflow"))
		mirrortest.Processes{
			Subject: mlflowtest.Subject(func(t *testing.T) *mlflowtest.Reader {
				server.Clear(t)
				return server
			}),
			Push: func(t *testing.T, store string, _ mirrortest.Server) *exec.Cmd {
				return push(t, store, "mlflow://"+strings.TrimPrefix(server.URL, "http://"))
			},
			Time: killingTime,
		}.Run(t)
	})
}
