package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/serve"
	"github.com/sprint-ml/sprint/jobs/serve/access"
	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	model     modelFlags
	listen    string
	hosts     []string
	tokens    []string
	cert, key string
	pin       bool
	poll      time.Duration
	waiting   int
	accessLog string
	o         serve.Options
}

func serveCommand(a *app.App) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve --model REF", Short: "Answer over HTTP", Args: cobra.NoArgs,
		Long: `Serve a model over HTTP:
  POST /v1/classify   {"title": "...", "description": "...", "language": "sv"} or {"instances": [...]},
                      with "all": true for categories below their threshold, "threshold": 0.3 for another one
  GET  /v1/models     the model, its categories and thresholds
  POST /v2/models/NAME/infer   the Open Inference Protocol of KServe and Triton, with /v2/models/NAME and /v2/health/ready
  POST /predict       the protocol of Text Embeddings Inference, with /info
  GET  /healthz       200 while the process lives
  GET  /readyz        200 when the model can answer; 503 while only keywords can, and at the end
  GET  /metrics       counters and histograms in Prometheus' text format
  GET  /openapi.json  all of this in OpenAPI 3.1; GET / is a page to try a text, where no token is demanded

description may be absent, and so may language: where the model's rules are by language
the letters of a text say it then. A request is JSON and says so (Content-Type:
application/json); fields that there are not, and a field twice, are refused. Texts of
many requests are answered together. When too many wait, the answer is 429 with
Retry-After; after --timeout it is 504.

A model named by NAME or NAME@ALIAS is followed: when the alias moves, the new release is
loaded beside the old one and takes its place, and no request fails. A release that cannot
be loaded does not; /readyz, /metrics and the log say so. --pin stays with what is named
at the start. Where this machine cannot run the model at the start its keywords answer, and
the model is tried again, at most five minutes later each time, until it does.

Only names of this machine are answered: localhost, the address that is listened
on, and those of --host. Pages of other sites are not. An address that other
machines reach demands a --token, which clients send as a bearer token, of 16 characters
at least; the file of file:PATH may hold one a line, and is read again when it changes, like
the files of --tls-cert and --tls-key. /healthz, /readyz and /v2/health need no token.

At SIGTERM /readyz is 503; after --shutdown-delay no more requests are taken, and those
that are open end within --drain.

Ask it:
  curl -H 'Content-Type: application/json' -d '{"title": "Storm closes the harbour"}' http://127.0.0.1:8080/v1/classify`,
		Example: "  sprint serve --model quickstart\n  sprint serve --model quickstart@champion --listen 0.0.0.0:8080 --host news.example.org --token file:tokens --tls-cert cert.pem --tls-key key.pem",
		RunE:    func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, cmd, &f) },
	}
	f.model.add(cmd, a)
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address")
	flags.StringArrayVar(&f.hosts, "host", nil, "another name by which clients reach this server; may be repeated")
	flags.BoolVar(&f.o.AllowKeywords, "allow-keywords", false, "be ready too when this machine cannot run the model and its keywords answer")
	flags.StringArrayVar(&f.tokens, "token", nil, "env:NAME or file:PATH of a bearer token that clients send, of 16 characters at least; may be repeated")
	flags.StringVar(&f.cert, "tls-cert", "", "file of a TLS certificate, PEM")
	flags.StringVar(&f.key, "tls-key", "", "file of its key, PEM")
	flags.BoolVar(&f.pin, "pin", false, "stay with the release that is named at the start")
	flags.DurationVar(&f.poll, "poll", 5*time.Second, "how often to look whether the alias has moved")
	flags.IntVar(&f.waiting, "max-queue", 4096, "most texts that wait; more are told 429")
	flags.DurationVar(&f.o.Timeout, "timeout", 30*time.Second, "longest wait for an answer; then 504")
	flags.Int64Var(&f.o.Limits.Body, "max-body", 8<<20, "most bytes of a request")
	flags.IntVar(&f.o.Limits.Texts, "max-texts", 1024, "most texts of a request")
	flags.IntVar(&f.o.Limits.Chars, "max-chars", 1_000_000, "most characters of a text; the model reads as many tokens of it as it takes")
	flags.IntVar(&f.o.Limits.Tokens, "max-tokens", 0, "refuse longer texts, 422, instead of cutting them; 0 cuts")
	flags.DurationVar(&f.o.Delay, "shutdown-delay", 0, "how long requests are still taken at the end, while /readyz is 503")
	flags.DurationVar(&f.o.Drain, "drain", 10*time.Second, "how long open requests may take at the end")
	flags.StringVar(&f.accessLog, "access-log", "on", "a JSON line for each request on standard error: on, off, or texts to show titles too")
	return cmd
}

