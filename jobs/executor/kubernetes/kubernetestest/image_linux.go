package kubernetestest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// inside are the programs of an image: what starts a worker, and what holds a pod.
var inside = []string{"sh", "uname", "sha256sum", "cut", "mkdir", "rm", "mv", "chmod", "curl", "sleep", "cat"}

// holds is the command that holds a pod.
var holds = []string{"/usr/bin/sleep", "infinity"}

// besides are libraries that workers load: those of C and C++.
var besides = []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "libgcc_s.so.1", "libstdc++.so.6"}

// makeImage writes the image of the cluster's pods: programs of this machine with their
// libraries, as no registry can be reached from everywhere.
func (c *Cluster) makeImage() {
	c.t.Helper()
	files := map[string]string{} // where they stand in the image, and here
	for _, name := range inside {
		path, err := exec.LookPath(name)
		c.must(err)
		files["usr/bin/"+name] = path
		out, err := exec.Command("ldd", path).Output()
		if err != nil {
			continue // a static one
		}
		for _, library := range libraries.FindAllString(string(out), -1) {
			files[strings.TrimPrefix(library, "/")] = library
		}
	}
	for _, name := range besides {
		found, _ := filepath.Glob("/lib/*/" + name)
		if len(found) == 0 {
			found, _ = filepath.Glob("/usr/lib/*/" + name)
		}
		for _, library := range found {
			files[strings.TrimPrefix(library, "/")] = library
		}
	}
	layer := layerOf(files, c.must)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": holds, "Env": []string{"PATH=/usr/bin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	c.must(err)
	manifest, err := json.Marshal([]map[string]any{{"Config": digest(config) + ".json", "RepoTags": []string{c.Image}, "Layers": []string{"layer.tar"}}})
	c.must(err)
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	for _, part := range []struct {
		name string
		data []byte
	}{{digest(config) + ".json", config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		c.must(w.WriteHeader(&tar.Header{Name: part.name, Mode: 0o644, Size: int64(len(part.data))}))
		_, err := w.Write(part.data)
		c.must(err)
	}
	c.must(w.Close())
	c.must(os.WriteFile(c.at("image.tar"), image.Bytes(), 0o644))
}

// libraries are the paths in what ldd says.
var libraries = regexp.MustCompile(`/\S*\.so\S*`)

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// layerOf is an archive of files, where folders that are one elsewhere are one too.
func layerOf(files map[string]string, must func(error)) []byte {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	folder := func(name string, mode int64) {
		must(w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode}))
	}
	for _, name := range []string{"etc", "usr", "usr/bin", "usr/lib", "usr/lib64"} {
		folder(name, 0o755)
	}
	folder("tmp", 0o1777)
	for _, name := range []string{"bin", "lib", "lib64"} {
		must(w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "usr/" + name, Mode: 0o777}))
	}
	whole := map[string]string{}
	for name, from := range files {
		if !strings.HasPrefix(name, "usr/") {
			name = "usr/" + name
		}
		whole[name] = from
	}
	made := map[string]bool{"usr/bin": true, "usr/lib": true, "usr/lib64": true}
	names := make([]string, 0, len(whole))
	for name := range whole {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if dir := filepath.Dir(name); !made[dir] {
			made[dir] = true
			folder(dir, 0o755)
		}
		data, err := os.ReadFile(whole[name])
		must(err)
		must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}))
		_, err = w.Write(data)
		must(err)
	}
	must(w.Close())
	return layer.Bytes()
}
