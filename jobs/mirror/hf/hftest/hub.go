// Package hftest is a stand-in for the part of the Hugging Face hub that keeps models: it
// speaks its commit API and that of Git LFS. The real Python client drives it in a test.
// hub.go is the repository, lfs.go takes large files, reader.go looks into it.
package hftest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Token is the one that the hub takes.
const Token = "hf_stand_in_token"

// Hub is the stand-in. It is safe for concurrent use.
type Hub struct {
	URL string
	// Part is the size of the parts of large files; 0 takes them whole.
	Part int

	mu    sync.Mutex
	repos map[string]*repo
	bytes map[string][]byte         // by LFS oid
	parts map[string]map[int][]byte // by LFS oid
}

type repo struct {
	commits []map[string][]byte // files; the name of a commit is its digest
	names   []string
	tags    map[string]string
}

// New starts a hub that ends with the test.
func New(t testing.TB) *Hub {
	h := &Hub{repos: map[string]*repo{}, bytes: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	api, web := http.NewServeMux(), http.NewServeMux()
	api.HandleFunc("POST /api/repos/create", h.create)
	api.HandleFunc("GET /api/models/{owner}/{name}/refs", h.with(h.refs))
	api.HandleFunc("GET /api/models/{owner}/{name}/revision/{rev}", h.with(h.info))
	api.HandleFunc("GET /api/models/{owner}/{name}", h.with(h.info))
	api.HandleFunc("POST /api/models/{owner}/{name}/preupload/{rev}", h.with(h.preupload))
	api.HandleFunc("POST /api/models/{owner}/{name}/commit/{rev}", h.with(h.commit))
	api.HandleFunc("POST /api/models/{owner}/{name}/tag/{rev}", h.with(h.tag))
	api.HandleFunc("DELETE /api/models/{owner}/{name}/tag/{rev}", h.with(h.untag))
	api.HandleFunc("POST /api/validate-yaml", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{}) })
	web.HandleFunc("GET /{owner}/{name}/resolve/{rev}/{path...}", h.with(h.resolve)) // and HEAD
	api.HandleFunc("GET /api/resolve-cache/models/{owner}/{name}/{rev}/{path...}", h.with(h.content))
	web.HandleFunc("POST /{owner}/{git}/info/lfs/objects/batch", h.batch)
	web.HandleFunc("POST /{owner}/{git}/info/lfs/verify", h.verify)
	web.HandleFunc("POST /lfs/complete/{oid}", h.complete)
	web.HandleFunc("PUT /lfs/{oid}/{part}", h.put)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		// Addresses that the hub gave are signed: no account goes there.
		if signed := strings.HasPrefix(r.URL.Path, "/lfs/"); signed == (r.Header.Get("Authorization") == "Bearer "+Token) {
			refuse(w, http.StatusUnauthorized, "Invalid credentials")
			return
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
		} else {
			web.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	h.URL = s.URL
	return h
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("X-Error-Message", text)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

// with finds the repository of a request.
func (h *Hub) with(do func(*repo, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		of := h.repos[r.PathValue("owner")+"/"+r.PathValue("name")]
		if of == nil {
			w.Header().Set("X-Error-Code", "RepoNotFound")
			refuse(w, http.StatusNotFound, "Repository not found")
			return
		}
		do(of, w, r)
	}
}

func (h *Hub) create(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Organization string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	id := in.Organization + "/" + in.Name
	if h.repos[id] != nil {
		w.WriteHeader(http.StatusConflict)
		answer(w, map[string]string{"error": "You already created this model repo", "url": h.URL + "/" + id})
		return
	}
	h.repos[id] = &repo{tags: map[string]string{}}
	h.repos[id].add(map[string][]byte{".gitattributes": []byte("*.safetensors filter=lfs\n")})
	answer(w, map[string]string{"url": h.URL + "/" + id})
}

// add makes a commit.
func (p *repo) add(files map[string][]byte) string {
	sum := sha256.New()
	fmt.Fprint(sum, len(p.commits))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s\x00%x\x00", path, sha256.Sum256(files[path]))
	}
	name := hex.EncodeToString(sum.Sum(nil))[:40]
	p.commits, p.names = append(p.commits, files), append(p.names, name)
	return name
}

// at is the commit that a revision names; nil if there is none.
func (p *repo) at(rev string) (files map[string][]byte, name string) {
	if rev == "main" || rev == "" {
		return p.commits[len(p.commits)-1], p.names[len(p.names)-1]
	}
	if to, ok := p.tags[rev]; ok {
		rev = to
	}
	if i := slices.Index(p.names, rev); i >= 0 {
		return p.commits[i], rev
	}
	return nil, ""
}

