package model

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/serve"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

func serveCommand(a *app.App) *cobra.Command {
	var m modelFlags
	var listen string
	cmd := &cobra.Command{
		Use: "serve --model REF", Short: "Answer over HTTP", Args: cobra.NoArgs,
		Long: `Serve a model over HTTP:
  POST /v1/classify   {"title": "...", "description": "..."} or {"instances": [...]}
  GET  /healthz       200 while the process lives
  GET  /readyz        200 when it can answer
  GET  /metrics       counters in Prometheus' text format`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, done, err := openModel(ctx, a, cmd, &m)
			if err != nil {
				return err
			}
			defer done()
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
			}
			return serve.New(c).Serve(ctx, l, func() { fmt.Fprintf(a.Stdout, "listening on http://%s\n", l.Addr()) })
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address")
	return cmd
}
