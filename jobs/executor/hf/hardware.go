package hf

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Flavor is a kind of machine at the hub.
type Flavor struct {
	Name        string
	CPUs        int
	Memory      int64 // bytes
	Disk        int64 // bytes; 0 if nobody says
	GPUs        int
	GPUType     string  // as a10g
	USDPerHour  float64 // of the whole machine; 0 if nobody says
	Description string
}

func (f Flavor) String() string {
	text := f.Name
	if f.Description != "" {
		text += " (" + f.Description + ")"
	}
	if f.USDPerHour > 0 {
		text += fmt.Sprintf(", %.2f USD an hour", f.USDPerHour)
	}
	return text
}

// meets reports whether a machine has what a job demands.
func (f Flavor) meets(r executor.Resources) bool {
	gpus := r.GPUs
	if r.Device == "cuda" || r.GPUType != "" {
		gpus = max(gpus, 1)
	}
	return f.GPUs >= gpus && (r.GPUType == "" || strings.EqualFold(f.GPUType, r.GPUType)) && f.CPUs >= r.CPUs && f.Memory >= r.Memory && (f.Disk == 0 || f.Disk >= r.Disk)
}

// hardware is what the hub says of a machine: sizes are words, "16 GB".
type hardware struct {
	Name        string `json:"name"`
	Pretty      string `json:"prettyName"`
	CPU         string `json:"cpu"`
	RAM         string `json:"ram"`
	Disk        string `json:"ephemeralStorage"`
	Accelerator *struct {
		Model    string `json:"model"`
		Quantity string `json:"quantity"`
	} `json:"accelerator"`
	Cost float64 `json:"unitCostUSD"`
	Unit string  `json:"unitLabel"`
}

func (h hardware) flavor() Flavor {
	f := Flavor{Name: h.Name, CPUs: int(leading(h.CPU)), Memory: size(h.RAM), Disk: size(h.Disk), Description: h.Pretty}
	if a := h.Accelerator; a != nil {
		f.GPUType, f.GPUs = strings.ToLower(a.Model), int(leading(a.Quantity))
	}
	if perHour, ok := map[string]float64{"minute": 60, "hour": 1, "second": 3600}[h.Unit]; ok {
		f.USDPerHour = h.Cost * perHour
	}
	return f
}

// leading is the number that a text begins with; 0 if it begins with none.
func leading(text string) float64 {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	x, err := strconv.ParseFloat(text[:end], 64)
	if err != nil || x > 1e9 {
		return 0
	}
	return x
}

// size reads "16 GB".
func size(text string) int64 {
	unit := strings.ToUpper(strings.TrimSpace(strings.TrimLeft(text, "0123456789. ")))
	return int64(leading(text) * map[string]float64{"MB": 1e6, "GB": 1e9, "TB": 1e12}[unit])
}

// Flavors lists the machines of the hub, the cheapest first.
func (p *Provider) Flavors(ctx context.Context) ([]Flavor, error) {
	var all []hardware
	if _, err := p.client.do(ctx, http.MethodGet, "/api/jobs/hardware", nil, &all); err != nil {
		if missing(err) {
			return nil, stages.Fail(stages.CodeEnvironment, "check endpoint of the executor", "%s offers no jobs", p.o.Endpoint)
		}
		return nil, err
	}
	var out []Flavor
	for _, h := range all {
		out = append(out, h.flavor())
	}
	slices.SortStableFunc(out, func(a, b Flavor) int {
		switch { // one without a price is no bargain
		case a.USDPerHour == b.USDPerHour:
			return 0
		case b.USDPerHour == 0, a.USDPerHour > 0 && a.USDPerHour < b.USDPerHour:
			return -1
		}
		return 1
	})
	return out, nil
}

// flavor is the machine for a job: that of the options, or the cheapest that meets its
// demands.
func (p *Provider) flavor(ctx context.Context, r executor.Resources) (Flavor, error) {
	all, err := p.Flavors(ctx)
	if err != nil {
		return Flavor{}, err
	}
	var names []string
	for _, f := range all {
		if f.Name == p.o.Flavor {
			if !f.meets(r) {
				return f, stages.Fail(stages.CodeEnvironment, "name another flavor of the executor, or none", "%s has less than the stage demands", f)
			}
			return f, nil
		}
		if p.o.Flavor == "" && f.meets(r) {
			return f, nil
		}
		names = append(names, f.Name)
	}
	if p.o.Flavor != "" {
		return Flavor{}, stages.Fail(stages.CodeEnvironment, "there are "+strings.Join(names, ", "), "Hugging Face has no flavor %q", p.o.Flavor)
	}
	return Flavor{}, stages.Fail(stages.CodeEnvironment, "lower resources of the stage", "no machine of Hugging Face has what the stage demands")
}

// Price is what an hour of the job's machine costs, by the hub's list.
func (p *Provider) Price(ctx context.Context, r executor.Resources) (executor.Price, error) {
	f, err := p.flavor(ctx, r)
	if err != nil {
		return executor.Price{}, err
	}
	return executor.Price{PerHour: money.FromFloat(f.USDPerHour), Currency: "USD", Basis: f.Name + " of the hub"}, nil
}

var _ executor.Pricer = (*Provider)(nil)
