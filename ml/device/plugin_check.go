package device

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"io"
	"runtime"
)

// ErrCorruptPlugin is wrapped by errors about a file that is no plugin at all
// or is cut short (exit code 9).
var ErrCorruptPlugin = errors.New("not a usable PJRT plugin")

// entryPoint is the one symbol that a PJRT plugin exports.
const entryPoint = "GetPjrtApi"

// checkLibrary reads as much of a shared library as tells a plugin for this
// machine from a text file, another architecture or a truncated download.
func checkLibrary(path string) error {
	f, err := plainfile.Open(path)
	if err != nil {
		return fmt.Errorf("open the plugin: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat the plugin: %w", err)
	}
	if runtime.GOOS == "darwin" {
		err = checkMachO(f)
	} else {
		err = checkELF(f, info.Size())
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrCorruptPlugin, err)
	}
	return nil
}

func checkELF(r io.ReaderAt, size int64) error {
	lib, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if lib.Type != elf.ET_DYN || lib.Machine != machine {
		return fmt.Errorf("it is %v for %v, this machine is %s", lib.Type, lib.Machine, runtime.GOARCH)
	}
	for _, p := range lib.Progs {
		if p.Type == elf.PT_LOAD && (p.Filesz > uint64(size) || p.Off > uint64(size)-p.Filesz) {
			return fmt.Errorf("it is cut short: %d bytes, a segment ends at %d", size, p.Off+p.Filesz)
		}
	}
	symbols, err := lib.DynamicSymbols()
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if s.Name == entryPoint && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return errors.New("it does not export " + entryPoint)
}

func checkMachO(r io.ReaderAt) error {
	lib, err := macho.NewFile(r)
	if err != nil {
		return err
	}
	if lib.Type != macho.TypeDylib && lib.Type != macho.TypeBundle {
		return fmt.Errorf("it is %v, not a dynamic library", lib.Type)
	}
	if lib.Symtab == nil {
		return errors.New("it has no symbols")
	}
	for _, s := range lib.Symtab.Syms {
		if s.Name == "_"+entryPoint {
			return nil
		}
	}
	return errors.New("it does not export " + entryPoint)
}
