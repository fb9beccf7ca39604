//go:build unix

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// The secrets of the canary test: of a program, of an endpoint, and two of the machine.
var canaries = map[string]string{
	"PROGRAM_TOKEN":         `cAn7/Rq+x=Z"9\z<k>&'wQ!`,
	"CHAT_KEY":              `sk-Wp7/Yt+Lm=Uv"3\Hd<g>&'Jx`,
	"HF_TOKEN":              "hf_QzVbNmXcLkJhGfDsAp",
	"AWS_SECRET_ACCESS_KEY": "Tq8/Gz+Bn4Kv5Rw6Ys7Du8Fe9",
}

// shape is an encoding of a text.
type shape struct{ name, text string }

// shapes are the encodings of a secret that nothing may show.
func shapes(t testing.TB, secret string) []shape {
	t.Helper()
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	digits := hex.EncodeToString([]byte(secret))
	out := []shape{
		{"raw", secret}, {"hex", digits}, {"HEX", strings.ToUpper(digits)},
		{"URL", url.QueryEscape(secret)}, {"JSON", string(quoted[1 : len(quoted)-1])},
	}
	for before := range 3 {
		all := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("u", before) + secret))
		core := all[(8*before+5)/6 : 8*(before+len(secret))/6]
		out = append(out, shape{fmt.Sprint("base64 ", before), core}, shape{fmt.Sprint("base64 of URLs ", before), strings.NewReplacer("+", "-", "/", "_").Replace(core)})
	}
	return out
}

// canaryWindow is how much of an encoding shows that it was not hidden.
const canaryWindow = 8

// shows fails the test if there is a piece of any encoding of any secret in a sink.
func shows(t testing.TB, sink string, data []byte) {
	t.Helper()
	for name, secret := range canaries {
		for _, s := range shapes(t, secret) {
			for at := 0; at+canaryWindow <= len(s.text); at++ {
				if i := bytes.Index(data, []byte(s.text[at:at+canaryWindow])); i >= 0 {
					t.Errorf("%s shows %s as %s: %q", sink, name, s.name, data[max(i-60, 0):min(i+60, len(data))])
					break
				}
			}
		}
	}
}

// plainOf is what stands in a table of Parquet, else the bytes as they are.
func plainOf(t testing.TB, data []byte) []byte {
	t.Helper()
	if !bytes.HasPrefix(data, []byte("PAR1")) {
		return data
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(data)
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		buf := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				for _, v := range row {
					out = append(append(out, v.String()...), '\n')
				}
			}
			if err != nil {
				break
			}
		}
		rows.Close()
	}
	return out
}

// telltale prints its secret in every way, and how it was started.
const telltale = `
import base64, binascii, json, os, sys, urllib.parse
t = os.environ["TOK"]; b = t.encode()
forms = [t, base64.b64encode(b).decode(), base64.b64encode(b"u" + b).decode(), base64.urlsafe_b64encode(b"us" + b).decode(), urllib.parse.quote(t, safe=""),
    json.dumps(t), binascii.hexlify(b).decode(), binascii.hexlify(b).decode().upper()]
for f in forms:
    print("told", f, flush=True)
    print("x" * 8180 + f, flush=True)
    for c in f:
        sys.stdout.write(c); sys.stdout.flush()
    print()
with open(os.environ["SPRINT_OUTPUTS"] + "/seen", "w") as out:
    out.write(json.dumps({"argv": sys.argv, "env": {k: v for k, v in os.environ.items() if k != "TOK"}}))
print(" ".join(forms), file=sys.stderr)
sys.exit(int(open("../files/end").read()))
`

const canaryPlan = `name: demo
taxonomy: taxonomy.yaml
stages:
  - name: fetch
    with: {source: files, files: {paths: [rows.jsonl]}}
  - name: tell
    kind: command
    with: {argv: [python3, "{files.tell.py}"], files: [tell.py, end], outputs: [seen], secrets: {TOK: "env:PROGRAM_TOKEN"}}
  - name: ask
    kind: label
    needs: [fetch]
    with: {source: [http, rules], http: {model: m, key: "env:CHAT_KEY", max_bad: 1}}
  - name: compare
    kind: label
    needs: [fetch]
    resources: {device: go}
    with: {source: [encoder, rules], encoder: {model: %s, sure: 0.999}}
`

