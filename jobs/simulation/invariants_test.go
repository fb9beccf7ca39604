package simulation

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// What is checked:
//
//   - a stage is committed once, with the outputs of a world without faults, and
//     after the blobs that it names
//   - a run works on what it has taken the lease of; leases and aliases change as
//     package history demands, so nobody has a lease before its holder was silent
//     for a ttl
//   - a run that is done has the outputs of a world without faults; one that is not
//     ends with a code that faults explain
//   - once nothing is disturbed any more everyone comes to an end; no goroutine is
//     left, which synctest sees
//   - a gc beside takes nothing that a run needs, or that a run which is done has
//     made; what it takes of older ones may be made once more, and once only for
//     what it took since
//   - each release is there once, whole, and the alias names one; its history has every
//     move, each from where the one before went

// rarities are what must happen in so many worlds, or they are too kind.
var rarities = map[string]uint64{
	string(busy): 20, string(lostReply): 20, string(killBefore): 20, string(killAfter): 20, "outage": 20, "pause": 20,
	"code 0": 20, "code 4": 20, "code 75": 200, "code 124": 200,
	"stage waiting": 20, "stage lost": 20, "stage interrupted": 20, "stage cached": 20,
	"lease taken over": 20, "worker killed": 200, "commit by an orphan": 600, "lost the race to commit": 600,
	"checkpoint read": 20, "alias moved": 20, "blob marked as kept": 20,
	"gc done": 20, "gc deleted blobs": 200, "stage made again after gc": 200,
}

// records is what is known of what was written.
type records struct {
	writes  time.Duration
	took    map[string]bool // leases with the runs that took them
	leases  map[string]leaseRecord
	commits map[string]commit               // the newest by kind/key
	deleted map[string]time.Time            // when a gc last deleted the blob of a digest
	digests [variantCount]map[string]string // of the results
	done    map[string]map[string]string    // outputs of runs that are done, by process
}

func newRecords() records {
	return records{took: map[string]bool{}, leases: map[string]leaseRecord{}, commits: map[string]commit{}, deleted: map[string]time.Time{}, done: map[string]map[string]string{}}
}

// commit is what a manifest says that a stage has made.
type commit struct {
	outputs map[string]string // digests by name
	blobs   []string          // digests of all, and of the files of trees
	at      time.Time
}

type leaseRecord struct {
	Holder   storage.Holder
	Epoch    int
	Released bool
}

// check looks at what an operation did.
func (w *world) check(r *request, file string, err error) {
	folder, _, _ := strings.Cut(r.key, "/")
	switch {
	case err != nil:
	case folder == "manifests" && r.op == "create":
		w.checkCommit(r, body(file))
	case folder == "leases" && r.op == "sweep":
		w.mu.Lock()
		delete(w.leases, r.key)
		w.mu.Unlock()
	case folder == "leases" && (r.op == "create" || r.op == "swap"):
		w.noteLease(r, body(file))
	case folder == "manifests" && r.op != "read" && r.op != "list":
		w.violate("%s did %s %s", r.p.name, r.op, r.key)
	case folder == "blobs" && r.op == "sweep":
		w.mu.Lock()
		w.deleted[digestOf(r.key)] = time.Now()
		w.mu.Unlock()
	case folder == "checkpoints" && r.op == "read":
		w.note("checkpoint read")
	case folder == "kept" && r.op == "write":
		w.note("blob marked as kept")
	case strings.Contains(r.key, "/aliases/") && r.op == "swap":
		w.note("alias moved")
	}
}

// body is that of the record in a file.
func body(file string) []byte {
	b, _ := os.ReadFile(file) // what is not there has none
	_, body, _ := bytes.Cut(b, []byte{'\n'})
	return body
}

