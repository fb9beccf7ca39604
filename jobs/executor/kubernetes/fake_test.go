package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a cluster without machines: it keeps Jobs and pods as the API server does,
// makes the pod of a Job as the job controller does, and lets the test be the node.
type fake struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	version int
	jobs    map[string]*job // by name
	pods    map[string]*pod
	history []record
	oldest  int      // versions up to it are forgotten
	cut     chan any // closed to end all watches
	events  []event
	denied  map[string]bool // VERB RESOURCE[/SUB]
	noPods  bool            // the controller makes none
	// stubborn pods go on after they were asked to end.
	stubborn bool
	run      func(*pod) // starts what a pod is to do; nil lets the test be the node
	signal   func(name string, grace time.Duration)
	log      func(name string) []byte // what a pod printed; nil makes it up
	faults   []fault
	requests []string
}

// record is a change that a watch is told of.
type record struct {
	version    int
	kind, what string // jobs; ADDED
	name       string // of the job that it belongs to
	object     []byte
}

// fault answers instead of the cluster as long as it is there.
type fault struct {
	match func(*http.Request) bool
	times int
	serve http.HandlerFunc
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, jobs: map[string]*job{}, pods: map[string]*pod{}, cut: make(chan any), denied: map[string]bool{}}
	f.server = httptest.NewTLSServer(f)
	t.Cleanup(func() {
		f.cutWatches()
		f.server.Close()
	})
	return f
}

// kubeconfig writes a file that reaches the fake.
func (f *fake) kubeconfig(user string) string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	path := filepath.Join(f.t.TempDir(), "config")
	text := fmt.Sprintf(`
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: c, user: u, namespace: news}}]
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: %s}]
`, f.server.URL, base64.StdEncoding.EncodeToString(ca), user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// fail makes the next requests that match answer so.
func (f *fake) fail(times int, match func(*http.Request) bool, serve http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault{match, times, serve})
}

func answerStatus(code int, reason, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
	}
}

func prose(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, "<html>The coffee machine is out of order</html>")
	}
}

// cutWatches ends all watches, as a load balancer does.
func (f *fake) cutWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.cut)
	f.cut = make(chan any)
}

// forget makes every version too old to continue from.
func (f *fake) forget() {
	f.mu.Lock()
	f.version++
	f.oldest = f.version
	f.history = nil
	f.mu.Unlock()
	f.cutWatches()
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	for i := range f.faults {
		if x := &f.faults[i]; x.times > 0 && x.match(r) {
			x.times--
			f.mu.Unlock()
			x.serve(w, r)
			return
		}
	}
	f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer good" {
		answerStatus(401, "Unauthorized", "Unauthorized")(w, r)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/version":
		fmt.Fprint(w, `{"gitVersion":"v1.99.0"}`)
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		f.review(w, r)
	case len(parts) >= 6 && parts[0] == "apis" && parts[5] == "jobs":
		f.resource(w, r, "jobs", parts[6:])
	case len(parts) >= 5 && parts[0] == "api" && slices.Contains([]string{"pods", "events"}, parts[4]):
		f.resource(w, r, parts[4], parts[5:])
	default:
		answerStatus(403, "Forbidden", r.URL.Path+" is forbidden")(w, r)
	}
}

func (f *fake) review(w http.ResponseWriter, r *http.Request) {
	var asked review
	_ = json.NewDecoder(r.Body).Decode(&asked)
	asked.Status.Allowed = !f.denied[asked.Spec.Attributes.Verb+" "+right{attributes: asked.Spec.Attributes}.name()]
	_ = json.NewEncoder(w).Encode(asked)
}

