//go:build e2e && linux

package examples

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestDoctorElsewhere: a job that `sprint doctor --executor` runs on another machine names
// its device, uses the store, and leaves nothing; what is wrong there ends with code 4, each
// in a line with what to do.
func TestDoctorElsewhere(t *testing.T) {
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=6m"); err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(small, 0); err != nil {
				t.Error(err)
			}
		})
	} else {
		small = "/proc/self" // nothing can be written there either
	}
	more := ""
	for name, own := range map[string]string{
		"keyless": "credentials: own", "big": "credentials: own\n    offers: {gpus: 1}", "silent": "slots: 1",
		"full": "secrets: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]\n    cache: " + small,
	} {
		more += "  " + name + ":\n    kind: ssh\n    hosts: [n1]\n    ssh_config: CONFIG\n    " + own + "\n"
	}
	hosts, config := sshPlace(t, 1, more)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(string(text), "CONFIG", hosts.Config)), 0o600); err != nil {
		t.Fatal(err)
	}
	demanding := t.TempDir()
	if err := os.CopyFS(demanding, os.DirFS("quickstart")); err != nil {
		t.Fatal(err)
	}
	plan, err := os.ReadFile("quickstart/plan.yaml")
	if err == nil {
		err = os.WriteFile(filepath.Join(demanding, "plan.yaml"), []byte(strings.Replace(string(plan), "- name: train\n", "- name: train\n    resources: {device: cuda}\n", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	url := storagetest.S3URL(t, nil)()
	for name, c := range map[string]struct {
		args []string
		code int
		want []string // findings: WHAT STATE, a part of the text, and of the fix
	}{
		"good":       {[]string{"--executor", "gpu"}, 0, []string{"machine ok||", "store ok|written, read and deleted|", "clock ok|agrees with the store's|", "disk ok|GB free in|", "secret ok|AWS_ACCESS_KEY_ID|", "device ok||", "encoder ok|all-minilm-l6-v2|", "gpu ok|takes jobs|"}},
		"plan":       {[]string{"quickstart/plan.yaml", "--executor", "gpu"}, 0, []string{"device ok||", "encoder ok|all-minilm-l6-v2|", "gpu ok|takes jobs|"}},
		"no secrets": {[]string{"--executor", "keyless"}, 4, []string{"store bad|not reached from there|give workers credentials", "device ok|go |", "device missing|cpu: its plugin is not in the cache there|--install", "clock ok|agrees with this machine's|"}},
		"no GPU":     {[]string{demanding + "/plan.yaml", "--executor", "gpu"}, 4, []string{"gpu bad|GPU|nvidia-smi"}},
		"disk":       {[]string{"--executor", "full"}, 4, []string{"disk bad||`cache` of the executor", "store ok||"}},
		"no secret":  {[]string{"--executor", "silent"}, 4, []string{"silent bad|AWS_ACCESS_KEY_ID|executors.silent.secrets"}},
		"offered":    {[]string{"--executor", "big"}, 4, []string{"big bad|GPU|nvidia-smi"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(sprint(t), append([]string{"doctor", "-o", "json", "--store", url, "--config", config}, c.args...)...)
			var said strings.Builder
			cmd.Stderr = &said
			out, _ := cmd.Output() // the code is looked at
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("code %d, want %d: %s%s", code, c.code, out, &said)
			}
			for _, want := range c.want {
				if !found(t, string(out), want) {
					t.Errorf("no %q in\n%s%s", want, out, &said)
				}
			}
			if left := keys(t, url, "probe/") + keys(t, url, "runs/"); left != "" {
				t.Errorf("the store has %s", left)
			}
			jobs, err := filepath.Glob(filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh/jobs/*"))
			if err != nil || len(jobs) > 0 {
				t.Errorf("left there: %v, %v", jobs, err)
			}
			if strings.Contains(string(out), os.Getenv("AWS_SECRET_ACCESS_KEY")) {
				t.Error("a secret is told")
			}
		})
	}
}

// TestDoctorElsewhereStopped: one that waits for a slot tells so, and Ctrl-C ends it with
// nothing left there or in the store.
func TestDoctorElsewhereStopped(t *testing.T) {
	hosts, config := sshPlace(t, 1, "")
	url := storagetest.S3URL(t, nil)()
	folder := filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh")
	if err := os.MkdirAll(filepath.Join(folder, "slots"), 0o700); err != nil {
		t.Fatal(err)
	}
	slot, err := os.Create(filepath.Join(folder, "slots/0"))
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Close()
	if err := syscall.Flock(int(slot.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sprint(t), "doctor", "-o", "json", "--store", url, "--config", config, "--executor", "gpu")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waits := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "all slots are taken") && !waits {
			waits = true
			_ = cmd.Process.Signal(os.Interrupt)
		}
	}
	_ = cmd.Wait() // the code is looked at
	if code := cmd.ProcessState.ExitCode(); !waits || code != 75 {
		t.Errorf("it waits: %v, code %d: %s", waits, code, &stderr)
	}
	jobs, err := filepath.Glob(filepath.Join(folder, "jobs/*"))
	if left := keys(t, url, "probe/") + keys(t, url, "runs/"); err != nil || len(jobs) > 0 || left != "" {
		t.Errorf("left there: %v, %v; in the store: %s", jobs, err, left)
	}
}

// found looks for a finding among lines of JSON: "WHAT STATE|TEXT|FIX".
func found(t *testing.T, out, want string) bool {
	t.Helper()
	parts := strings.Split(want, "|")
	for line := range strings.Lines(out) {
		var f struct{ What, State, Text, Fix string }
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if fmt.Sprint(f.What, " ", f.State) == parts[0] && strings.Contains(f.Text, parts[1]) && strings.Contains(f.Fix, parts[2]) {
			return true
		}
	}
	return false
}
