package encoder

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// defaultHub is used when neither Options.HubURL nor HF_ENDPOINT says otherwise.
const defaultHub = "https://huggingface.co"

// recordFile is written last into a fetched folder and names every file's digest.
const recordFile = ".sprint-encoder.json"

// hubRecord is the content of recordFile.
type hubRecord struct {
	Name     string            `json:"name"`
	Revision string            `json:"revision"`
	Files    map[string]string `json:"files"` // name -> sha256 hex
	// Prompts says that the revision was asked for its prompts; entries of before have none.
	Prompts bool `json:"prompts"`
}

// hub speaks the two calls of the Hugging Face hub that are needed.
type hub struct {
	base   string
	token  string
	client *http.Client
}

func newHub(ref string, o Options) (*hub, error) {
	base, err := url.Parse(strings.TrimRight(cmp.Or(o.HubURL, os.Getenv("HF_ENDPOINT"), defaultHub), "/"))
	if err != nil || base.User != nil {
		return nil, &FetchError{Ref: ref, Message: "the address of the hub holds a user or a password, or is none", Hint: "write HF_ENDPOINT as https://host, and set HF_TOKEN to the token"}
	}
	token := os.Getenv("HF_TOKEN")
	if o.Token != nil {
		token = o.Token()
	}
	c := retryablehttp.NewClient()
	c.Logger = nil // it would log URLs, which may carry a CDN's signature
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = 4, 500*time.Millisecond, 8*time.Second
	c.HTTPClient.Transport = &timeoutTransport{
		next:   c.HTTPClient.Transport,
		answer: cmp.Or(o.AnswerTimeout, defaultAnswerTimeout), stall: cmp.Or(o.StallTimeout, defaultStallTimeout),
	}
	c.CheckRetry = retryUnlessTimedOut
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler // the last answer, not "giving up after 5 attempts"
	c.HTTPClient.CheckRedirect = checkRedirect
	return &hub{base: base.String(), token: token, client: c.StandardClient()}, nil
}

// maxHubJSON caps what the hub says of a revision, and what is kept of an entry.
const maxHubJSON = 16 << 20

// maxRedirects is net/http's own limit.
const maxRedirects = 10

// redirectError is a redirection that is not followed, whatever the next try brings.
type redirectError struct{ why string }

func (e *redirectError) Error() string { return e.why }

// checkRedirect follows the hub to where its large files lie, but not out of TLS. The
// token stays with the hub: net/http keeps it on other ports and subdomains of its host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) >= maxRedirects:
		return &redirectError{fmt.Sprintf("stopped after %d redirects", maxRedirects)}
	case from.Scheme == "https" && req.URL.Scheme != "https":
		return &redirectError{fmt.Sprintf("the hub redirects to %s://%s, which is not https", req.URL.Scheme, req.URL.Host)}
	case req.URL.Scheme != from.Scheme || req.URL.Host != from.Host:
		req.Header.Del("Authorization")
	}
	return nil
}

// retryUnlessTimedOut is retryablehttp's own policy, but for a server that does not answer:
// who waits for a plan would wait for every one of the attempts.
func retryUnlessTimedOut(ctx context.Context, resp *http.Response, err error) (bool, error) {
	var timeout *timeoutError
	var redirect *redirectError
	if errors.As(err, &timeout) || errors.As(err, &redirect) {
		return false, nil
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// get sends one GET. The token goes to the hub only.
func (h *hub) get(ctx context.Context, address string, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	if from > 0 { // a revision never changes, so no If-Range is needed
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	// Transparent compression would hide the length that resuming counts on.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := h.client.Do(req)
	if err != nil {
		// url.Error repeats the address of the last hop, signature and all.
		var ue *url.Error
		if errors.As(err, &ue) && ctx.Err() == nil {
			err = fmt.Errorf("GET %s: %w", address, ue.Err)
		}
		if h.token != "" && strings.Contains(err.Error(), h.token) { // it quotes what is no HTTP
			err = errors.New(strings.ReplaceAll(err.Error(), h.token, "***"))
		}
		return nil, err
	}
	return resp, nil
}

// statusError turns an answer that is no content into what the user can do.
func (h *hub) statusError(id ID, what string, status int) *FetchError {
	e := &FetchError{Ref: id.Ref, Message: fmt.Sprintf("the hub answered %d for %s", status, what)}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Hint = "the model is private, gated or misspelt: accept its terms on the hub and set HF_TOKEN"
	case http.StatusNotFound:
		e.Hint = "check the name and the revision, and that the model has a " + weightsFile
	default:
		e.Hint = "try again later, set HF_ENDPOINT to a mirror, or give a folder instead"
	}
	return e
}

// licenseName is the form of the hub's names of licences. Model cards show it, so it is no
// text of the hub's choice.
var licenseName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{0,40}$`)

// askHub fills in the commit that a branch, tag or nothing stands for, and the licence.
func askHub(ctx context.Context, id *ID, o Options) error {
	if o.Offline {
		return &FetchError{Ref: id.Ref, Message: "its revision is not pinned and --offline forbids asking the hub", Hint: "write " + id.Name + "@<40 hex digits>, or run once while online"}
	}
	revision := cmp.Or(id.Revision, "main")
	h, err := newHub(id.Ref, o)
	if err != nil {
		return err
	}
	resp, err := h.get(ctx, h.base+"/api/models/"+id.Name+"/revision/"+url.PathEscape(revision), 0)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &FetchError{Ref: id.Ref, Message: "the hub cannot be reached", Err: err, Hint: "check the network, set HF_ENDPOINT to a mirror, or give a folder instead"}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return h.statusError(*id, "revision "+revision, resp.StatusCode)
	}
	var info struct {
		SHA  string   `json:"sha"`
		Tags []string `json:"tags"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHubJSON)).Decode(&info); err != nil {
		return &FetchError{Ref: id.Ref, Message: "the hub's answer cannot be read", Err: err}
	}
	if !fullHash.MatchString(info.SHA) {
		return &FetchError{Ref: id.Ref, Message: "what the hub names as the revision is no commit"}
	}
	id.Revision = info.SHA
	for _, tag := range info.Tags {
		if l, ok := strings.CutPrefix(tag, "license:"); ok && licenseName.MatchString(l) {
			id.License = l
		}
	}
	return nil
}

