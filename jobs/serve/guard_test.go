package serve

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/serve/access"
)

// TestWhoMayAsk: strangers are refused before anything is read of what they send.
func TestWhoMayAsk(t *testing.T) {
	tokens, err := access.NewTokens(func() ([]string, error) { return []string{"another-token-of-25-bytes", "s3cret-of-some-24-bytes"}, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options Options
		method  string
		path    string
		headers []string
		status  int
	}{
		"a program":              {Options{}, "POST", path, nil, 200},
		"localhost":              {Options{}, "POST", path, []string{"Host", "LocalHost.:8080"}, 200},
		"IPv6":                   {Options{}, "POST", path, []string{"Host", "[::1]:8080"}, 200},
		"rebound name":           {Options{}, "POST", path, []string{"Host", "evil.example"}, 421},
		"rebound name, metrics":  {Options{}, "GET", "/metrics", []string{"Host", "evil.example:8080"}, 421},
		"name like localhost":    {Options{}, "POST", path, []string{"Host", "localhost.evil.example"}, 421},
		"another address":        {Options{}, "POST", path, []string{"Host", "192.0.2.1"}, 421},
		"own name":               {Options{Hosts: []string{"news.example"}}, "POST", path, []string{"Host", "News.example:443"}, 200},
		"not its own name":       {Options{Hosts: []string{"news.example"}}, "POST", path, []string{"Host", "olds.example"}, 421},
		"cross-site":             {Options{}, "POST", path, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same-site":              {Options{}, "POST", path, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"cross-site, metrics":    {Options{}, "GET", "/metrics", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same origin":            {Options{}, "POST", path, []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"typed by a person":      {Options{}, "GET", "/metrics", []string{"Sec-Fetch-Site", "none"}, 200},
		"origin":                 {Options{}, "POST", path, []string{"Origin", "http://evil.example"}, 403},
		"no origin":              {Options{}, "POST", path, []string{"Origin", "null"}, 403},
		"another port":           {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "http://localhost:2"}, 403},
		"own origin":             {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "http://localhost:1"}, 200},
		"own origin, behind TLS": {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "HTTPS://localhost:1"}, 200},
		"a file's origin":        {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "file://localhost:1"}, 403},
		"an extension's origin":  {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "moz-extension://localhost:1"}, 403},
		"a form":                 {Options{}, "POST", path, []string{"Content-Type", "text/plain"}, 415},
		"no type":                {Options{}, "POST", path, []string{"Content-Type", ""}, 415},
		"a charset":              {Options{}, "POST", path, []string{"Content-Type", "application/json; charset=utf-8"}, 200},
		"another charset":        {Options{}, "POST", path, []string{"Content-Type", "application/json; charset=ISO-8859-1"}, 415},
		"two types":              {Options{}, "POST", path, []string{"Content-Type", "application/json, text/plain"}, 415},
		"compressed":             {Options{}, "POST", path, []string{"Content-Encoding", "gzip"}, 415},
		"compressed tensors":     {Options{}, "POST", "/v2/models/news/infer", []string{"Content-Encoding", "deflate", "Inference-Header-Content-Length", "3"}, 415},
		"compressed to predict":  {Options{}, "POST", "/predict", []string{"Content-Encoding", "gzip"}, 415},
		"a read":                 {Options{}, "GET", path, nil, 405},
		"token":                  {Options{Tokens: tokens}, "POST", path, []string{"Authorization", "Bearer s3cret-of-some-24-bytes"}, 200},
		"no token":               {Options{Tokens: tokens}, "POST", path, nil, 401},
		"half a token":           {Options{Tokens: tokens}, "POST", path, []string{"Authorization", "Bearer s3cret-of-some"}, 401},
		"another scheme":         {Options{Tokens: tokens}, "POST", path, []string{"Authorization", "Basic s3cret-of-some-24-bytes"}, 401},
		"no token, metrics":      {Options{Tokens: tokens}, "GET", "/metrics", nil, 401},
		"health":                 {Options{Tokens: tokens}, "GET", "/healthz", []string{"Host", "10.0.0.7:8080"}, 200},
		"readiness":              {Options{Tokens: tokens}, "GET", "/readyz", []string{"Host", "10.0.0.7:8080"}, 200},
		"another token":          {Options{Tokens: tokens}, "POST", path, []string{"Authorization", "bearer another-token-of-25-bytes"}, 200},
		"the page":               {Options{}, "GET", "/", nil, 200},
		"the page, tokens":       {Options{Tokens: tokens}, "GET", "/", []string{"Authorization", "Bearer s3cret-of-some-24-bytes"}, 404},
		"models, no token":       {Options{Tokens: tokens}, "GET", "/v1/models", nil, 401},
		"nowhere":                {Options{}, "GET", "/etc/passwd", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := serve(t, classifier(t), c.options)
			status, answer, h := ask(t, s, c.method, c.path, `{"title":"Fire"}`, c.headers...)
			if status != c.status {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
			if status >= 400 && (!strings.HasPrefix(answer, `{"error":"`) || h.Get("Content-Type") != "application/json") {
				t.Errorf("it is told %s", answer)
			}
			if sent := slices.Contains(c.headers, "Authorization"); status == 401 && sent != strings.Contains(answer, "none of the server's tokens") {
				t.Errorf("it is told %s", answer)
			}
			if compressed := strings.HasPrefix(name, "compressed"); compressed != strings.Contains(answer, "without Content-Encoding") {
				t.Errorf("it is told %s", answer)
			}
			if c.options.Tokens == nil && status >= 400 && counted(t, s, "sprint_read_bytes_total") != 0 {
				t.Error("bytes were read")
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "127.9.9.9:1": true, "localhost:1": true, ":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false} {
		addr, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if access.Loopback(addr) != want {
			t.Errorf("%s: %v", listen, fmt.Sprint(addr))
		}
	}
}
