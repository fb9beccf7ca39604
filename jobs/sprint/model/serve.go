package model

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/serve"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

func serveCommand(a *app.App) *cobra.Command {
	var m modelFlags
	var listen, token string
	var hosts []string
	var allow bool
	cmd := &cobra.Command{
		Use: "serve --model REF", Short: "Answer over HTTP", Args: cobra.NoArgs,
		Long: `Serve a model over HTTP:
  POST /v1/classify   {"title": "...", "description": "...", "language": "sv"} or {"instances": [...]}
  GET  /healthz       200 while the process lives
  GET  /readyz        200 when the model can answer; 503 while only keywords can
  GET  /metrics       counters in Prometheus' text format

description may be absent, and so may language: where the model's rules are by language
the letters of a text say it then. A request is JSON and says so (Content-Type:
application/json), at most 8 MiB and 1024 instances. When there is no room for it, the
answer is 503 with Retry-After.

Only names of this machine are answered: localhost, the address that is listened
on, and those of --host. Pages of other sites are not. An address that other
machines reach demands a --token, which clients send as a bearer token; there is
no TLS, so put a proxy with TLS before it. /healthz and /readyz need no token.

Ask it:
  curl -H 'Content-Type: application/json' -d '{"title": "Storm closes the harbour"}' http://127.0.0.1:8080/v1/classify`,
		Example: "  sprint serve --model quickstart\n  sprint serve --model quickstart --listen 0.0.0.0:8080 --host news.example.org --token env:SERVE_TOKEN",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			addr, o, err := admission(a, listen, token, hosts)
			if err != nil {
				return err
			}
			c, fallback, done, err := openModel(ctx, a, cmd, &m, nil)
			if err != nil {
				return err
			}
			o.Fallback, o.AllowKeywords = fallback, allow
			defer done()
			l, err := net.ListenTCP("tcp", addr)
			if err != nil {
				return stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
			}
			a.Ending.Orderly() // answers that have begun are finished
			return serve.New(c, o).Serve(ctx, l, func() { fmt.Fprintf(a.Stdout, "listening on http://%s\n", l.Addr()) })
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "another name by which clients reach this server; may be repeated")
	cmd.Flags().BoolVar(&allow, "allow-keywords", false, "be ready too when this machine cannot run the model and its keywords answer")
	cmd.Flags().StringVar(&token, "token", "", "env:NAME or file:PATH of the bearer token that clients send")
	return cmd
}

// admission is where to listen and who may ask there. Without a token only
// this machine may.
func admission(a *app.App, listen, token string, hosts []string) (*net.TCPAddr, serve.Options, error) {
	o := serve.Options{Hosts: hosts}
	if token != "" {
		var err error
		if o.Token, err = a.Secret(token); err == nil && o.Token == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, o, &diagnostic.UsageError{Message: fmt.Sprintf("cannot read --token: %v", err), Hint: "env:NAME or file:PATH"}
		}
	}
	addr, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, o, stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
	}
	if o.Token == "" && !serve.Loopback(addr) {
		return nil, o, &diagnostic.UsageError{Message: fmt.Sprintf("--listen %s is an address that other machines reach", listen), Hint: "demand a token there, --token env:NAME or file:PATH; or listen on 127.0.0.1"}
	}
	return addr, o, nil
}
