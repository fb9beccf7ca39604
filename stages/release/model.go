package release

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Text is what is classified: a title, and a description and a language where there are.
type Text = classify.Text

// Answer is what a model says of a text. Answer.Top is the strongest category over its
// threshold, nil if there is none; Answer.Categories has all that are over theirs.
type Answer = classify.Answer

// Model is an open release that answers. It is safe for use by many goroutines at once,
// which take turns on the device: texts that are there together are best asked together.
type Model struct {
	name   string
	labels []string

	mu    sync.RWMutex // held for reading while somebody asks
	c     *classify.Classifier
	close func()
}

// ErrClosed says that a model was asked after Close.
var ErrClosed = errors.New("the model is closed")

// Option changes how Open opens a release.
type Option func(*settings)

type settings struct {
	store, cache    string
	device, backend string
	offline         bool
	trust           *signature.Trust
	storage         storage.Options
}

// WithStore names the store of a reference that is a name: a folder, or a URL. Without it
// that is the folder .sprint of the working directory.
func WithStore(url string) Option { return func(s *settings) { s.store = url } }

// WithDevice names the device: auto, cpu, cuda or go. Without it that is auto, the fastest
// that is there; go is always there.
func WithDevice(name string) Option { return func(s *settings) { s.device = name } }

// WithBackend names what computes: BackendDevice, which is the one without it, or
// BackendONNX. ONNX Runtime answers alike to 1e-5; it computes on the processor, so that of
// the devices auto and cpu can be named beside it alone.
func WithBackend(name string) Option { return func(s *settings) { s.backend = name } }

// WithCache names the folder of plugins of devices and of ONNX Runtime, which are fetched
// into it by pip where they are missing. Without it that is the one that the program sprint has.
func WithCache(dir string) Option { return func(s *settings) { s.cache = dir } }

// Offline forbids to fetch either.
func Offline() Option { return func(s *settings) { s.offline = true } }

// WithLog takes what is worth a warning. Without it nothing is logged.
func WithLog(log *slog.Logger) Option { return func(s *settings) { s.storage.Log = log } }

// WithKeys takes the keys that vouch for what a store says.
func WithKeys(keys *storage.Keyring) Option { return func(s *settings) { s.storage.Keys = keys } }

// WithTrust demands that one of some keys signed the release; nil trusts no key, so that
// none is opened. Without it no signature is demanded.
func WithTrust(trust *signature.Trust) Option {
	return func(s *settings) { s.trust = cmp.Or(trust, &signature.Trust{}) }
}

// Open opens a published model: NAME, NAME@VERSION or NAME@ALIAS in a store, a store URL
// of one (STORE/models/NAME or STORE/models/NAME/VERSION), or the folder of a release. The
// caller closes it. A bare NAME is the champion if there is one, else the latest version.
//
// What is no reference or no backend is a stages.Failure of stages.CodeUsage; a release that
// is not there, or a device or backend that is not, of stages.CodeEnvironment; one whose bytes
// are not those that were published, or that lost a file of its model, of
// stages.CodeIntegrity. Keywords never answer in place of the model.
func Open(ctx context.Context, ref string, options ...Option) (*Model, error) {
	s := settings{store: ".sprint", device: device.Auto}
	for _, o := range options {
		o(&s)
	}
	s.storage.Log = cmp.Or(s.storage.Log, slog.New(slog.DiscardHandler))
	if s.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, stages.Fail(stages.CodeEnvironment, "name a folder with WithCache", "no cache folder: %w", err)
		}
		s.cache = filepath.Join(base, "sprint")
	}
	if err := CheckBackend(s.backend, s.device); err != nil {
		return nil, stages.Fail(stages.CodeUsage, "name another one by WithBackend, or WithDevice", "open the model %s: %w", ref, err)
	}
	folder, err := OpenFolder(ctx, ref, s.store, false, &s.storage)
	if err != nil {
		return nil, err
	}
	if s.trust != nil {
		if _, err := folder.CheckSignature(ctx, s.trust); err != nil {
			folder.Close()
			return nil, err
		}
	}
	m, err := s.load(ctx, folder)
	if err != nil {
		folder.Close()
		return nil, err
	}
	return m, nil
}

// load makes a model of a folder.
func (s *settings) load(ctx context.Context, folder *Folder) (*Model, error) {
	c, err := folder.Classifier()
	if err != nil {
		return nil, err
	}
	unload, err := s.put(ctx, c, folder)
	if err != nil {
		c.Close()
		unload()
		return nil, err
	}
	return &Model{name: folder.Name, labels: c.Taxonomy.Names(), c: c, close: func() { c.Close(); unload(); folder.Close() }}, nil
}

// put puts the model of a folder where it computes. unload is called after the classifier was
// closed.
func (s *settings) put(ctx context.Context, c *classify.Classifier, folder *Folder) (unload func(), err error) {
	unload = func() {}
	announce := func(string) {}
	if s.backend == BackendONNX {
		_, err = LoadONNX(ctx, c, folder.Dir, ort.Options{CacheDir: s.cache, Offline: s.offline, Announce: announce})
	} else {
		dev, openErr := device.Open(ctx, s.device, device.Options{CacheDir: s.cache, Offline: s.offline, Log: s.storage.Log, Announce: announce})
		if openErr != nil {
			return unload, stages.Fail(stages.CodeEnvironment, "name another one by WithDevice", "open the model %s: %w", folder.Name, openErr)
		}
		unload = func() { dev.Close() }
		err = c.Load(folder.Dir, dev)
	}
	if unchanged := folder.Unchanged(); unchanged != nil {
		err = unchanged
	}
	if err == nil {
		return unload, nil
	}
	if damaged := Unreadable(folder.Name, err); damaged != nil {
		return unload, damaged
	}
	return unload, stages.Fail(stages.CodeEnvironment, "`sprint doctor` shows what is missing", "open the model %s: %w", folder.Name, err)
}

// Name is NAME@VERSION, or the folder's name of a release of no store.
func (m *Model) Name() string { return m.name }

// Categories are those that the model knows, in the order of its taxonomy.
func (m *Model) Categories() []string { return append([]string(nil), m.labels...) }

// Classify answers about texts in their order. A text for which the model has no finite
// score is refused alone: its answer has a Problem. After Close it fails with ErrClosed.
func (m *Model) Classify(ctx context.Context, texts ...Text) ([]Answer, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.close == nil {
		return nil, ErrClosed
	}
	return m.c.Classify(ctx, texts, false)
}

// Close frees the model, once nobody asks it any more. A second one does nothing.
func (m *Model) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.close != nil {
		m.close()
		m.close = nil
	}
}