// parrot is an endpoint that repeats the key of its client in every way: in status
// lines, refusals and answers.
func parrot(t *testing.T, mood *string) *httptest.Server {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Authorization")
		var all []string
		for _, s := range shapes(t, strings.TrimPrefix(key, "Bearer ")) {
			all = append(all, s.text)
		}
		text := strings.Join(append(all, base64.StdEncoding.EncodeToString([]byte(key))), " ")
		asked++
		switch {
		case *mood == "refuse":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, text)
		case asked%2 == 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, text)
		default:
			content := text + ` {"labels": [{"category": "fire", "score": 0.9, "tag": "big"}]}`
			_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": content}}}})
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestNothingShowsASecret: no secret is in anything that is shown, stored or handed to
// a process that need not have it, in no encoding. What is looked at is every byte that
// is written.
func TestNothingShowsASecret(t *testing.T) {
	if testing.Short() {
		t.Skip("several runs")
	}
	dir := demo(t, map[string]string{"plan.yaml": fmt.Sprintf(canaryPlan, encodertest.Tiny(t)), "tell.py": telltale, "end": "0", "rows.jsonl": strings.Join(strings.SplitAfter(goodRows(), "\n")[:16], "")})
	mood := ""
	server := parrot(t, &mood)
	tmp, workers := filepath.Join(dir, "tmp"), filepath.Join(t.TempDir(), "workers")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	env := []string{
		"HOME=" + filepath.Join(dir, "home"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + tmp, "TEST_WORKERS=" + workers,
		"SPRINT_ENDPOINTS={chat: " + server.URL + "/v1}", "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary.md"),
	}
	for name, secret := range canaries {
		env = append(env, name+"="+secret)
		t.Setenv(name, secret)
	}
	sprint := func(want int, args ...string) string {
		t.Helper()
		t.Chdir(dir)
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, env, strings.NewReader(""), &stdout, &stderr); code != want {
			t.Fatalf("%v ends %d, want %d:\n%.3000s%.3000s", args, code, want, stdout.String(), stderr.String())
		}
		shows(t, strings.Join(args, " "), append(stdout.Bytes(), stderr.Bytes()...))
		return stdout.String()
	}
	for _, output := range []string{"plain", "json", "github"} {
		sprint(0, "run", "-v", "-o", output, "--force", "--junit", output+".xml")
	}
	write(t, dir, map[string]string{"end": "3"})
	sprint(1, "run", "-v", "-o", "json", "--junit", "failed.xml")
	mood = "refuse"
	sprint(4, "run", "-o", "github", "--only", "ask", "--set", "ask.http.max_tokens=1")
	for _, args := range [][]string{{"status"}, {"runs", "-o", "json"}, {"logs"}, {"explain", "ask", "-o", "json"}, {"report", "-o", "md"},
		{"report", "-o", "html"}, {"diff"}, {"trace", "ask.labelled"}, {"artifacts"}, {"config", "--origin"}, {"graph"}} {
		sprint(0, args...)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		shows(t, path, append([]byte(path+"\n"), plainOf(t, data)...))
		return err
	})
	if err != nil || files < 50 {
		t.Errorf("looked at %d files: %v", files, err)
	}
	seen, err := os.ReadFile(workers)
	if err != nil || !bytes.Contains(seen, []byte("HOME=")) {
		t.Fatalf("no worker said how it was started: %v", err)
	}
	// A worker opens the store and the hub itself.
	shows(t, "a worker's arguments and environment", []byte(strings.NewReplacer(canaries["HF_TOKEN"], "", canaries["AWS_SECRET_ACCESS_KEY"], "").Replace(string(seen))))
}
