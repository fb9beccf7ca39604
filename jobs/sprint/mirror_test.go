package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestModelsMirror: a plan's mirror is brought up to date by its command, what a store knows of
// it is in the list of models, and an alias that moves leaves it behind until the next time.
func TestModelsMirror(t *testing.T) {
	public, _ := filepath.Abs("../../storage/models/signature/testdata/spec-v1.0-key.pub.pem")
	newKeyer(t) // its plan, in a folder of its own
	registry := ocitest.New(t)
	s, err := storage.Open(t.Context(), "store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, text := range []string{"one", "two"} {
		a, err := s.Put(t.Context(), strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "model.safetensors", Digest: a.Digest, Size: a.Size}})
		if err == nil {
			_, err = models.In(s).Publish(t.Context(), "keys", tree, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := models.In(s).SetAlias(t.Context(), "keys", "latest", 1); err != nil {
		t.Fatal(err)
	}
	dir, _ := filepath.Abs(".")
	mirror := "publish.mirror=[{to: \"oci://" + registry.Host + "/" + registry.Repository + "\", plain: true}]"
	push := []string{"models", "mirror", "plan.yaml", "--store", "store", "--set", mirror}
	if code, stdout, stderr := exec(t, dir, push...); code != 0 || !strings.Contains(stdout, "latest is version 1") {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	if files := registry.Files(t, "latest"); len(files) != 1 {
		t.Errorf("latest has %v", files)
	}
	if code, _, stderr := exec(t, dir, "promote", "keys@2", "--alias", "latest", "--store", "store"); code != 0 {
		t.Fatal(stderr)
	}
	if code, stdout, _ := exec(t, dir, "models", "--store", "store"); code != 0 || !strings.Contains(stdout, ": latest is version 1 there, not 2") {
		t.Errorf("code %d: %s", code, stdout)
	}
	// Another registry is asked where nobody listens, about two versions.
	if code, _, stderr := exec(t, dir, "promote", "keys@1", "--store", "store"); code != 0 {
		t.Fatal(stderr)
	}
	away := append(push[:len(push)-1:len(push)-1], `publish.mirror=[{to: "oci://127.0.0.1:1/team/news", plain: true}]`)
	for _, says := range []string{"is behind: keys@1, keys@2: ", "connection refused (2 tries failed)"} {
		if code, stdout, stderr := exec(t, dir, away...); code != 4 || !strings.Contains(stdout, says) || !strings.Contains(stderr, "the same command") {
			t.Errorf("code %d: %s%s", code, stdout, stderr)
		}
	}
	if code, stdout, _ := exec(t, dir, "models", "--store", "store"); code != 0 || !strings.Contains(stdout, " is behind since ") || !strings.Contains(stdout, ": champion is not there, latest is not there; the last try on ") || !strings.Contains(stdout, "`sprint models mirror PLAN`") {
		t.Errorf("code %d: %s", code, stdout)
	}
	// A program is told once; the next time it hears what it did not take.
	tell := append(push[:len(push)-1:len(push)-1], `publish.mirror=[{to: "command://team", command: [sh, -c, "[ -e down ] && echo no >&2 && exit 1; cat >> heard"]}]`)
	for _, c := range []struct {
		down  bool
		code  int
		says  string
		heard int
	}{{true, 4, "mirror command://team of keys is behind: keys@1: alias champion: sh ended with exit status 1: no", 0}, {false, 0, "latest is version 2", 1}, {false, 0, "latest is version 2", 1}} {
		down := filepath.Join(dir, "down")
		if c.down {
			_ = os.WriteFile(down, nil, 0o600)
		} else {
			_ = os.Remove(down)
		}
		code, stdout, stderr := exec(t, dir, tell...)
		heard, _ := os.ReadFile(filepath.Join(dir, "heard"))
		if code != c.code || !strings.Contains(stdout, c.says) || strings.Count(string(heard), `"alias":"latest"`) != c.heard {
			t.Errorf("code %d: %s%s; it heard %s", code, stdout, stderr, heard)
		}
		_, list, _ := exec(t, dir, "models", "--store", "store")
		if strings.Contains(list, "mirror command://team of keys is behind") != c.down {
			t.Errorf("down %t: %s", c.down, list)
		}
	}
	code, stdout, stderr := exec(t, dir, append(push, "-o", "json")...)
	var state struct {
		Model   string
		Aliases map[string]int
	}
	if err := json.Unmarshal([]byte(stdout), &state); code != 0 || err != nil || state.Model != "keys" || state.Aliases["latest"] != 2 {
		t.Errorf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if code, stdout, stderr := exec(t, dir, "models", "mirror", "plan.yaml", "--store", "store"); code != 2 || !strings.Contains(stderr, "lists a mirror") {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := exec(t, dir, "store", "check", "--store", "store"); code != 0 {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
	write(t, dir, map[string]string{"trust.yaml": "model_keys: [" + strconv.Quote(public) + "]\n"})
	if code, stdout, stderr := exec(t, dir, append(push, "--config", "trust.yaml")...); code != 4 || !strings.Contains(stdout, "it is not signed") {
		t.Errorf("where a signature is demanded: code %d: %s%s", code, stdout, stderr)
	}
}
