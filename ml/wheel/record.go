package wheel

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxRecord caps a RECORD in bytes; those of the pinned wheels have 2,000.
const maxRecord = 1 << 20

// members are the files of a wheel by their path in it.
type members map[string]member

type member struct {
	sha256 string // 64 hex digits
	size   int64
}

// recordPath is where a wheel has its list of files: the RECORD of the binary distribution
// format, lines of path, digest and size.
func (p Pin) recordPath() string {
	return strings.ReplaceAll(p.Name, "-", "_") + "-" + p.Version + ".dist-info/RECORD"
}

// readRecord gives the files that an entry must hold, and no other: those that are kept, and
// the RECORD itself. Only the pinned RECORD is read: what lies in a folder cannot vouch for
// itself. A missing one is fs.ErrNotExist.
func readRecord(dir string, p Pin) (members, error) {
	path := filepath.Join(dir, filepath.FromSlash(p.recordPath()))
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is no file", p.recordPath()))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != p.Record {
		return nil, fmt.Errorf("%s has sha256 %s, pinned is %s", p.recordPath(), got, p.Record)
	}
	lines, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.recordPath(), err)
	}
	all := members{p.recordPath(): {p.Record, int64(len(data))}}
	for _, line := range lines {
		if !kept(line[0], p.Keep) || line[0] == p.recordPath() {
			continue
		}
		if all[line[0]], err = parseMember(line); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", p.recordPath(), line[0], err)
		}
	}
	if len(all) == 1 {
		return nil, errors.New("holds none of the expected files")
	}
	return all, nil
}

func parseMember(line []string) (member, error) {
	if len(line) != 3 || !filepath.IsLocal(filepath.FromSlash(line[0])) {
		return member{}, errors.New("is no path in a wheel with its digest and size")
	}
	digest, ok := strings.CutPrefix(line[1], "sha256=")
	sum, err := base64.RawURLEncoding.DecodeString(digest)
	if !ok || err != nil || len(sum) != sha256.Size {
		return member{}, fmt.Errorf("%q is no sha256", line[1])
	}
	size, err := strconv.ParseInt(line[2], 10, 64)
	if err != nil {
		return member{}, fmt.Errorf("size: %w", err)
	}
	return member{hex.EncodeToString(sum), size}, nil
}

// FileDigest is the sha256 (hex) of one member of an entry that Fetch or Find returned.
func FileDigest(dir string, p Pin, name string) (string, error) {
	all, err := readRecord(dir, p)
	if err != nil {
		return "", fmt.Errorf("read the RECORD of %s: %w", dir, err)
	}
	m, ok := all[name]
	if !ok {
		return "", fmt.Errorf("%s is not a member of %s", name, dir)
	}
	return m.sha256, nil
}
