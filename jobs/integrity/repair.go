package integrity

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// repairer says what mends a fault.
type repairer struct {
	*check
	byRelease map[string]string // the manifest that published a release, by its folder
	mu        sync.Mutex
	plans     map[string]string // names by run
}

// repairAll completes all faults: who made what is at fault, and what mends it.
func (c *check) repairAll(ctx context.Context) error {
	r := &repairer{check: c, byRelease: map[string]string{}, plans: map[string]string{}}
	for _, p := range c.models.published {
		r.byRelease[releaseFolder(p.Name, p.Version)] = p.by
	}
	places := func(yield func(int) bool) {
		for i := range c.report.Faults {
			if !yield(i) {
				return
			}
		}
	}
	return forEach(ctx, asking, places, func(ctx context.Context, i int) error {
		f := &c.report.Faults[i]
		r.maker(ctx, f)
		if f.Repair = r.repair(f); f.Repair == "" {
			f.Repair = "remove it, or move it out of the folder of the store"
		}
		return nil
	})
}

// maker finds who made what is at fault, as far as records tell that can be read.
func (r *repairer) maker(ctx context.Context, f *Fault) {
	by := f.NamedBy
	if parts := strings.SplitN(f.Key, "/", 4); parts[0] == "models" && len(parts) == 4 {
		by = cmp.Or(r.byRelease[strings.Join(parts[:3], "/")+"/"], by)
	}
	if strings.HasPrefix(by, "manifests/") {
		if m, err := r.Store.ManifestAt(ctx, by); err == nil {
			f.Stage, f.Run = m.Stage, m.Run
		}
	}
	if f.Plan == "" && f.Run != "" && runs.ValidID(f.Run) {
		f.Plan = r.plan(ctx, f.Run)
	}
}

// plan is the name of a run's plan, empty if nobody knows any more.
func (r *repairer) plan(ctx context.Context, run string) string {
	r.mu.Lock()
	name, known := r.plans[run]
	r.mu.Unlock()
	if known {
		return name
	}
	if resolved, err := runs.LoadResolved(ctx, r.Store, run); err == nil {
		name = resolved.Plan
	} else if record, err := runs.LoadRecord(ctx, r.Store, run); err == nil {
		name = record.Plan
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans[run] = name
	return name
}

// repair says what mends a fault.
func (r *repairer) repair(f *Fault) string {
	again := commandline.Of("run", "PLAN").Flag("store", r.StoreFlag)
	parts := strings.Split(f.Key, "/")
	switch {
	case f.Problem == Foreign:
		return "" // removing it mends it
	case f.Problem == Untrusted:
		return fmt.Sprintf("`%s` signs what is yours and of before its key; delete what nobody of yours wrote", commandline.Of("store", "rekey").Flag("store", r.StoreFlag))
	case parts[0] == "models" && len(parts) == 4 && parts[2] == "aliases":
		if version := r.target(parts[1], parts[3]); version > 0 {
			return fmt.Sprintf("`%s` sets the alias anew", commandline.Of("promote", fmt.Sprintf("%s@%d", parts[1], version)).Flag("alias", parts[3]).Flag("store", r.StoreFlag))
		}
	case parts[0] == "models" && len(parts) > 3 && (parts[2] == "history" || parts[2] == "mirrors"):
	case parts[0] == "models" && len(parts) > 3:
		// A run notices what is gone or has another size; else it must be told.
		if name := parts[3]; name == "claim" || name == "files" && f.Problem == Damaged || r.unnoticed[f.Key] {
			return fmt.Sprintf("%s makes it anew under the same version: `%s`", r.who(f, "the publish of its plan"), again.With("--force="+cmp.Or(f.Stage, "publish")))
		}
		return fmt.Sprintf("%s makes it anew under the same version: `%s`", r.who(f, "the publish of its plan"), again)
	case parts[0] == "blobs" && f.NamedBy == "" && f.Name == "":
		return fmt.Sprintf("nothing names it: `%s` deletes it once it is old", commandline.Of("gc", "--yes").Flag("store", r.StoreFlag))
	case parts[0] == "blobs" && strings.HasPrefix(f.NamedBy, "checkpoints/"):
		return executor.Mend(f.NamedBy)
	case parts[0] == "blobs" && strings.HasPrefix(f.NamedBy, "models/"):
		return fmt.Sprintf("%s makes it again: `%s`", r.who(f, "the publish of its plan"), again.With("--force=publish"))
	case parts[0] == "blobs", parts[0] == "manifests":
		return fmt.Sprintf("%s makes it again: `%s`", r.who(f, "the next run of its plan"), again)
	}
	return executor.Mend(f.Key)
}

// who names the stage that does the repair.
func (r *repairer) who(f *Fault, otherwise string) string {
	if f.Stage == "" {
		return otherwise
	}
	if f.Plan == "" {
		return "stage " + f.Stage
	}
	return fmt.Sprintf("stage %s of plan %s", f.Stage, f.Plan)
}

// target is the version that an alias should name: the latest that was published
// under it, else the newest.
func (r *repairer) target(model, alias string) int {
	best := 0
	for _, p := range r.models.published {
		if _, there := r.models.releases[releaseFolder(model, p.Version)]; there && p.Name == model && p.Alias == alias {
			best = max(best, p.Version)
		}
	}
	return cmp.Or(best, r.models.newest[model])
}

// Repairs lists what mends the faults of a report, each once.
func (r *Report) Repairs() []string {
	var out []string
	told := map[string]bool{}
	for _, f := range r.Faults {
		if !told[f.Repair] {
			told[f.Repair] = true
			out = append(out, f.Repair)
		}
	}
	return out
}
