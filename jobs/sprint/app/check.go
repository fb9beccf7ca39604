package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// CheckStore checks a store, or some artifacts of it, shows what was found and ends
// with code 9 unless all is whole.
func (a *App) CheckStore(ctx context.Context, s *storage.Store, read integrity.Subset, only []integrity.Named) error {
	show, end := a.ProgressLine()
	c := integrity.Checker{Store: s, Read: read, Published: published, StoreFlag: a.StoreFlag(), Progress: func(p integrity.Progress) {
		show(fmt.Sprintf("%d records, %d blobs of %s, %s read, %d faults", p.Records.Objects, p.Blobs.Objects, Size(p.Blobs.Bytes), Size(p.Read.Bytes), p.Faults))
	}}
	check := c.Whole
	if only != nil {
		check = func(ctx context.Context) (*integrity.Report, error) { return c.Artifacts(ctx, only) }
	}
	r, err := check(ctx)
	end()
	if err != nil {
		return err
	}
	if none := (integrity.Count{}); only == nil && r.Whole && r.Records == none && r.Blobs == none && r.Orphans == none {
		return stages.Fail(stages.CodeEnvironment, "check --store; the first run of a plan makes a store", "%w at %s", ErrNoStore, s.URL()) // a wrong prefix of a bucket looks so
	}
	if a.AsJSON {
		err = json.NewEncoder(a.Stdout).Encode(r)
	} else {
		a.showCheck(r, only)
	}
	if err == nil && !r.Whole {
		return Exit(stages.CodeIntegrity)
	}
	return err
}

func published(m storage.Manifest) (p models.Publication, ok bool) {
	if k, known := all.All().Kind(m.Kind); known && k.Published != nil {
		return k.Published(m)
	}
	return p, false
}

// ProgressLine shows how far something is, on a line of a terminal that end removes.
// Elsewhere both do nothing.
func (a *App) ProgressLine() (show func(text string), end func()) {
	out := a.Stderr.Out
	if !a.Watched() {
		return func(string) {}, func() {}
	}
	drawn := false
	return func(text string) {
			drawn = true
			fmt.Fprintf(out, "\r\x1b[K%s", table.Cut(sanitize.Text(text), a.lineWidth()-1))
		}, func() {
			if drawn {
				fmt.Fprint(out, "\r\x1b[K")
			}
		}
}

// showCheck prints what a check found.
func (a *App) showCheck(r *integrity.Report, only []integrity.Named) {
	out := a.Stdout
	for _, f := range r.Faults {
		name := f.Key
		if f.Name != "" {
			name = f.Name
		}
		fmt.Fprintf(out, "BAD %s: %s: %s\n", name, f.Problem, f.Error)
		if f.NamedBy != "" {
			fmt.Fprintf(out, "    named by %s\n", f.NamedBy)
		}
	}
	if r.Unlisted > 0 {
		fmt.Fprintf(out, "and %d more\n", r.Unlisted)
	}
	n, part, all := len(r.Faults)+r.Unlisted, only != nil, r.Records.Objects+r.Blobs.Objects+r.Copies.Objects
	switch {
	case part && n > 0:
		all = max(n, len(only))
	case part:
		fmt.Fprintf(out, "%d blobs, %s: every byte as its digest says\n", r.Blobs.Objects, Size(r.Blobs.Bytes))
	default:
		read := "no bytes of these were read (--read-data)"
		if r.Read.Objects > 0 {
			read = fmt.Sprintf("every byte of %s as its digest says", Size(r.Read.Bytes))
			if n > 0 {
				read = fmt.Sprintf("%s of these were read", Size(r.Read.Bytes))
			}
		}
		fmt.Fprintf(out, "%d records, %d blobs of %s, %d copies of released files of %s: %s\n",
			r.Records.Objects, r.Blobs.Objects, Size(r.Blobs.Bytes), r.Copies.Objects, Size(r.Copies.Bytes), read)
		a.showRest(r)
	}
	if r.Whole {
		if !part {
			fmt.Fprintln(out, "the store is whole")
		}
		return
	}
	are := "are not as they should be"
	if n == 1 {
		are = "is not as it should be"
	}
	fmt.Fprintf(out, "%d of %d objects as they should be; %d %s:\n  %s\n", max(all-n, 0), all, n, are, strings.Join(r.Repairs(), "\n  "))
}

// showRest prints what is no fault.
func (a *App) showRest(r *integrity.Report) {
	for _, x := range []struct {
		n    int
		text string
	}{
		{r.Orphans.Objects, fmt.Sprintf("blobs and files of %s that nothing names: gc deletes them once they are old", Size(r.Orphans.Bytes))},
		{r.Evicted, "manifests whose outputs a gc deleted: their stages run again when needed"},
		{r.Unvouched, "logs, journals, reports and marks: nothing rests on them"},
		{r.Aside, "things that lay in the place of objects and were set aside in .tmp of the store: remove them when nobody misses them"},
	} {
		if x.n > 0 {
			fmt.Fprintf(a.Stdout, "%d %s\n", x.n, x.text)
		}
	}
}