func (h *Hub) refs(p *repo, w http.ResponseWriter, _ *http.Request) {
	tags := []map[string]string{}
	for tag, commit := range p.tags {
		tags = append(tags, map[string]string{"name": tag, "ref": "refs/tags/" + tag, "targetCommit": commit})
	}
	answer(w, map[string]any{"branches": []map[string]string{{"name": "main", "ref": "refs/heads/main", "targetCommit": p.names[len(p.names)-1]}}, "tags": tags, "converts": []any{}})
}

func (h *Hub) info(p *repo, w http.ResponseWriter, r *http.Request) {
	files, name := p.at(r.PathValue("rev"))
	siblings := []map[string]string{}
	for path := range files {
		siblings = append(siblings, map[string]string{"rfilename": path})
	}
	answer(w, map[string]any{"id": r.PathValue("owner") + "/" + r.PathValue("name"), "sha": name, "siblings": siblings})
}

// isLarge reports whether a file goes by Git LFS.
func isLarge(path string) bool { return strings.HasSuffix(path, ".safetensors") }

func (h *Hub) preupload(_ *repo, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Files []struct {
			Path, Sample string
			Size         int
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	out := []map[string]any{}
	for _, f := range in.Files {
		if head, err := base64.StdEncoding.DecodeString(f.Sample); err != nil || len(head) != min(f.Size, 512) {
			refuse(w, http.StatusBadRequest, "bad sample of "+f.Path)
			return
		}
		out = append(out, map[string]any{"path": f.Path, "uploadMode": map[bool]string{true: "lfs", false: "regular"}[isLarge(f.Path)], "shouldIgnore": false, "oid": nil})
	}
	answer(w, map[string]any{"files": out})
}

func (h *Hub) commit(p *repo, w http.ResponseWriter, r *http.Request) {
	now, head := p.at("main")
	files := maps.Clone(now)
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Key   string
			Value struct{ ParentCommit, Path, Content, OID string }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		switch v := line.Value; line.Key {
		case "header":
			if v.ParentCommit != "" && v.ParentCommit != head {
				refuse(w, http.StatusPreconditionFailed, "A commit has happened since. Please refresh and try again.")
				return
			}
		case "file":
			files[v.Path], _ = base64.StdEncoding.DecodeString(v.Content)
		case "lfsFile":
			data, ok := h.bytes[v.OID]
			if !ok {
				refuse(w, http.StatusBadRequest, "the LFS pointer of "+v.Path+" points nowhere")
				return
			}
			files[v.Path] = data
		case "deletedFile":
			delete(files, v.Path)
		}
	}
	if lines.Err() != nil {
		return // cut off
	}
	name := p.add(files)
	answer(w, map[string]any{"commitOid": name, "commitUrl": h.URL + "/" + r.PathValue("owner") + "/" + r.PathValue("name") + "/commit/" + name, "success": true, "hookOutput": ""})
}

func (h *Hub) tag(p *repo, w http.ResponseWriter, r *http.Request) {
	var in struct{ Tag string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	_, commit := p.at(r.PathValue("rev"))
	switch _, there := p.tags[in.Tag]; {
	case there:
		refuse(w, http.StatusConflict, "Tag reference exists already")
	case commit == "":
		refuse(w, http.StatusNotFound, "Invalid rev id")
	default:
		p.tags[in.Tag] = commit
		answer(w, map[string]any{})
	}
}

func (h *Hub) untag(p *repo, w http.ResponseWriter, r *http.Request) {
	delete(p.tags, r.PathValue("rev"))
	answer(w, map[string]any{})
}

// resolve says where a file of a commit is: the hub gives it by another path of its own.
func (h *Hub) resolve(p *repo, w http.ResponseWriter, r *http.Request) {
	_, name := p.at(r.PathValue("rev"))
	at := url.URL{Path: "/api/resolve-cache/models/" + r.PathValue("owner") + "/" + r.PathValue("name") + "/" + name + "/" + r.PathValue("path")}
	w.Header().Set("X-Repo-Commit", name)
	w.Header().Set("Location", at.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// content gives a file of a commit.
func (h *Hub) content(p *repo, w http.ResponseWriter, r *http.Request) {
	files, name := p.at(r.PathValue("rev"))
	data, ok := files[r.PathValue("path")]
	if !ok {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		refuse(w, http.StatusNotFound, "Entry not found")
		return
	}
	sum := sha256.Sum256(data)
	w.Header().Set("X-Repo-Commit", name)
	w.Header().Set("ETag", strconv.Quote(hex.EncodeToString(sum[:])))
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, bytes.NewReader(data))
	}
}
