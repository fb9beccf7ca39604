package localblob

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"gocloud.dev/blob/driver"
)

// ListPaged walks the folders in key order. The page token is the last key.
func (b *bucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	size := o.PageSize
	if size <= 0 {
		size = 1000
	}
	page := &driver.ListPage{}
	dir := ""
	if i := strings.LastIndexByte(o.Prefix, '/'); i >= 0 {
		dir = o.Prefix[:i]
	}
	last := string(o.PageToken)
	more := false
	err := b.walk(ctx, dir, func(key string, d fs.DirEntry) (bool, error) {
		name := key
		if d.IsDir() {
			name += "/"
		}
		if !strings.HasPrefix(name, o.Prefix) && !(d.IsDir() && strings.HasPrefix(o.Prefix, name)) {
			return false, nil
		}
		// A folder whose every key sorts before the token needs no visit.
		if d.IsDir() {
			if last != "" && name < last && !strings.HasPrefix(last, name) {
				return false, nil
			}
			if o.Delimiter == "/" && len(name) > len(o.Prefix) && strings.HasPrefix(name, o.Prefix) {
				if name <= last {
					return false, nil
				}
				if len(page.Objects) == size {
					more = true
					return false, fs.SkipAll
				}
				page.Objects = append(page.Objects, &driver.ListObject{Key: name, IsDir: true, AsFunc: func(any) bool { return false }})
				return false, nil
			}
			return true, nil
		}
		if key <= last {
			return false, nil
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.Mode().IsRegular() {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(page.Objects) == size {
			more = true
			return false, fs.SkipAll
		}
		page.Objects = append(page.Objects, &driver.ListObject{Key: key, ModTime: fi.ModTime(), Size: fi.Size(), AsFunc: func(any) bool { return false }})
		return false, nil
	})
	if err != nil && !errors.Is(err, fs.SkipAll) {
		return nil, err
	}
	if more {
		page.NextPageToken = []byte(page.Objects[len(page.Objects)-1].Key)
	}
	return page, nil
}

// walk visits the entries below dir in the order of their keys, where a
// folder's key ends in a slash. visit says whether to descend.
func (b *bucket) walk(ctx context.Context, dir string, visit func(key string, d fs.DirEntry) (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := dir
	if name == "" {
		name = "."
	}
	f, err := b.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return err
	}
	slices.SortFunc(entries, inOrder)
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), ".") {
			continue
		}
		key := d.Name()
		if dir != "" {
			key = dir + "/" + key
		}
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

// inOrder compares entries as keys: a folder's name ends in a slash, which only
// counts where one name begins with the other.
func inOrder(a, b fs.DirEntry) int {
	x, y := a.Name(), b.Name()
	n := min(len(x), len(y))
	if c := strings.Compare(x[:n], y[:n]); c != 0 {
		return c
	}
	return cmp.Compare(next(a, n), next(b, n))
}

// next is the byte that follows n bytes of an entry's name in its key.
func next(d fs.DirEntry, n int) int {
	switch name := d.Name(); {
	case len(name) > n:
		return int(name[n])
	case d.IsDir():
		return '/'
	}
	return -1
}
