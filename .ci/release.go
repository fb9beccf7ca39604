//go:build ignore

// Release builds what is published of a version, from the commit that is checked
// out and nothing else: an archive for each platform, a CycloneDX document of
// each program in them, and SHA256SUMS. The same commit, Go and C compiler give
// the same bytes. It runs on linux/amd64, where alone XLA is built in.
//
//	go run .ci/release.go [-out dist] v1.2.3
//	go run .ci/release.go -sbom sprint.cdx.json bin/sprint
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// cyclonedx writes the document of a program from what Go left in it.
const cyclonedx = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// platform is one of those released. XLA needs cgo, and cgo the platform's own
// C compiler.
type platform struct{ os, arch, cgo string }

var platforms = []platform{
	{"linux", "amd64", "1"},
	{"linux", "arm64", "0"},
	{"darwin", "amd64", "0"},
	{"darwin", "arm64", "0"},
	{"windows", "amd64", "0"},
}

var valid = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// member is a file of an archive.
type member struct {
	name string
	data []byte
	mode int64
}

func main() {
	out := flag.String("out", "dist", "the folder that gets the files; it must not be there yet")
	sbom := flag.String("sbom", "", "write only the CycloneDX document of a program")
	flag.Parse()
	err := fmt.Errorf("want one argument, the version, as v1.2.3")
	if flag.NArg() == 1 && *sbom != "" {
		err = describe(".", flag.Arg(0), *sbom)
	} else if flag.NArg() == 1 {
		err = release(flag.Arg(0), *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(version, out string) error {
	if !valid.MatchString(version) {
		return fmt.Errorf("%q is no version, as v1.2.3 is", version)
	}
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		return fmt.Errorf("this is %s/%s; a release is built on linux/amd64", runtime.GOOS, runtime.GOARCH)
	}
	if _, err := os.Stat(out); err == nil {
		return fmt.Errorf("%s is there; move it away", out)
	}
	if changed, err := run(".", nil, "git", "status", "--porcelain"); err != nil || len(changed) > 0 {
		return fmt.Errorf("what is not committed would be missing: %s (%v)", changed, err)
	}
	work, err := os.MkdirTemp("", "sprint-release-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	src := filepath.Join(work, "src")
	when, err := checkOut(src, version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	texts, err := run(src, nil, "go", "run", ".ci/licences.go", "-texts")
	if err != nil {
		return err
	}
	shared := []member{{name: "THIRD_PARTY_LICENSES.txt", data: texts, mode: 0o644}}
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return err
		}
		shared = append(shared, member{name, data, 0o644})
	}
	for _, p := range platforms {
		if err := p.release(src, out, version, when, shared); err != nil {
			return fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
	}
	return sums(out)
}

// checkOut puts the commit, under the version's tag, into a new folder: Go takes
// the version of a program from there. It returns the commit's time.
func checkOut(src, version string) (time.Time, error) {
	here, err := filepath.Abs(".")
	if err != nil {
		return time.Time{}, err
	}
	head, err := run(here, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return time.Time{}, err
	}
	tagged, err := run(here, nil, "git", "for-each-ref", "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)", "refs/tags/"+version)
	if err != nil {
		return time.Time{}, err
	}
	if len(tagged) > 0 && !bytes.Equal(tagged, head) {
		return time.Time{}, fmt.Errorf("the tag %s is at %.12s, and %.12s is checked out", version, tagged, head)
	}
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-tags", here, src},
		{"-C", src, "checkout", "--quiet", "--detach", strings.TrimSpace(string(head))},
		{"-C", src, "-c", "tag.gpgSign=false", "tag", version},
	} {
		if _, err := run(here, nil, "git", args...); err != nil {
			return time.Time{}, err
		}
	}
	stamp, err := run(src, nil, "git", "show", "--no-patch", "--format=%cI", "HEAD")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(string(stamp)))
}

// release builds, describes and packs the program for a platform.
func (p platform) release(src, out, version string, when time.Time, shared []member) error {
	name := fmt.Sprintf("sprint_%s_%s_%s", version, p.os, p.arch)
	program := filepath.Join(filepath.Dir(src), name)
	env := []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=" + p.cgo}
	if _, err := run(src, env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", program, "./jobs/sprint"); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	if info.Main.Version != version {
		return fmt.Errorf("the program says that it is %s, not %s", info.Main.Version, version)
	}
	if err := describe(src, program, filepath.Join(out, name+".cdx.json")); err != nil {
		return err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	pack, ending, binary := packTar, ".tar.gz", "sprint"
	if p.os == "windows" {
		pack, ending, binary = packZip, ".zip", "sprint.exe"
	}
	members := slices.Clone(shared)
	members = append(members, member{binary, data, 0o755})
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	if err := pack(&archive, name, when, members); err != nil {
		return err
	}
	fmt.Printf("%s%s\t%.1f MB\n", name, ending, float64(archive.Len())/1e6)
	return os.WriteFile(filepath.Join(out, name+ending), archive.Bytes(), 0o644)
}

// describe writes the CycloneDX document of a program, with the licences of
// what it is made of.
func describe(src, program, file string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	// Neither time nor serial number: the same program has the same document.
	if _, err := run(src, nil, "go", "run", cyclonedx, "bin", "-json", "-std", "-noserial", "-notimestamp", "-output", file, program); err != nil {
		return err
	}
	_, err = run(src, nil, "go", "run", ".ci/licences.go", "-sbom", file)
	return err
}

func packTar(w io.Writer, folder string, when time.Time, members []member) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zipped)
	for _, m := range members {
		if err := out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + m.name, Size: int64(len(m.data)), Mode: m.mode, ModTime: when, Format: tar.FormatPAX,
		}); err != nil {
			return err
		}
		if _, err := out.Write(m.data); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return zipped.Close()
}

func packZip(w io.Writer, folder string, when time.Time, members []member) error {
	out := zip.NewWriter(w)
	for _, m := range members {
		h := &zip.FileHeader{Name: folder + "/" + m.name, Method: zip.Deflate, Modified: when.UTC()}
		h.SetMode(os.FileMode(m.mode))
		f, err := out.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(m.data); err != nil {
			return err
		}
	}
	return out.Close()
}

// sums writes the digests as sha256sum does.
func sums(out string) error {
	files, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(data), f.Name())
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(text.String()), 0o644)
}

// run runs a command and returns what it prints, with neither the flags that a
// user has set for Go nor another module's workspace.
func run(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.Env = append(cmd.Env, env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return bytes.TrimSpace(out), nil
}
