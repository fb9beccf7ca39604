//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package xla

// #cgo linux LDFLAGS: -ldl
// #include "pjrt.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// The versions of the PJRT C API whose table this package knows. A plugin of
// another major version, or an older one, is used as it is.
const (
	apiMajor  = 0
	apiOldest = 81
)

// interposed is a loaded plugin as go-xla sees it: the plugin's own table of
// functions but for two. That which compiles asks the cache of programs first,
// which is all that go-xla lacks: whatever it does with a program afterwards is
// the same for a loaded one.
type interposed struct {
	table    *C.pjrtTable // the plugin's own
	mu       sync.Mutex
	flags    *string       // that the plugin read when its first client was made
	pending  *programCache // of the client that is being made
	byClient map[unsafe.Pointer]*programCache
}

// plugins are those of the process, by slot: a library is loaded once and its
// functions have no place for a context.
var plugins struct {
	opening sync.Mutex // the environment is set for it, and go-xla registers plugins without a lock
	mu      sync.Mutex
	slots   []*interposed
	byPath  map[string]*interposed // nil for one that cannot be interposed
}

func slot(n C.int) *interposed {
	plugins.mu.Lock()
	defer plugins.mu.Unlock()
	return plugins.slots[n]
}

// newBackend makes a client of the plugin at path whose programs are kept in p.
// The caller holds plugins.opening.
func newBackend(path, config string, p *programCache) (*xla.Backend, error) {
	if _, err := pjrt.GetPlugin(path); err != nil {
		return nil, err
	}
	in, err := interpose(path)
	if err != nil {
		p.disable(err)
		return xla.NewWithOptions(config, nil)
	}
	in.mu.Lock()
	in.pending = p
	in.mu.Unlock()
	backend, err := xla.NewWithOptions(config, nil)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.pending != nil { // go-xla did not use the table
		in.pending = nil
		p.disable(errors.New("go-xla does not use the registered plugin"))
	}
	return backend, err
}

// interpose puts a table of this package before the loaded plugin at path.
func interpose(path string) (*interposed, error) {
	plugins.mu.Lock()
	defer plugins.mu.Unlock()
	if in, ok := plugins.byPath[path]; ok {
		if in == nil {
			return nil, errors.New("the plugin cannot be interposed")
		}
		return in, nil
	}
	if plugins.byPath == nil {
		plugins.byPath = map[string]*interposed{}
	}
	plugins.byPath[path] = nil
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	table := C.pjrtApi(name)
	if table == nil {
		return nil, errors.New("the loaded plugin is not found again")
	}
	if v := table.version; v.major != apiMajor || v.minor < apiOldest {
		return nil, fmt.Errorf("the plugin has version %d.%d of the PJRT C API; %d.%d or a later %d.x is known", v.major, v.minor, apiMajor, apiOldest, apiMajor)
	}
	if table.size < C.sizeof_pjrtTable {
		return nil, fmt.Errorf("the plugin's table has %d bytes, %d are needed", table.size, C.sizeof_pjrtTable)
	}
	ours := C.pjrtInterpose(table, C.int(len(plugins.slots)))
	if ours == nil {
		return nil, errors.New("too many plugins in one process")
	}
	in := &interposed{table: table, byClient: map[unsafe.Pointer]*programCache{}}
	plugins.slots = append(plugins.slots, in)
	if err := pjrt.RegisterPreloadedPlugin(path, uintptr(unsafe.Pointer(ours))); err != nil {
		return nil, err
	}
	plugins.byPath[path] = in
	return in, nil
}

// sprintCreate stands in for PJRT_Client_Create.
//
//export sprintCreate
func sprintCreate(n C.int, args unsafe.Pointer) unsafe.Pointer {
	in := slot(n)
	in.mu.Lock()
	if in.flags == nil {
		flags := os.Getenv(flagsEnv)
		in.flags = &flags
	}
	in.mu.Unlock()
	if e := C.pjrtCreate(in.table, args); e != nil {
		return e
	}
	client := (*C.clientCreateArgs)(args).client
	in.mu.Lock()
	defer in.mu.Unlock()
	p := in.pending
	if p == nil {
		return nil
	}
	in.pending = nil
	in.byClient[client] = p
	p.forgetClient = func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		delete(in.byClient, client)
	}
	platform, err := in.platform(client)
	if err != nil {
		p.disable(err)
		return nil
	}
	p.key.Platform, p.key.Flags = platform, *in.flags
	return nil
}

