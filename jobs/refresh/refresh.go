// Package refresh keeps a model good: it looks at a new window of rows, trains on it if
// that is due, and puts the new model in the place of the champion if it is no worse.
//
//   - refresh.go: the life of a refresh, from the lease to the alias; what it is made of
//   - champion.go: the champion, and the rows that it was trained on
//   - window.go: the new window beside them: drift
//   - estimate.go: F1 without labels
//   - due.go: whether a training is due, and why
//   - pending.go: a release that nobody decided on; when a plan trained last
//   - gate.go: the challenger beside the champion, on gold and on corrections
//   - corrections.go: what reviewers corrected since the champion
//   - answer.go: a release answers about rows
//   - report.go: what came of it, for people
//
// Who runs stages and who answers is handed in. All that a refresh decides by lies in the
// store, so that one which is killed is gone on with by the next.
package refresh

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/verify"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Refused is the alias of the last release that a refresh did not promote. Its history
// says why each was not.
const Refused = "refused"

// Runner brings stages of the plan up to date.
type Runner interface {
	// Run ends with the stage of that name and what it needs; empty is all of the plan. An
	// error means that no run began; how one ended is in its result.
	Run(ctx context.Context, until string) (*runs.Result, error)
}

// Answerer asks releases.
type Answerer interface {
	// Answer returns what a release says of rows, in their order.
	Answer(ctx context.Context, r models.Release, of []rows.Row) (*Answers, error)
}

// Refresh is what a refresh is made of. The store, the graph and both of the others stay
// their owner's.
type Refresh struct {
	Store    *storage.Store
	Graph    *graph.Graph // of the plan, compiled once: both its runs are on one window
	Runner   Runner
	Answerer Answerer
	Log      *slog.Logger
	Now      time.Time
	Who      string // moves the aliases
	// Try, unless it is nil, is called before the alias champion moves; it does not where
	// Try fails.
	Try func(ctx context.Context, r models.Release) error
	// TTL is that of the lease; 0 means runs.LeaseTTL.
	TTL time.Duration
}

// refresh is one call of Run.
type refresh struct {
	*Refresh
	rules    config.Refresh
	model    string
	taxonomy *taxonomy.Taxonomy
	verify   *verify.Options
	out      *Result
}

// Run does a refresh. What came of it is in the result, whose code is CodeDone where nothing
// was due and where the challenger was promoted, CodePublish where it was refused, and that
// of the run where that failed, CodeStage in place of CodePublish. The error is set where
// nothing could be decided; the result says how far it came.
func (o *Refresh) Run(ctx context.Context) (*Result, error) {
	r := &refresh{Refresh: o, rules: o.Graph.Plan.Refresh, out: &Result{Plan: o.Graph.Plan.Name, When: o.Now.UTC(), Due: []Reason{}, Drift: []Measure{}, Notes: []string{}}}
	if err := r.prepare(); err != nil {
		return r.out, err
	}
	r.out.Model = r.model
	lease, err := r.acquire(ctx)
	if err != nil {
		return r.out, err
	}
	defer func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			o.Log.Warn("could not release the lease of the refresh", "model", r.model, "error", err)
		}
	}()
	err = r.decide(ctx)
	r.out.Class = r.out.Code.Class()
	return r.out, err
}

// prepare finds in the plan what is refreshed and measured by what.
func (r *refresh) prepare() error {
	published, measured, err := find(r.Graph)
	if err != nil {
		return err
	}
	r.model, r.verify = published.Name, measured
	r.taxonomy, err = dataset.Taxonomy(r.Graph.Taxonomy())
	return err
}

// Check says why a plan cannot be refreshed, before a timer finds out.
func Check(g *graph.Graph) error {
	_, _, err := find(g)
	return err
}

// find finds the stages that publish and measure the model of a plan.
func find(g *graph.Graph) (published *publish.Options, measured *verify.Options, err error) {
	moves := false // the alias champion, by a stage of any model
	for _, node := range g.Nodes {
		switch x := node.Options.(type) {
		case *publish.Options:
			published, moves = x, moves || x.Alias == models.Champion
		case *verify.Options:
			measured = x
		}
	}
	unfit := func(hint, format string, args ...any) error {
		return stages.Fail(stages.CodePlan, hint, "the plan %s cannot be refreshed: %w", g.Plan.Name, fmt.Errorf(format, args...))
	}
	switch {
	case published == nil:
		err = unfit("add a stage publish", "it publishes no model")
	case moves:
		err = unfit("name another in publish, for example alias: latest", "publish moves the alias %s by itself, before anybody compared", models.Champion)
	case measured == nil || measured.Gold == "":
		err = unfit("give verify a gold set: labels made by rules cannot say which model is better", "it has no gold set")
	}
	return published, measured, err
}

// acquire takes the lease of the model's refresh. One that a dead process left is taken
// over after a ttl.
func (r *refresh) acquire(ctx context.Context) (*storage.Lease, error) {
	return r.Store.Await(ctx, "refresh/"+r.model, storage.Self(), cmp.Or(r.TTL, runs.LeaseTTL), func(held *storage.HeldError, renewed bool) error {
		if renewed {
			return stages.Fail(stages.CodeLease, "wait for it, or end it by `sprint cancel`", "another refresh of %s goes on: %w", r.model, held)
		}
		return nil
	})
}

// decide is a refresh that has the lease.
func (r *refresh) decide(ctx context.Context) error {
	c, err := r.champion(ctx)
	if err != nil {
		return err
	}
	waiting, err := r.undecided(ctx, c)
	if err != nil {
		return err
	}
	if waiting != nil {
		r.note("%s@%d was published and nobody decided on it: no other is trained before that", r.model, waiting.Version)
		return r.judge(ctx, c, *waiting, nil)
	}
	if due, err := r.look(ctx, c); err != nil || !due {
		return err
	}
	result, err := r.Runner.Run(ctx, "")
	if err != nil {
		return err
	}
	return r.trained(ctx, c, result)
}

// trained judges what a run of the whole plan published.
func (r *refresh) trained(ctx context.Context, c *champion, result *runs.Result) error {
	if result.Run != nil {
		r.out.Run = *result.Run
	}
	if result.Code != stages.CodeDone {
		r.end(Failed, failed(result.Code), "the run of the plan ended with code %d (%s): %s", result.Code, result.Code.Class(), cmp.Or(result.Error, "its report says why"))
		return nil
	}
	made := publishedBy(result)
	if made == "" {
		r.end(Failed, stages.CodeStage, "the run of the plan published nothing")
		return nil
	}
	version, err := r.releaseOf(ctx, made)
	if err != nil {
		return err
	}
	if c != nil && version.Version == c.release.Version {
		r.end(NotDue, stages.CodeDone, "what the window trains is the champion itself, %s@%d", r.model, version.Version)
		return nil
	}
	decided, err := r.decided(ctx, version.Version)
	if err != nil {
		return err
	}
	if decided != nil {
		r.out.Challenger = shown(version)
		r.end(NotDue, stages.CodeDone, "what the window trains is %s, on which %s decided before: %s", r.out.Challenger.Ref, cmp.Or(decided.Who, "somebody"), cmp.Or(decided.Why, "nobody said why"))
		return nil
	}
	return r.judge(ctx, c, version, result)
}

// failed is the code of a refresh whose run ended with a code: CodePublish is that of a
// challenger which was refused, and timers take that for done.
func failed(code stages.Code) stages.Code {
	if code == stages.CodePublish {
		return stages.CodeStage
	}
	return code
}

// releaseOf is the release whose tree has that digest.
func (r *refresh) releaseOf(ctx context.Context, digest string) (models.Release, error) {
	all, err := models.In(r.Store).Releases(ctx, r.model)
	if err != nil {
		return models.Release{}, err
	}
	i := slices.IndexFunc(all, func(x models.Release) bool { return x.Digest == digest })
	if i < 0 {
		return models.Release{}, stages.Fail(stages.CodeIntegrity, commandline.Of("store", "check").String(), "the release that the run published is not in the store")
	}
	return all[i], nil
}

// publishedBy is the digest of the release that a run published; empty if it did not.
func publishedBy(result *runs.Result) string {
	for _, st := range slices.Backward(result.Stages) {
		if st.Kind == "publish" && st.State.Done() {
			return st.Outputs["release"].Digest
		}
	}
	return ""
}

// end notes what came of the refresh.
func (r *refresh) end(decision string, code stages.Code, format string, args ...any) {
	r.out.Decision, r.out.Code, r.out.Why = decision, code, fmt.Sprintf(format, args...)
}

// note adds what people should know beside the decision.
func (r *refresh) note(format string, args ...any) {
	r.out.Notes = append(r.out.Notes, fmt.Sprintf(format, args...))
}