func runServe(ctx context.Context, a *app.App, cmd *cobra.Command, f *serveFlags) error {
	addr, err := f.admission(a)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	switch f.accessLog {
	case "on", "texts":
		f.o.AccessLog, f.o.LogTexts = slog.New(slog.NewJSONHandler(a.Stderr, nil)), f.accessLog == "texts"
	case "off":
	default:
		return &diagnostic.UsageError{Message: fmt.Sprintf("--access-log %s: on, off or texts", f.accessLog)}
	}
	f.o.Version = app.Version()
	source, err := f.source(a, cmd)
	if err != nil {
		return err
	}
	model := reload.Options{Source: source, Poll: f.poll, Batch: batch.Options{MaxWaiting: f.waiting}, Log: a.News()}
	if f.pin {
		model.Poll = 0
	}
	s, err := serve.Open(ctx, f.o, model)
	if err != nil {
		return app.Interrupted(ctx, err)
	}
	defer s.Close()
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
	}
	a.Ending.Orderly() // answers that have begun are finished
	scheme := "http"
	if f.o.TLS != nil {
		scheme = "https"
	}
	return s.Serve(ctx, l, func() { fmt.Fprintf(a.Stdout, "listening on %s://%s\n", scheme, l.Addr()) })
}

// source is where the model comes from. Its first opening is that of every command, with
// its messages.
func (f *serveFlags) source(a *app.App, cmd *cobra.Command) (reload.Source, error) {
	o, err := answerOptions(a, cmd, &f.model)
	if err != nil {
		return nil, err
	}
	return &told{Reference: &reload.Reference{Options: o}, a: a, cmd: cmd, m: &f.model}, nil
}

// told is a reference whose first opening says what openModel says.
type told struct {
	*reload.Reference
	a   *app.App
	cmd *cobra.Command
	m   *modelFlags
}

// Resolve explains why nothing is named.
func (t *told) Resolve(ctx context.Context) (reload.Release, error) {
	r, err := t.Reference.Resolve(ctx)
	if err != nil {
		err = noModel(ctx, t.a, t.cmd, t.m, err)
	}
	return r, err
}

// Open says when keywords answer.
func (t *told) Open(ctx context.Context, r reload.Release, strict bool) (reload.Opened, error) {
	opened, err := t.Reference.Open(ctx, r, strict)
	if err == nil && opened.Fallback != nil {
		sayKeywords(t.a, r.String(), opened.Fallback)
	}
	return opened, err
}

// check refuses flags that cannot be meant.
func (f *serveFlags) check() error {
	for name, n := range map[string]int64{"max-queue": int64(f.waiting), "max-body": f.o.Limits.Body, "max-texts": int64(f.o.Limits.Texts), "max-chars": int64(f.o.Limits.Chars), "timeout": int64(f.o.Timeout), "poll": int64(f.poll), "drain": int64(f.o.Drain)} {
		if n < 1 {
			return &diagnostic.UsageError{Message: fmt.Sprintf("--%s: it must be more than 0", name)}
		}
	}
	if f.o.Limits.Tokens < 0 || f.o.Delay < 0 {
		return &diagnostic.UsageError{Message: "--max-tokens and --shutdown-delay are at least 0"}
	}
	return nil
}

// admission is where to listen; it sets who may ask there. Without a token only
// this machine may.
func (f *serveFlags) admission(a *app.App) (*net.TCPAddr, error) {
	f.o.Hosts = f.hosts
	if len(f.tokens) > 0 {
		var err error
		if f.o.Tokens, err = access.NewTokens(func() ([]string, error) { return secrets(a, f.tokens) }, a.Log()); err != nil {
			if short := (*access.ShortTokenError)(nil); errors.As(err, &short) {
				return nil, &diagnostic.UsageError{Message: "--token: " + err.Error(), Hint: "`openssl rand -hex 32` makes one"}
			}
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("cannot read --token: %v", err), Hint: "env:NAME or file:PATH"}
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, &diagnostic.UsageError{Message: "--tls-cert and --tls-key are given together"}
	}
	if f.cert != "" {
		c, err := access.NewCertificate(f.cert, f.key, a.Log())
		if err != nil {
			return nil, stages.Fail(stages.CodeEnvironment, "--tls-cert and --tls-key are files in PEM", "%w", err)
		}
		f.o.TLS = c.Config()
	}
	_, port, err := net.SplitHostPort(f.listen)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return nil, &diagnostic.UsageError{Message: "--listen " + f.listen + ": " + err.Error(), Hint: "want HOST:PORT, as 127.0.0.1:8080"}
	}
	addr, err := net.ResolveTCPAddr("tcp", f.listen)
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
	}
	if f.o.Tokens == nil && !access.Loopback(addr) {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--listen %s is an address that other machines reach", f.listen), Hint: "demand a token there, --token env:NAME or file:PATH; or listen on 127.0.0.1"}
	}
	return addr, nil
}

// secrets are the tokens of references; a file may hold one a line.
func secrets(a *app.App, refs []string) ([]string, error) {
	var out []string
	for _, ref := range refs {
		text, err := a.Secret(ref)
		if err == nil && strings.TrimSpace(text) == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, strings.Split(text, "\n")...)
	}
	return out, nil
}