// sprintCompile stands in for PJRT_Client_Compile. What goes wrong with the
// cache is never an error here: then the program is compiled.
//
//export sprintCompile
func sprintCompile(n C.int, a unsafe.Pointer) unsafe.Pointer {
	in, args := slot(n), (*C.compileArgs)(a)
	in.mu.Lock()
	p := in.byClient[args.client]
	in.mu.Unlock()
	if p == nil {
		return C.pjrtCall(in.table, C.pjrtClientCompile, a)
	}
	program := args.program
	key := p.fileName(text(program.format, program.formatSize), text(args.options, args.optionsSize), text(program.code, program.codeSize))
	if data := p.read(key); data != nil {
		loaded, err := in.load(args.client, data)
		if err == nil {
			args.executable = loaded
			p.count(&p.counts.Loaded)
			return nil
		}
		p.drop(key, err)
	}
	p.tellCompiling()
	if e := C.pjrtCall(in.table, C.pjrtClientCompile, a); e != nil {
		return e
	}
	p.count(&p.counts.Compiled)
	if p.enabled() {
		data, err := in.serialize(args.executable)
		p.write(key, data, err)
	}
	return nil
}

// text is a view of C memory.
func text(s *C.char, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(s)), int(n)) }

// call calls a function of the plugin's own table.
func (in *interposed) call(function C.int, args unsafe.Pointer) error {
	e := C.pjrtCall(in.table, function, args)
	if e == nil {
		return nil
	}
	m := C.errorMessageArgs{size: C.sizeof_errorMessageArgs, error: e}
	C.pjrtCall(in.table, C.pjrtErrorMessage, unsafe.Pointer(&m))
	err := errors.New(string(text(m.message, m.length)))
	d := C.errorDestroyArgs{size: C.sizeof_errorDestroyArgs, error: e}
	C.pjrtCall(in.table, C.pjrtErrorDestroy, unsafe.Pointer(&d))
	return err
}

// platform names what programs are compiled for, in the plugin's words.
func (in *interposed) platform(client unsafe.Pointer) (string, error) {
	v := C.platformVersionArgs{size: C.sizeof_platformVersionArgs, client: client}
	if err := in.call(C.pjrtClientPlatformVersion, unsafe.Pointer(&v)); err != nil {
		return "", err
	}
	all := C.addressableDevicesArgs{size: C.sizeof_addressableDevicesArgs, client: client}
	if err := in.call(C.pjrtClientAddressableDevices, unsafe.Pointer(&all)); err != nil {
		return "", err
	}
	name := string(text(v.version, v.length))
	for _, d := range unsafe.Slice(all.devices, int(all.count)) {
		g := C.getDescriptionArgs{size: C.sizeof_getDescriptionArgs, device: d}
		if err := in.call(C.pjrtDeviceGetDescription, unsafe.Pointer(&g)); err != nil {
			return "", err
		}
		k := C.kindArgs{size: C.sizeof_kindArgs, description: g.description}
		if err := in.call(C.pjrtDeviceDescriptionKind, unsafe.Pointer(&k)); err != nil {
			return "", err
		}
		name += "\n" + string(text(k.kind, k.length))
	}
	return name, nil
}

// load makes an executable of what serialize gave.
func (in *interposed) load(client unsafe.Pointer, data []byte) (unsafe.Pointer, error) {
	bytes := C.CBytes(data)
	defer C.free(bytes)
	a := C.deserializeArgs{size: C.sizeof_deserializeArgs, client: client, bytes: (*C.char)(bytes), length: C.size_t(len(data))}
	if err := in.call(C.pjrtExecutableDeserializeAndLoad, unsafe.Pointer(&a)); err != nil {
		return nil, err
	}
	if a.loaded == nil {
		return nil, errors.New("the plugin loaded nothing")
	}
	return a.loaded, nil
}

// serialize gives the bytes of a compiled program.
func (in *interposed) serialize(loaded unsafe.Pointer) ([]byte, error) {
	g := C.getExecutableArgs{size: C.sizeof_getExecutableArgs, loaded: loaded}
	if err := in.call(C.pjrtLoadedExecutableGetExecutable, unsafe.Pointer(&g)); err != nil {
		return nil, err
	}
	d := C.executableDestroyArgs{size: C.sizeof_executableDestroyArgs, executable: g.executable}
	defer func() { _ = in.call(C.pjrtExecutableDestroy, unsafe.Pointer(&d)) }() // nothing is lost but memory
	s := C.serializeArgs{size: C.sizeof_serializeArgs, executable: g.executable}
	if err := in.call(C.pjrtExecutableSerialize, unsafe.Pointer(&s)); err != nil {
		return nil, err
	}
	defer C.pjrtFreeSerialized(&s)
	if s.length > maxProgram {
		return nil, fmt.Errorf("it has %d bytes, at most %d are kept", s.length, maxProgram)
	}
	return C.GoBytes(unsafe.Pointer(s.bytes), C.int(s.length)), nil
}
