package localblob

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gocloud.dev/blob/driver"
)

// ListPaged walks the folders in key order. The page token is the last key of the
// page before.
func (b *bucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	size := o.PageSize
	if size <= 0 {
		size = 1000
	}
	dir := ""
	if i := strings.LastIndexByte(o.Prefix, '/'); i >= 0 {
		dir = o.Prefix[:i]
	}
	if there, err := b.isFolder(dir); !there {
		return &driver.ListPage{}, err
	}
	p := &lister{o: o, size: size, last: string(o.PageToken), page: &driver.ListPage{}}
	if err := b.walk(ctx, dir, p.visit); err != nil && !errors.Is(err, fs.SkipAll) {
		return nil, err
	}
	if p.more {
		p.page.NextPageToken = []byte(p.page.Objects[len(p.page.Objects)-1].Key)
	}
	return p.page, nil
}

// lister fills a page of a list.
type lister struct {
	o    *driver.ListOptions
	size int    // of a full page
	last string // key of the page before
	page *driver.ListPage
	more bool // the page is full and something is left
}

// visit adds an entry to the page, or says that walk must descend into it.
func (p *lister) visit(key string, d fs.DirEntry) (descend bool, err error) {
	if d.IsDir() {
		return p.folder(key + "/")
	}
	if !strings.HasPrefix(key, p.o.Prefix) || key <= p.last {
		return false, nil
	}
	fi, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return false, p.add(&driver.ListObject{Key: key, ModTime: fi.ModTime(), Size: fi.Size(), AsFunc: noAs})
}

// folder adds a folder if the list ends at it, or descends into it.
func (p *lister) folder(name string) (descend bool, err error) {
	inside := strings.HasPrefix(name, p.o.Prefix)
	switch {
	case !inside && !strings.HasPrefix(p.o.Prefix, name):
		return false, nil
	case p.last != "" && name < p.last && !strings.HasPrefix(p.last, name):
		return false, nil // its every key sorts before the page
	case p.o.Delimiter != "/" || len(name) <= len(p.o.Prefix) || !inside:
		return true, nil
	case name <= p.last:
		return false, nil
	}
	return false, p.add(&driver.ListObject{Key: name, IsDir: true, AsFunc: noAs})
}

// add adds an object, or ends the walk if the page is full.
func (p *lister) add(o *driver.ListObject) error {
	if len(p.page.Objects) == p.size {
		p.more = true
		return fs.SkipAll
	}
	p.page.Objects = append(p.page.Objects, o)
	return nil
}

// noAs is the As of what offers nothing.
func noAs(any) bool { return false }

// walk visits the entries below dir in the order of their keys, where a
// folder's key ends in a slash. visit says whether to descend.
func (b *bucket) walk(ctx context.Context, dir string, visit func(key string, d fs.DirEntry) (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(b.root.FS(), path.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.SortFunc(entries, inOrder)
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), ".") {
			continue
		}
		key := path.Join(dir, d.Name())
		descend, err := visit(key, d)
		if err != nil {
			return err
		}
		if d.IsDir() && descend {
			if err := b.walk(ctx, key, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// inOrder compares entries as keys: a folder's name ends in a slash.
func inOrder(a, b fs.DirEntry) int { return strings.Compare(inKey(a), inKey(b)) }

// inKey is what an entry adds to a key.
func inKey(d fs.DirEntry) string {
	if d.IsDir() {
		return d.Name() + "/"
	}
	return d.Name()
}
