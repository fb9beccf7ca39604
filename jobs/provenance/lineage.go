package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Origin is one act of work as lineage shows it: the manifest without its
// pre-image.
type Origin struct {
	Kind     string             `json:"kind"`
	Key      string             `json:"key"`
	Stage    string             `json:"stage"`
	Run      string             `json:"run"`
	Finished time.Time          `json:"finished"`
	Device   string             `json:"device,omitempty"`
	Inputs   map[string]string  `json:"inputs"` // name -> digest
	Outputs  []storage.Artifact `json:"outputs"`
	External map[string]any     `json:"external,omitempty"` // what it read from outside the store
}

// Published is a release that an artifact is or became part of.
type Published struct {
	Name    string   `json:"name"`
	Version int      `json:"version"`
	Aliases []string `json:"aliases,omitempty"`
	Digest  string   `json:"digest"`
}

func (p Published) String() string {
	text := fmt.Sprintf("%s@%d", p.Name, p.Version)
	if len(p.Aliases) > 0 {
		text += " (" + strings.Join(p.Aliases, ", ") + ")"
	}
	return text
}

// Lineage says which work made which artifact and which used it.
type Lineage struct {
	store    *storage.Store
	makers   map[string][]*Origin // by digest
	users    map[string][]*Origin
	releases map[string][]Published // by digest of the tree and of its files
	trees    map[string]bool
	// broken are the records of the registry that cannot be read.
	broken []error
}

// Broken is what of the registry cannot be read: releases and aliases that a trace does
// not know. It is nil if all can.
func (l *Lineage) Broken() error { return errors.Join(l.broken...) }

// LoadLineage reads all manifests and releases of a store. A broken release or alias
// does not hide the others: Broken tells of it.
func LoadLineage(ctx context.Context, s *storage.Store) (*Lineage, error) {
	l := &Lineage{store: s, makers: map[string][]*Origin{}, users: map[string][]*Origin{}, releases: map[string][]Published{}, trees: map[string]bool{}}
	for m, err := range s.History(ctx, "") {
		if err != nil {
			return nil, err
		}
		l.add(&m)
	}
	names, err := models.In(s).Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := l.model(ctx, name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Lineage) add(m *storage.Manifest) {
	o := &Origin{Kind: m.Kind, Key: m.Key, Stage: m.Stage, Run: m.Run, Finished: m.Finished, Device: m.Device, Inputs: m.Inputs, Outputs: m.Outputs, External: externalOf(m)}
	for _, a := range m.Outputs {
		l.makers[a.Digest] = append(l.makers[a.Digest], o)
		if a.Media == storage.MediaTree {
			l.trees[a.Digest] = true
		}
	}
	seen := map[string]bool{}
	for _, d := range m.Inputs {
		if !seen[d] {
			seen[d] = true
			l.users[d] = append(l.users[d], o)
		}
	}
}

func (l *Lineage) model(ctx context.Context, name string) error {
	all, err := models.In(l.store).Releases(ctx, name)
	if err = l.passOver(err); err != nil {
		return err
	}
	aliases, err := models.In(l.store).Aliases(ctx, name)
	if err = l.passOver(err); err != nil {
		return err
	}
	for _, r := range all {
		p := Published{Name: name, Version: r.Version, Aliases: aliases[r.Version], Digest: r.Digest}
		l.releases[r.Digest] = append(l.releases[r.Digest], p)
		for _, f := range r.Files {
			l.releases[f.Digest] = append(l.releases[f.Digest], p)
		}
	}
	return nil
}

// passOver keeps an error about single records, and returns any other.
func (l *Lineage) passOver(err error) error {
	if storage.DamagedOrUntrusted(err) {
		l.broken = append(l.broken, err)
		return nil
	}
	return err
}

// Makers lists the work that made an artifact, newest first.
func (l *Lineage) Makers(digest string) []*Origin { return newestFirst(l.makers[digest]) }

// Users lists the work that read an artifact, newest first.
func (l *Lineage) Users(digest string) []*Origin { return newestFirst(l.users[digest]) }

// Releases lists the releases that an artifact is, or a file of.
func (l *Lineage) Releases(digest string) []Published { return l.releases[digest] }

func newestFirst(origins []*Origin) []*Origin {
	out := slices.Clone(origins)
	slices.SortStableFunc(out, func(a, b *Origin) int { return b.Finished.Compare(a.Finished) })
	return out
}

// TreesWith lists the trees that hold a file of that digest. It reads the
// listing of every tree there still is.
func (l *Lineage) TreesWith(ctx context.Context, digest string) ([]string, error) {
	var out []string
	for _, tree := range slices.Sorted(maps.Keys(l.trees)) {
		entries, err := l.store.Tree(ctx, tree)
		if storage.MissingOrDamaged(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(entries, func(e storage.TreeEntry) bool { return e.Digest == digest }) {
			out = append(out, tree)
		}
	}
	return out, nil
}

// externalOf is what the work of a manifest read from outside the store.
func externalOf(m *storage.Manifest) map[string]any {
	var p key.Preimage
	if json.Unmarshal(m.Preimage, &p) != nil {
		return nil
	}
	return p.External
}

// Trace is an artifact with the work before it (Up) and after it (Down), each
// listed once, nearest first.
type Trace struct {
	Artifact Found       `json:"artifact"`
	InTrees  []string    `json:"in_trees,omitempty"`
	Up       []*Origin   `json:"up"`
	Down     []*Origin   `json:"down"`
	Releases []Published `json:"releases"`
}

// NewTrace follows an artifact up and down from the digests in start. Trees are
// those that hold it as a file.
func NewTrace(l *Lineage, f Found, start, trees []string) Trace {
	t := Trace{Artifact: f, InTrees: trees, Up: []*Origin{}, Down: []*Origin{}, Releases: []Published{}}
	follow := func(next func(string) []*Origin, digests func(*Origin) []string, each func(string), into *[]*Origin) {
		seen, known := map[*Origin]bool{}, map[string]bool{}
		for todo := slices.Clone(start); len(todo) > 0; todo = todo[1:] {
			if known[todo[0]] {
				continue
			}
			known[todo[0]] = true
			each(todo[0])
			for _, o := range next(todo[0]) {
				if !seen[o] {
					seen[o] = true
					*into = append(*into, o)
					todo = append(todo, digests(o)...)
				}
			}
		}
	}
	follow(l.Makers, inputsOf, func(string) {}, &t.Up)
	follow(l.Users, outputsOf, func(d string) {
		for _, r := range l.Releases(d) {
			if !slices.ContainsFunc(t.Releases, func(p Published) bool { return p.Name == r.Name && p.Version == r.Version }) {
				t.Releases = append(t.Releases, r)
			}
		}
	}, &t.Down)
	return t
}

func inputsOf(o *Origin) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.Inputs)) {
		out = append(out, o.Inputs[name])
	}
	return out
}

func outputsOf(o *Origin) []string {
	var out []string
	for _, x := range o.Outputs {
		if !x.Volatile {
			out = append(out, x.Digest)
		}
	}
	return out
}
