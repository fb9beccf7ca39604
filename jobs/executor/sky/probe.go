package sky

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Probe asks SkyPilot which clouds are enabled, whether it lists jobs, and makes the task
// of the job, which it launches not.
func (p *Provider) Probe(ctx context.Context, job *executor.Job, note func(name, value string)) error {
	out, err := p.command.run(ctx, commandLimit, nil, "--version")
	if err != nil {
		return err
	}
	if _, version, ok := strings.Cut(string(out), "version "); ok {
		note("version", strings.TrimSpace(version))
	}
	secrets, err := p.secrets(ctx, job)
	if err != nil {
		return err
	}
	if _, err := p.spec(job, secrets); err != nil {
		return err
	}
	clouds, err := p.clouds(ctx)
	if err != nil {
		return err
	}
	note("clouds", strings.Join(clouds, ", "))
	rows, err := p.queue.look(ctx, 0)
	if err != nil {
		return err
	}
	live := 0
	for i := range rows {
		if !ended(rows[i].Status) {
			live++
		}
	}
	note("jobs", fmt.Sprint(live, " at work"))
	note("longest", job.Limits.Longest(p.o.Longest).String())
	if p.o.MaxHourlyCost > 0 {
		note("price", fmt.Sprintf("at most %.2f USD an hour", p.o.MaxHourlyCost))
	}
	return nil
}

// clouds are those at which machines can be rented.
func (p *Provider) clouds(ctx context.Context) ([]string, error) {
	out, err := p.command.run(ctx, commandLimit, nil, "check", "-o", "json")
	if err != nil {
		return nil, err
	}
	var workspaces map[string]map[string]any
	begin := max(bytes.Index(out, []byte("{\n")), 0)
	if bytes.HasPrefix(out, []byte("{}")) {
		begin = 0
	}
	if json.NewDecoder(bytes.NewReader(out[begin:])).Decode(&workspaces) != nil {
		return nil, stages.Lose(stages.CodeEnvironment, "`sky check -o json` shows what it says", "executor %s: the answer is none of SkyPilot's: %.200q", p.name, bytes.TrimSpace(color.ReplaceAll(out, nil)))
	}
	found := map[string]bool{}
	for _, enabled := range workspaces {
		for cloud := range enabled {
			found[cloud] = true
		}
	}
	if len(found) == 0 {
		return nil, stages.Fail(stages.CodeEnvironment, "`sky check` says what each cloud needs", "executor %s: no cloud is enabled at SkyPilot", p.name)
	}
	return slices.Sorted(maps.Keys(found)), nil
}