func (f *fake) resource(w http.ResponseWriter, r *http.Request, kind string, rest []string) {
	verb := map[string]string{"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[r.Method]
	name := strings.Join(rest, "/")
	if len(rest) == 0 && verb == "get" {
		verb = "list"
		if r.URL.Query().Get("watch") != "" {
			verb = "watch"
		}
	}
	if len(rest) == 2 {
		kind += "/" + rest[1]
		name = rest[0]
	}
	if f.denied[verb+" "+kind] {
		answerStatus(403, "Forbidden", kind+` is forbidden: User "u" cannot `+verb+` resource`)(w, r)
		return
	}
	if verb == "watch" {
		f.watch(w, r, kind)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case verb == "list":
		f.list(w, r, kind)
	case verb == "create":
		f.create(w, r)
	case kind == "pods/log":
		if f.log != nil {
			_, _ = w.Write(f.log(name))
			break
		}
		fmt.Fprintf(w, "log of %s\n", name)
	case kind == "jobs" && f.jobs[name] == nil, strings.HasPrefix(kind, "pods") && f.pods[name] == nil:
		answerStatus(404, "NotFound", kind+` "`+name+`" not found`)(w, r)
	case verb == "get":
		_ = json.NewEncoder(w).Encode(f.jobs[name])
	case verb == "patch":
		f.patch(w, r, kind, name)
	case verb == "delete":
		f.delete(w, r, kind, name)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request, kind string) {
	meta := listMetadata{ResourceVersion: strconv.Itoa(f.version)}
	switch kind {
	case "jobs":
		all := list[job]{Metadata: meta}
		for _, name := range slices.Sorted(maps.Keys(f.jobs)) {
			if field := r.URL.Query().Get("fieldSelector"); field == "" || field == "metadata.name="+name {
				all.Items = append(all.Items, *f.jobs[name])
			}
		}
		_ = json.NewEncoder(w).Encode(all)
	case "pods":
		all := list[pod]{Metadata: meta}
		for _, name := range slices.Sorted(maps.Keys(f.pods)) {
			if of := r.URL.Query().Get("labelSelector"); of == labelJob+"="+f.pods[name].Metadata.Labels[labelJob] || of == labelManager+"="+manager {
				all.Items = append(all.Items, *f.pods[name])
			}
		}
		_ = json.NewEncoder(w).Encode(all)
	case "events":
		_ = json.NewEncoder(w).Encode(list[event]{Metadata: meta, Items: f.events})
	}
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	made := &job{}
	if err := json.NewDecoder(r.Body).Decode(made); err != nil {
		answerStatus(400, "BadRequest", err.Error())(w, r)
		return
	}
	name := made.Metadata.Name
	if f.jobs[name] != nil {
		answerStatus(409, "AlreadyExists", `jobs.batch "`+name+`" already exists`)(w, r)
		return
	}
	if r.URL.Query().Get("dryRun") != "All" {
		made.Metadata.UID = "uid-" + strconv.Itoa(f.version)
		f.jobs[name] = made
		f.put("jobs", "ADDED", name)
		f.reconcile(made)
	}
	w.WriteHeader(201)
	_ = json.NewEncoder(w).Encode(made)
}

// reconcile makes the pod of a job that has none.
func (f *fake) reconcile(j *job) {
	if f.noPods || j.Spec.Suspend || j.Status.Active+j.Status.Failed+j.Status.Succeeded > 0 {
		return
	}
	j.Status.Active = 1
	now := time.Now()
	o := &pod{Metadata: j.Spec.Template.Metadata, Spec: j.Spec.Template.Spec, Status: podStatus{Phase: "Pending"}}
	o.Metadata.Labels, o.Metadata.Annotations = maps.Clone(o.Metadata.Labels), maps.Clone(o.Metadata.Annotations)
	o.Metadata.Name, o.Metadata.UID, o.Metadata.Created = j.Metadata.Name+"-"+strconv.Itoa(f.version), "uid-pod-"+strconv.Itoa(f.version), &now
	o.Metadata.Labels[labelController] = j.Metadata.UID
	f.pods[o.Metadata.Name] = o
	f.put("pods", "ADDED", o.Metadata.Name)
	if f.run != nil {
		f.run(o)
	}
}

// put records a change.
func (f *fake) put(kind, what, name string) {
	f.version++
	version := strconv.Itoa(f.version)
	var object []byte
	of := name
	if kind == "jobs" {
		f.jobs[name].Metadata.ResourceVersion = version
		object, _ = json.Marshal(f.jobs[name])
	} else {
		f.pods[name].Metadata.ResourceVersion = version
		object, _ = json.Marshal(f.pods[name])
		of = f.pods[name].Metadata.Labels[labelJob]
	}
	f.history = append(f.history, record{f.version, kind, what, of, object})
}

func (f *fake) patch(w http.ResponseWriter, r *http.Request, kind, name string) {
	var change map[string]any
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil || r.Header.Get("Content-Type") != mediaMerge {
		answerStatus(400, "BadRequest", "no merge patch")(w, r)
		return
	}
	if kind == "jobs" {
		f.jobs[name] = merged(f.jobs[name], change)
	} else {
		f.pods[name] = merged(f.pods[name], change)
	}
	f.put(strings.TrimSuffix(kind, "/status"), "MODIFIED", name)
	fmt.Fprint(w, "{}")
}

func merged[T any](to *T, change map[string]any) *T {
	data, _ := json.Marshal(to)
	var all map[string]any
	_ = json.Unmarshal(data, &all)
	var merge func(to, from map[string]any)
	merge = func(to, from map[string]any) {
		for k, v := range from {
			if m, ok := v.(map[string]any); ok {
				if inner, ok := to[k].(map[string]any); ok {
					merge(inner, m)
					continue
				}
			}
			to[k] = v
		}
	}
	merge(all, change)
	data, _ = json.Marshal(all)
	out := new(T)
	_ = json.Unmarshal(data, out)
	return out
}

func (f *fake) delete(w http.ResponseWriter, r *http.Request, kind, name string) {
	var o struct {
		Grace         *int64            `json:"gracePeriodSeconds"`
		Policy        string            `json:"propagationPolicy"`
		Preconditions map[string]string `json:"preconditions"`
	}
	_ = json.NewDecoder(r.Body).Decode(&o)
	var uid string
	if kind == "jobs" {
		uid = f.jobs[name].Metadata.UID
	} else {
		uid = f.pods[name].Metadata.UID
	}
	if want := o.Preconditions["uid"]; want != "" && want != uid {
		answerStatus(409, "Conflict", "the UID in the precondition does not match")(w, r)
		return
	}
	if kind == "pods" {
		if f.signal != nil && o.Grace != nil {
			f.signal(name, time.Duration(*o.Grace)*time.Second)
		}
		f.end(name, o.Grace != nil && *o.Grace == 0)
	} else {
		f.deleteJob(name)
	}
	fmt.Fprint(w, "{}")
}

// deleteJob removes a job with its pods, in the foreground.
func (f *fake) deleteJob(name string) {
	now := time.Now()
	f.jobs[name].Metadata.Deleted = &now
	f.put("jobs", "MODIFIED", name)
	for _, o := range slices.Sorted(maps.Keys(f.pods)) {
		if f.pods[o].Metadata.Labels[labelJob] == name {
			f.end(o, false)
		}
	}
	f.collect()
}

// end asks a pod to end; one that is not stubborn does.
func (f *fake) end(name string, force bool) {
	o, now := f.pods[name], time.Now()
	if o.Metadata.Deleted == nil {
		o.Metadata.Deleted = &now
		f.put("pods", "MODIFIED", name)
	}
	if (f.stubborn || f.run != nil) && !force && o.Status.Phase != "Succeeded" && o.Status.Phase != "Failed" {
		return
	}
	if o.Status.Phase == "Running" {
		o.Status.Phase = "Failed"
		o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Terminated: &terminated{ExitCode: 143, Reason: "Error"}}}}
	}
	f.put("pods", "DELETED", name)
	delete(f.pods, name)
	f.collect()
}

