package graph_test

import (
	"os"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }
