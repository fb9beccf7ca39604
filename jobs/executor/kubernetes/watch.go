package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// The times of a watch.
const (
	watchFor   = 4 * time.Minute  // the server ends a watch after this long
	watchSlack = 30 * time.Second // after which one that did not end is taken for dead
	silence    = 2 * time.Second  // without a pod, before events are asked
	choresEach = 10 * time.Second
)

// Watch implements executor.Provider. Two streams tell it of the job and of its
// pods; each begins anew with a list when it breaks, so what happened in between is
// seen as it stands.
func (p *Provider) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	name, uid, err := p.parse(h)
	if err != nil {
		return executor.Status{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f := &following{p: p, name: name, uid: uid, pods: map[string]pod{}}
	changes := make(chan func(), 16)
	failed := make(chan error, 2)
	tell := func(change func()) bool {
		select {
		case changes <- change:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		failed <- stream(ctx, p.api, p.jobs(""), url.Values{"fieldSelector": {"metadata.name=" + name}}, func(c change[job]) bool {
			return tell(func() { f.changeJob(c) })
		})
	}()
	go func() {
		failed <- stream(ctx, p.api, p.pods(""), selectPods(name), func(c change[pod]) bool {
			return tell(func() { f.changePod(c) })
		})
	}()
	chores := time.NewTimer(silence)
	defer chores.Stop()
	for {
		select {
		case change := <-changes:
			change()
			for len(changes) > 0 {
				(<-changes)()
			}
		case <-chores.C:
			f.chores(ctx)
			chores.Reset(choresEach)
		case err := <-failed:
			return executor.Status{}, p.api.sorted(err)
		case <-ctx.Done():
			return executor.Status{}, ctx.Err()
		}
		if status, changed := f.look(); changed {
			report(status)
			if status.Phase == executor.PhaseEnded || status.Hopeless {
				return f.leave(ctx, status)
			}
		}
	}
}

// following is what a watch knows. One goroutine uses it.
type following struct {
	p                *Provider
	name, uid        string
	job              *job
	pods             map[string]pod // by UID
	jobSeen, podSeen bool           // listed once
	events           []event
	told             *executor.Status
	restarts         int
	counted          string // UID of the pod that restarts counts
}

// change is one of a stream: an object that is there, one that is gone, or all that
// are there.
type change[T any] struct {
	all  []T
	one  *T
	gone bool
}

func (f *following) changeJob(c change[job]) {
	f.jobSeen = true
	switch {
	case c.one == nil:
		f.job = nil
		for i := range c.all {
			f.takeJob(&c.all[i])
		}
	case c.gone && f.job != nil && f.job.Metadata.UID == c.one.Metadata.UID:
		f.job = nil
	case !c.gone:
		f.takeJob(c.one)
	}
}

// takeJob ignores another job that got the same name later.
func (f *following) takeJob(j *job) {
	if j.Metadata.UID == f.uid {
		f.job = j
	}
}

// labelController holds the UID of a pod's Job.
const labelController = "batch.kubernetes.io/controller-uid"

func (f *following) changePod(c change[pod]) {
	f.podSeen = true
	if c.one == nil {
		clear(f.pods)
	}
	if c.one != nil {
		c.all = []pod{*c.one}
	}
	for _, o := range c.all {
		if of := o.Metadata.Labels[labelController]; of != "" && of != f.uid {
			continue
		}
		if c.gone {
			delete(f.pods, o.Metadata.UID)
			continue
		}
		f.pods[o.Metadata.UID] = o
	}
}

func (f *following) snapshot() *snapshot {
	s := &snapshot{job: f.job, events: f.events}
	for _, o := range f.pods {
		s.pods = append(s.pods, o)
	}
	return s
}

// look returns the status, once it is known, and whether it has changed.
func (f *following) look() (executor.Status, bool) {
	if !f.jobSeen || !f.podSeen {
		return executor.Status{}, false
	}
	s := f.snapshot()
	if i := current(s.pods); i >= 0 && s.pods[i].Metadata.UID != f.counted {
		if f.counted != "" {
			f.restarts++ // by the queue, which may take a machine back and give another
		}
		f.counted = s.pods[i].Metadata.UID
	}
	status := f.p.status(s)
	status.Restarts = f.restarts
	if f.told != nil && *f.told == status {
		return status, false
	}
	f.told = &status
	return status, true
}

// leave ends the watch; pods of a machine that is gone are released first.
func (f *following) leave(ctx context.Context, status executor.Status) (executor.Status, error) {
	if status.Lost {
		if err := f.p.release(ctx, f.snapshot().pods); err != nil {
			f.p.log.LogAttrs(ctx, levelWarn, "the pod of a lost node is not released", attr("job", f.name), attr("error", err.Error()))
		}
	}
	f.p.programs.forget(f.name)
	status.Phase = executor.PhaseEnded
	return status, nil
}

// chores asks for what no stream tells, and keeps the program's address fresh.
func (f *following) chores(ctx context.Context) {
	if !f.jobSeen || !f.podSeen || f.job == nil {
		return
	}
	if len(f.pods) == 0 {
		f.events = f.p.eventsOf(ctx, f.job)
	}
	f.refresh(ctx)
}

// eventsOf are the events of a Job, where they may be read.
func (p *Provider) eventsOf(ctx context.Context, j *job) []event {
	events := &list[event]{}
	path := "/api/v1/namespaces/" + url.PathEscape(p.api.namespace) + "/events"
	query := url.Values{"fieldSelector": {"involvedObject.uid=" + j.Metadata.UID}}
	if err := p.api.once(ctx, call{method: http.MethodGet, path: path, query: query, out: events}); err != nil {
		return nil
	}
	return events.Items
}

// stream lists, then watches from there, until tell says that it is enough, ctx ends,
// or the API says what does not go away.
func stream[T any](ctx context.Context, a *api, path string, query url.Values, tell func(change[T]) bool) error {
	failures := 0
	for {
		began := time.Now()
		err := listAndWatch(ctx, a, path, query, tell)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !transient(err) && !is(err, http.StatusGone) {
			return err
		}
		if time.Since(began) > watchSlack {
			failures = 0
		}
		failures++
		if executor.Pause(ctx, a.pause(min(failures, 10), err)) != nil {
			return ctx.Err()
		}
	}
}

// listAndWatch returns when the watch cannot go on.
func listAndWatch[T any](ctx context.Context, a *api, path string, query url.Values, tell func(change[T]) bool) error {
	items := &list[T]{}
	if err := a.do(ctx, call{method: http.MethodGet, path: path, query: query, out: items}); err != nil {
		return err
	}
	if !tell(change[T]{all: items.Items}) {
		return ctx.Err()
	}
	version := items.Metadata.ResourceVersion
	for {
		began := time.Now()
		if err := watchOnce(ctx, a, path, query, &version, tell); err != nil {
			return err
		}
		if time.Since(began) < time.Second { // it is cut as soon as it begins
			return nil
		}
	}
}

// watchOnce is one connection; nil is one that ended in order, after which the next
// continues from version.
func watchOnce[T any](ctx context.Context, a *api, path string, query url.Values, version *string, tell func(change[T]) bool) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+watchSlack)
	defer cancel()
	q := url.Values{"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {*version}, "timeoutSeconds": {strconv.Itoa(int(watchFor.Seconds()))}}
	for k, v := range query {
		q[k] = v
	}
	answer, err := a.send(ctx, call{method: http.MethodGet, path: path, query: q})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	broken := func(err error) error { return &apiError{verb: http.MethodGet, path: path, err: err} }
	for lines := json.NewDecoder(answer.Body); ; {
		var line struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := lines.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			if _, ok := errors.AsType[*json.SyntaxError](err); ok {
				return &apiError{verb: http.MethodGet, path: path, code: http.StatusOK, prose: true, message: "a watch"}
			}
			return broken(errors.New("the watch was cut: " + err.Error()))
		}
		var head struct {
			Metadata metadata `json:"metadata"`
			Code     int      `json:"code"`
			Reason   string   `json:"reason"`
			Message  string   `json:"message"`
		}
		if err := json.Unmarshal(line.Object, &head); err != nil {
			return broken(err)
		}
		if line.Type == "ERROR" {
			return &apiError{verb: http.MethodGet, path: path, code: head.Code, reason: head.Reason, message: head.Message}
		}
		if head.Metadata.ResourceVersion != "" {
			*version = head.Metadata.ResourceVersion
		}
		if line.Type == "BOOKMARK" {
			continue
		}
		one := new(T)
		if err := json.Unmarshal(line.Object, one); err != nil {
			return broken(err)
		}
		if !tell(change[T]{one: one, gone: line.Type == "DELETED"}) {
			return ctx.Err()
		}
	}
}
