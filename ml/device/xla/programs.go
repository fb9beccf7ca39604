package xla

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Programs counts the programs that a device compiled, or loaded because they
// were compiled before.
type Programs struct {
	Compiled, Loaded int
}

const (
	// programHeader begins a kept program; the digest of its name and bytes
	// follows, then the bytes.
	programHeader = "sprint program 1\n"
	// maxProgram bounds one program, maxPrograms all that are kept, in bytes: a
	// training program of a 6-layer BERT has 1 to 2 MB.
	maxProgram  = 256 << 20
	maxPrograms = 1 << 30
	// staleAfter is the age of a temporary file that nobody writes any more.
	staleAfter = time.Hour
)

// programCache keeps compiled programs in a folder. It is a cache: whatever is wrong
// with the folder or a file in it only means that a program is compiled again.
// Processes share the folder; files are whole or absent.
type programCache struct {
	dir          string
	maxBytes     int64 // of all files
	log          *slog.Logger
	key          programKey
	forgetClient func() // takes the client out of the interposer's table

	mu        sync.Mutex
	reason    error // why nothing is kept
	counts    Programs
	compiling func(kept bool) // told before each program that is compiled; nil is nobody
}

// programKey is all but the program itself that its compilation depends on.
type programKey struct {
	Format   string
	Plugin   string // digest
	Device   string
	Platform string   // version of the plugin's platform and names of its devices
	CPU      []string // model and features
	CPUs     int      // XLA cuts work into as many parts
	Flags    string   // of the environment, as the plugin read them
}

// newProgramCache keeps the programs of a plugin in the folder that the options name.
func newProgramCache(o Options) *programCache {
	p := &programCache{dir: o.Programs, maxBytes: maxPrograms, log: o.Log, forgetClient: func() {}}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.key = programKey{Format: programHeader, Plugin: o.Digest, Device: o.Device, CPU: processor(), CPUs: runtime.NumCPU()}
	switch {
	case p.dir == "":
		p.disable(errors.New("there is no cache folder"))
	case o.Digest == "":
		p.disable(errors.New("the plugin's digest is unknown"))
	case len(p.key.CPU) == 0:
		p.disable(errors.New("the CPU's model is unknown"))
	}
	return p
}

// counted is a copy of the counts.
func (p *programCache) counted() Programs {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// disable stops keeping programs.
func (p *programCache) disable(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == nil {
		p.reason = reason
		p.log.Debug("compiled programs are not kept", "folder", p.dir, "reason", reason)
	}
}

// enabled reports whether programs are kept.
func (p *programCache) enabled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason == nil
}

// onCompile names who is told before each program that is compiled.
func (p *programCache) onCompile(told func(kept bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compiling = told
}

// tellCompiling tells that a program is compiled now.
func (p *programCache) tellCompiling() {
	p.mu.Lock()
	told, kept := p.compiling, p.reason == nil
	p.mu.Unlock()
	if told != nil {
		told(kept)
	}
}

// count adds one to one of the counts.
func (p *programCache) count(n *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*n++
}

// identity is what programs depend on; nil if a part of it is unknown.
func (p *programCache) identity() []byte {
	if p.key.Plugin == "" || p.key.Platform == "" || len(p.key.CPU) == 0 {
		return nil
	}
	key, err := json.Marshal(p.key)
	if err != nil {
		return nil
	}
	return key
}

// fileName is the name of a program's file: the digest of all that its bytes depend on.
func (p *programCache) fileName(parts ...[]byte) string {
	h := sha256.New()
	key, err := json.Marshal(p.key)
	if err != nil {
		p.disable(err)
	}
	for _, part := range slices.Insert(parts, 0, key) {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(part))) // a hash takes everything
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func programDigest(name string, data []byte) []byte {
	h := sha256.New()
	io.WriteString(h, name) //nolint:errcheck // a hash takes everything
	h.Write(data)
	return h.Sum(nil)
}

// read gives a kept program, nil if there is none that can be trusted.
func (p *programCache) read(name string) []byte {
	if !p.enabled() {
		return nil
	}
	data, err := p.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		p.drop(name, err)
		return nil
	}
	now := time.Now()
	if err := os.Chtimes(filepath.Join(p.dir, name), now, now); err != nil {
		p.log.Debug("the use of a kept program is not recorded", "program", name, "error", err)
	}
	return data
}

