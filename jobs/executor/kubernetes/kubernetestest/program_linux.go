package kubernetestest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// module is the folder of the cluster's program, a module of its own.
const module = "jobs/executor/kubernetes/cluster"

// version is the release of Kubernetes that the program says to be.
const version = "v1.36.3"

// Program is the path of the cluster's program, which Build keeps in the user's cache.
func Program() (string, error) {
	_, file, err := find()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("the cluster's program is not built; `just cluster` does that, in a quarter of an hour")
	}
	return file, nil
}

// Build builds the program unless that is done. A second call waits for the first.
func Build(ctx context.Context) (string, error) {
	source, file, err := find()
	if err != nil {
		return "", err
	}
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	const component = "-X k8s.io/component-base/version."
	flags := strings.Join([]string{"-s -w", component + "gitVersion=" + version, component + "gitMajor=1", component + "gitMinor=36"}, " ")
	part := file + ".part"
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", part, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build in %s: %w\n%s", source, err, out)
	}
	return file, os.Rename(part, file)
}

// find returns the folder of the source, and the file that the program of that source has.
func find() (source, file string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", "", fmt.Errorf("find the module: %w", err)
	}
	source = filepath.Join(strings.TrimSpace(string(out)), module)
	names, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return "", "", err
	}
	names = append(names, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum"))
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(name), len(text), text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	return source, filepath.Join(cache, "sprint-build", "cluster", hex.EncodeToString(sum.Sum(nil))[:16], "cluster"), nil
}