func (w *world) noteLease(r *request, body []byte) {
	var l leaseRecord
	if err := json.Unmarshal(body, &l); err != nil {
		w.violate("%s wrote the lease %s: %v", r.p.name, r.key, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if was := w.leases[r.key]; was.Epoch > 0 && l.Epoch > was.Epoch && !was.Released {
		w.seen["lease taken over"]++
	}
	w.leases[r.key] = l
	w.took[r.key+" "+l.Holder.Run] = true
}

func (w *world) checkCommit(r *request, body []byte) {
	var m storage.Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		w.violate("%s committed %s: %v", r.p.name, r.key, err)
		return
	}
	if r.p.runner != nil && !r.p.runner.alive() {
		w.note("commit by an orphan")
	}
	made := commit{outputs: map[string]string{}, at: time.Now()}
	for _, a := range m.Outputs {
		made.outputs[a.Name] = a.Digest
		blobs, missing := w.blobs(a.Digest, a.Media)
		if missing != "" {
			w.violate("%s committed %s of stage %s before %s was there", r.p.name, a.Name, m.Stage, missing)
		}
		made.blobs = append(made.blobs, blobs...)
	}
	id := m.Kind + "/" + m.Key
	w.mu.Lock()
	before, again := w.commits[id]
	w.commits[id] = made
	gone := w.lastDeleted(before.blobs)
	w.mu.Unlock()
	switch {
	case !again:
	case gone.After(before.at):
		w.note("stage made again after gc")
	case gone.IsZero():
		w.violate("%s committed stage %s once more: %v after %v", r.p.name, m.Stage, made.outputs, before.outputs)
	default:
		w.violate("%s committed stage %s %s: the commit before was %s after it", r.p.name, m.Stage, onceMoreForOne, before.at.Sub(gone))
	}
	if known := w.known.commits; known != nil && !cmp.Equal(known[id].outputs, made.outputs) {
		w.violate("%s committed another %s than a world without faults: %s", r.p.name, m.Stage, cmp.Diff(known[id].outputs, made.outputs))
	}
}

// digestOf is the digest of the blob of a key.
func digestOf(blobKey string) string { return "sha256:" + path.Base(blobKey) }

// onceMoreForOne is said of a stage that was made again when all that a gc took of it
// had been made again before.
const onceMoreForOne = "twice for one deletion"

// lastDeleted is when a gc last deleted one of some blobs; zero if none did. The
// caller holds w.mu.
func (w *world) lastDeleted(digests []string) (last time.Time) {
	for _, digest := range digests {
		if at := w.deleted[digest]; at.After(last) {
			last = at
		}
	}
	return last
}

// missing names the blob of a digest, or of a file of its tree, that is not whole in
// the store; empty if all are.
func (w *world) missing(digest, media string) string {
	_, missing := w.blobs(digest, media)
	return missing
}

// blobs are the digests of an artifact and of the files of its tree, up to the first
// whose blob is not whole in the store, which missing names.
func (w *world) blobs(digest, media string) (all []string, missing string) {
	key, err := storage.BlobKey(digest)
	if err != nil {
		return nil, err.Error()
	}
	b, err := os.ReadFile(w.path(key))
	if err != nil || fmt.Sprintf("sha256:%x", sha256.Sum256(b)) != digest {
		return nil, key
	}
	all = []string{digest}
	if media != storage.MediaTree {
		return all, ""
	}
	var files []storage.TreeEntry
	if err := json.Unmarshal(b, &files); err != nil {
		return all, err.Error()
	}
	for _, f := range files {
		blobs, missing := w.blobs(f.Digest, "")
		if missing != "" {
			return all, missing
		}
		all = append(all, blobs...)
	}
	return all, ""
}

// checkLease checks that a run has taken the lease of what it begins to do.
func (w *world) checkLease(p *process, a *runs.Attempt) {
	w.mu.Lock()
	took := w.took["leases/"+a.Kind+"/"+a.Key+" "+a.Run]
	w.mu.Unlock()
	if !took && p.alive() {
		w.violate("%s works on stage %s without its lease", p.name, a.Stage)
	}
}

// checkResult checks what a run that is done says.
func (w *world) checkResult(p *process, variant int, r *runs.Result) {
	got := jobstest.Digests(r)
	w.mu.Lock()
	w.digests[variant] = got
	// A run that finds everything done is gone before a gc could know of it.
	if made := func(s runs.StageResult) bool { return s.State != runs.Cached }; slices.ContainsFunc(r.Stages, made) {
		w.done[p.name] = got
	}
	w.mu.Unlock()
	if known := w.known.digests[variant]; known != nil && !cmp.Equal(known, got) {
		w.violate("%s is done with other outputs than in a world without faults: %s", p.name, cmp.Diff(known, got))
	}
}

// checkEnd checks what is left when all have ended.
func (w *world) checkEnd(t *testing.T) {
	if err := w.history.Check(); err != nil {
		w.violate("%v", err)
	}
	if w.stopped.Load() {
		return
	}
	for run, outputs := range w.done {
		for output, digest := range outputs {
			if missing := w.missing(digest, ""); missing != "" {
				w.violate("%s, the output %s of %s, is not there in the end", missing, output, run)
			}
		}
	}
	store, err := storage.Open(t.Context(), w.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	all, err := models.In(store).Releases(t.Context(), "toy")
	if err != nil {
		w.violate("releases: %v", err)
	}
	var digests []string
	for _, r := range all {
		digests = append(digests, r.Digest)
		if missing := w.missing(r.Digest, storage.MediaTree); missing != "" {
			w.violate("release %d lacks %s", r.Version, missing)
		}
		for _, f := range r.Files {
			if got, _, err := store.Digest(t.Context(), models.FileKey("toy", r.Version, f.Path)); err != nil || got != f.Digest {
				w.violate("file %s of release %d is %s, %v", f.Path, r.Version, got, err)
			}
		}
	}
	want := 1
	if w.variants {
		want = 2
	}
	slices.Sort(digests)
	if len(slices.Compact(slices.Clone(digests))) != want || len(digests) != want {
		w.violate("%d releases with the digests %v, want %d", len(all), digests, want)
	}
	if _, err := models.In(store).Release(t.Context(), "toy", "latest"); err != nil {
		w.violate("the alias latest: %v", err)
	}
	moves, err := models.In(store).History(t.Context(), "toy", "latest", 0)
	if err != nil {
		w.violate("the history of the alias: %v", err)
	}
	for i, m := range moves {
		if m.Number != len(moves)-i || i > 0 && moves[i-1].From != m.Version {
			w.violate("of %d moves of the alias number %d is %+v", len(moves), len(moves)-i, m)
		}
	}
}
