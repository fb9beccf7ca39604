package servers

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
)

// TestKilledMirror kills `sprint models mirror` at a real registry of containers: nothing is
// there twice or by half.
func TestKilledMirror(t *testing.T) {
	s := sprint{program: buildSprint(t)}
	host, repositories := startContainers(t, t.TempDir()), 0
	mirrortest.Processes{
		Subject: mirrortest.Subject{To: "oci://registry.example/team/news", New: func(*testing.T) mirrortest.Server {
			repositories++
			return &ocitest.Reader{Host: host, Repository: fmt.Sprintf("team/news%d", repositories)}
		}},
		Push: func(t *testing.T, store string, server mirrortest.Server) *exec.Cmd {
			at := server.(*ocitest.Reader)
			s.store = store
			cmd, _, _ := s.command(t.Context(), mirrortest.Words(plan, "oci://"+at.Host+"/"+at.Repository)...)
			return cmd
		},
		Time: 8 * time.Second,
	}.Run(t)
}