// hubDir is the cache folder of one revision.
func hubDir(id ID, o Options) string {
	return filepath.Join(o.CacheDir, "hub", strings.ReplaceAll(id.Name, "/", "--")+"@"+id.Revision)
}

// fetchHub returns the verified folder of a hub model. Files are fetched into a
// sibling folder and renamed when all are there; what an interrupted fetch left
// in that sibling is continued, not taken for done.
func fetchHub(ctx context.Context, id ID, o Options) (string, error) {
	if !fullHash.MatchString(id.Revision) || hubRef.FindString(id.Name) == "" {
		return "", &FetchError{Ref: id.Ref, Message: fmt.Sprintf("%s@%s is not a pinned hub model", id.Name, id.Revision)}
	}
	dir := hubDir(id, o)
	err := verifyHub(dir, id)
	if err == nil {
		return dir, nil
	}
	if o.Offline {
		if errors.Is(err, errBefore) {
			return "", &FetchError{Ref: id.Ref, Message: "the cached copy in " + dir + " was fetched without its prompts", Hint: "run once without --offline to complete it"}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", &FetchError{Ref: id.Ref, Message: "the cached copy in " + dir + " is damaged", Err: errors.Join(err, ErrCorrupt), Hint: "run once without --offline to fetch it again"}
		}
		return "", &FetchError{Ref: id.Ref, Message: "it is not in the cache and --offline forbids fetching it", Hint: "run `sprint doctor --install` once while online, or give a folder instead"}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fmt.Errorf("create the cache folder: %w", err)
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("lock the cache entry of %s: %w", id.Name, err)
	}
	defer lock.Unlock() //nolint:errcheck // the lock dies with the process anyway
	if verifyHub(dir, id) == nil {
		return dir, nil
	}
	part := dir + ".part"
	if errors.Is(err, errBefore) {
		if err := os.Rename(dir, part); err != nil && !errors.Is(err, fs.ErrExist) { // its files are not fetched again
			return "", fmt.Errorf("take up an older cache entry: %w", err)
		}
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return "", fmt.Errorf("create the download folder: %w", err)
	}
	if o.Announce != nil {
		o.Announce(fmt.Sprintf("fetching encoder %s at %.12s from the hub, kept in %s", id.Name, id.Revision, dir))
	}
	h, err := newHub(id.Ref, o)
	if err == nil {
		err = h.fetchAll(ctx, id, part, o)
	}
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil { // an entry that failed verification
		return "", fmt.Errorf("remove a damaged cache entry: %w", err)
	}
	if err := os.Rename(part, dir); err != nil {
		return "", fmt.Errorf("commit the cache entry: %w", err)
	}
	return dir, nil
}

// fetchAll fetches the files that the revision has and writes the record last.
func (h *hub) fetchAll(ctx context.Context, id ID, part string, o Options) error {
	rec := hubRecord{Name: id.Name, Revision: id.Revision, Files: map[string]string{}, Prompts: true}
	for _, name := range FileNames() {
		d := download{hub: h, id: id, name: name, path: filepath.Join(part, name), o: o}
		sum, err := d.run(ctx)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		rec.Files[name] = sum
	}
	if err := complete(rec.Files, "the hub's revision"); err != nil {
		return &FetchError{Ref: id.Ref, Message: "cannot be used", Err: err, Hint: "convert it to safetensors in one file and give that folder"}
	}
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	// Leftovers of another kind must not become part of the entry.
	entries, err := os.ReadDir(part)
	if err != nil {
		return fmt.Errorf("read the download folder: %w", err)
	}
	for _, e := range entries {
		if _, ok := rec.Files[e.Name()]; !ok {
			if err := os.RemoveAll(filepath.Join(part, e.Name())); err != nil {
				return fmt.Errorf("clean the download folder: %w", err)
			}
		}
	}
	return os.WriteFile(filepath.Join(part, recordFile), data, 0o600)
}

// errBefore is an entry whose revision was not asked for all files that there may be.
var errBefore = errors.New("it was fetched without its prompts")

// verifyHub checks every file of an entry against its record; a missing entry is
// fs.ErrNotExist.
func verifyHub(dir string, id ID) error {
	data, err := plainfile.Read(filepath.Join(dir, recordFile), maxHubJSON)
	if err != nil {
		return err
	}
	var rec hubRecord
	if err := json.Unmarshal(data, &rec); err != nil {
		return fmt.Errorf("%s: %w", recordFile, err)
	}
	if rec.Revision != id.Revision || rec.Name != id.Name {
		return fmt.Errorf("%s is about %s@%s", recordFile, rec.Name, rec.Revision)
	}
	if err := complete(rec.Files, recordFile); err != nil {
		return err
	}
	for name, want := range rec.Files {
		if !slices.Contains(FileNames(), name) {
			return fmt.Errorf("%s names %q", recordFile, name)
		}
		got, err := wheel.HashFile(filepath.Join(dir, name))
		if err != nil {
			return errors.New(err.Error()) // a lost member is damage, not absence
		}
		if got != want {
			return fmt.Errorf("%s does not have the recorded sha256", name)
		}
	}
	if !rec.Prompts {
		return errBefore
	}
	return nil
}
