package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain plays the program where the tests start it as its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-part" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestNoSuchDevice: a machine without a card ends 4 at the first part, whose words say why, and
// no other part is tried.
func TestNoSuchDevice(t *testing.T) {
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		t.Skip("this machine has a card")
	}
	file := filepath.Join(t.TempDir(), "gpu.json")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-device", "cuda", "-out", file, "-cache", t.TempDir()}, &out, &errs); code != 4 {
		t.Fatalf("code %d: %s%s", code, out.String(), errs.String())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Parts) != 1 || r.Parts[0].State != stateFailed || !strings.Contains(r.Parts[0].Message, "cuda") {
		t.Errorf("%+v", r.Parts)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-device", "tpu"}, {"-only", "nothing"}, {"-minutes", "0"}, {"extra"}} {
		if code := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); code != 2 {
			t.Errorf("%q: code %d", args, code)
		}
	}
}

// TestEndedPart: what a part said before it was ended counts, and half a line does not.
func TestEndedPart(t *testing.T) {
	l := lastLine([]byte(`{"figures":{"a":1}}` + "\n" + `noise` + "\n" + `{"figures":{"a":1,"b":2}}` + "\n" + `{"figures":{"a":1,"b":2,`))
	if len(l.Figures) != 2 || l.Error != "" {
		t.Errorf("%+v", l)
	}
}
