package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// asking is how many days of an export are looked up at once.
const asking = 16

// Lacking says what of the days that earlier work exported is not there as it left them: then
// they are exported again, as whoever names a file as the target of a rule expects.
func (o *Options) Lacking(ctx context.Context, store *storage.Store, m storage.Manifest) string {
	if o.Export == "" {
		return ""
	}
	r, err := reported(ctx, store, m)
	if err != nil {
		return "what was exported cannot be read: " + err.Error()
	}
	missing := make([]string, len(r.Days)+1)
	var group errgroup.Group
	group.SetLimit(asking)
	for i, d := range r.Days {
		group.Go(func() error { missing[i] = o.lacks(ctx, d); return nil })
	}
	group.Go(func() error {
		if top, err := o.marked(ctx, success); err != nil {
			missing[len(r.Days)] = unread(err)
		} else if top.Format == 0 {
			missing[len(r.Days)] = "the export lacks " + success
		}
		return nil
	})
	_ = group.Wait() // none fails
	for _, reason := range missing {
		if reason != "" {
			return reason
		}
	}
	return ""
}

// unread is what an export that cannot be read lacks.
func unread(err error) string { return fmt.Sprintf("the export cannot be read: %v", err) }

// reported is the report of earlier work. A store is no friend: its days are days, or none
// is looked up.
func reported(ctx context.Context, store *storage.Store, m storage.Manifest) (r report, err error) {
	a, ok := m.Output("aggregate_report")
	if !ok {
		return r, errors.New("it has no aggregate_report")
	}
	data, err := store.ReadBlob(ctx, a.Digest, a.Size, maxMarker)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	for i, d := range r.Days {
		if _, bad := time.Parse(time.DateOnly, d.Day); bad != nil && d.Day != undated {
			return report{}, fmt.Errorf("aggregate_report: %.40q is no day", d.Day)
		}
		r.Days[i].File = file(d.Day)
	}
	return r, err
}

// lacks says what an export lacks of a day. A day that has more rows there than this work is
// one that it would not replace.
func (o *Options) lacks(ctx context.Context, d day) string {
	there, err := o.marked(ctx, partition(d.Day)+"/"+success)
	if err != nil {
		return unread(err)
	}
	same := false
	for _, was := range there.Days {
		same = same || was.Day == d.Day && (was.SHA256 == d.SHA256 || !o.bounded() && was.Rows > d.Rows)
	}
	f, err := storeio.OpenFile(ctx, at(o.Export, d.File))
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrNotFound):
		return "the export lacks " + d.File
	case err != nil:
		return unread(err)
	case f.Close() != nil || !same:
		return "the export has other rows of " + d.Day
	}
	return ""
}