func (p *programCache) open(name string) ([]byte, error) {
	if err := p.checkFolder(); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(p.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !owned(info) || info.Mode().Perm()&0o022 != 0 {
		return nil, errors.New("others could have written it")
	}
	if info.Size() > maxProgram {
		return nil, fmt.Errorf("it has %d bytes, more than any program", info.Size())
	}
	all, err := io.ReadAll(io.LimitReader(f, maxProgram+1))
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(all, []byte(programHeader))
	if !ok || len(rest) < sha256.Size {
		return nil, errors.New("it is no program, or cut short")
	}
	sum, data := rest[:sha256.Size], rest[sha256.Size:]
	if !bytes.Equal(sum, programDigest(name, data)) {
		return nil, errors.New("its bytes are not those that were written")
	}
	return data, nil
}

// checkFolder refuses a folder in which others could have put programs: a loaded
// program is code that runs.
func (p *programCache) checkFolder() error {
	info, err := os.Lstat(p.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !owned(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that this user alone can write", p.dir)
	}
	return nil
}

// drop removes a program that cannot be used.
func (p *programCache) drop(name string, reason error) {
	p.log.Debug("a kept program is not used", "program", name, "reason", reason)
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Debug("a kept program cannot be removed", "program", name, "error", err)
	}
}

// write keeps a program. err is why there are no bytes.
func (p *programCache) write(name string, data []byte, err error) {
	if err == nil {
		err = p.put(name, data)
	}
	if err != nil {
		p.disable(err)
		return
	}
	p.evict()
}

func (p *programCache) put(name string, data []byte) (err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if err := p.checkFolder(); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.dir, ".new-*") // for this user alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name()) // the first error tells more
		}
	}()
	for _, part := range [][]byte{[]byte(programHeader), programDigest(name, data), data} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(p.dir, name))
}

// evict removes the programs that were not used for longest until the rest are
// few enough, and what killed processes left.
func (p *programCache) evict() {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.log.Debug("kept programs cannot be listed", "folder", p.dir, "error", err)
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // another process removed it, or it is no program
		}
		if strings.HasPrefix(e.Name(), ".new-") {
			if time.Since(info.ModTime()) > staleAfter {
				_ = os.Remove(filepath.Join(p.dir, e.Name())) // tried again next time
			}
			continue
		}
		if len(e.Name()) != 2*sha256.Size {
			continue
		}
		files, total = append(files, info), total+info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, f := range files {
		if total <= p.maxBytes {
			return
		}
		p.drop(f.Name(), errors.New("it is the one not used for longest, and all are too large"))
		total -= f.Size()
	}
}

// processor is the model of the first processor and what it can do; nil if unknown.
func processor() []string {
	if runtime.GOOS == "darwin" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string", "hw.cpufamily").Output()
		if err != nil {
			return nil
		}
		return strings.Fields(string(out))
	}
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil
	}
	return processorFacts(string(data))
}

// Processor is the model and the features of the machine's processor; nil if unknown.
func Processor() []string { return processor() }

// processorFacts are the lines of Linux's /proc/cpuinfo that tell processors apart.
func processorFacts(info string) []string {
	first, _, _ := strings.Cut(info, "\n\n")
	var out []string
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		switch name = strings.TrimSpace(name); name {
		case "vendor_id", "cpu family", "model", "model name", "stepping", "flags", // x86
			"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features": // ARM
			out = append(out, name+": "+strings.TrimSpace(value))
		}
	}
	return out
}
