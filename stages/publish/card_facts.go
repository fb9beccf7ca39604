package publish

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// facts are what a card tells of a model beside its options.
type facts struct {
	example workedExample
	// Documents as they are stored. One that is not there, or of an unknown shape, leaves its
	// part of the card out.
	config, metrics, thresholds, vocabulary []byte
}

// reading says how the model reads texts, where that is not plain, and what its vocabulary lost.
func (f *facts) reading(b *strings.Builder) {
	var config struct {
		Sprint struct {
			Prompt string `json:"prompt"`
		} `json:"sprint"`
	}
	if err := json.Unmarshal(f.config, &config); err == nil && config.Sprint.Prompt != "" {
		fmt.Fprintf(b, "Every text is read behind the prompt %q, as its encoder wants it: `sprint` and model.py put it there, and others must.\n\n", config.Sprint.Prompt)
	}
	type size struct {
		IDs   int   `json:"ids"`
		Bytes int64 `json:"bytes"`
	}
	var v struct {
		Before, After size
		HeldOut       *struct {
			Rows        int `json:"rows"`
			RowsChanged int `json:"rows_changed"`
			Tokens      int `json:"tokens"`
			TokensGone  int `json:"tokens_gone"`
		} `json:"held_out"`
	}
	if err := json.Unmarshal(f.vocabulary, &v); err != nil || v.After.IDs == v.Before.IDs {
		return
	}
	const mega = 1e6
	fmt.Fprintf(b, "Its vocabulary has %d of the encoder's %d pieces, those that its training texts use: %.1f MB in place of %.1f.", v.After.IDs, v.Before.IDs, float64(v.After.Bytes)/mega, float64(v.Before.Bytes)/mega)
	if h := v.HeldOut; h != nil && h.Rows > 0 && h.Tokens > 0 {
		fmt.Fprintf(b, " Of %d other texts of the same source, %.1f %% have a piece that is gone and are cut otherwise, which is %.1f %% of their tokens. The figures below are of the model as it is here.", h.Rows, 100*float64(h.RowsChanged)/float64(h.Rows), 100*float64(h.TokensGone)/float64(h.Tokens))
	}
	b.WriteString("\n\n")
}

// shape is the part of a model's config.json that the card tells of.
type shape struct {
	ModelType string `json:"model_type"`
	Layers    int    `json:"num_hidden_layers"`
	Hidden    int    `json:"hidden_size"`
	Sprint    struct {
		MaxLength int      `json:"max_length"`
		Text      []string `json:"text"`
		Head      string   `json:"head"`
		None      bool     `json:"none"`
	} `json:"sprint"`
}

// made says how the model was made.
func (f *facts) made(b *strings.Builder) {
	b.WriteString("## How it was made\n\n")
	var c shape
	if json.Unmarshal(f.config, &c) == nil && c.Layers > 0 {
		heads := "heads with one hidden layer"
		if c.Sprint.Head == "linear" {
			heads = "linear heads on its vectors"
		}
		fmt.Fprintf(b, "An encoder (%s, %d layers, %d wide) with %s. ", escaped(c.ModelType), c.Layers, c.Hidden, heads)
	}
	b.WriteString("The rows it learned from were labelled by the plan's label stage, with `taxonomy.yaml`.")
	if rulesAnswer(f.config) {
		b.WriteString(" The rules of `taxonomy.yaml` take part in its answers, too.")
	}
	b.WriteString(" `manifest.json` names its data by digest, `history.json` its training.\n\n")
}

// limits says what the model cannot do.
func (f *facts) limits(b *strings.Builder, single bool) {
	b.WriteString("## Limits\n\n")
	var c shape
	if json.Unmarshal(f.config, &c) == nil && c.Sprint.MaxLength > 0 {
		fmt.Fprintf(b, "- It reads %d tokens of a text; what is behind them counts for nothing.\n", c.Sprint.MaxLength)
		if !slices.Contains(c.Sprint.Text, "description") {
			b.WriteString("- It reads titles alone.\n")
		}
		if single && !c.Sprint.None {
			b.WriteString("- It always saw a category, so it answers one of a text about nothing, too: look at the probability.\n")
		}
	}
	b.WriteString("- The figures hold for texts like those of the sets that they were measured on; of others it guesses.\n\n")
}