// collect removes deleted jobs without pods.
func (f *fake) collect() {
	for _, name := range slices.Sorted(maps.Keys(f.jobs)) {
		held := slices.ContainsFunc(slices.Collect(maps.Values(f.pods)), func(o *pod) bool { return o.Metadata.Labels[labelJob] == name })
		if f.jobs[name].Metadata.Deleted != nil && !held {
			f.put("jobs", "DELETED", name)
			delete(f.jobs, name)
		}
	}
}

func (f *fake) watch(w http.ResponseWriter, r *http.Request, kind string) {
	q := r.URL.Query()
	at, _ := strconv.Atoi(q.Get("resourceVersion"))
	_, of, _ := strings.Cut(q.Get("fieldSelector")+q.Get("labelSelector"), "=")
	f.mu.Lock()
	if at < f.oldest {
		f.mu.Unlock()
		fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}`)
		return
	}
	cut := f.cut
	f.mu.Unlock()
	for {
		f.mu.Lock()
		for _, e := range f.history {
			if e.version > at && e.kind == kind && e.name == of {
				fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", e.what, e.object)
			}
		}
		at = f.version
		f.mu.Unlock()
		w.(http.Flusher).Flush()
		select {
		case <-cut:
			return
		case <-r.Context().Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// change lets the test be the controllers and the node of the only pod.
func (f *fake) change(edit func(*pod)) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, o := range f.pods {
		edit(o)
		f.put("pods", "MODIFIED", name)
		return
	}
	f.t.Fatal("there is no pod")
}

func (f *fake) changeJob(edit func(*job)) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, j := range f.jobs {
		edit(j)
		f.put("jobs", "MODIFIED", name)
		f.reconcile(j)
		return
	}
	f.t.Fatal("there is no job")
}

func (f *fake) counts() (jobs, pods int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs), len(f.pods)
}
