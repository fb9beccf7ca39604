package publish

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scores is the part of metrics.json that the card shows.
type scores struct {
	Rows     int      `json:"rows"`
	Accuracy *float64 `json:"accuracy"` // where a row has one label
	MacroF1  float64  `json:"macro_f1"`
	MicroF1  float64  `json:"micro_f1"`
	Category map[string]struct {
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
		F1        float64 `json:"f1"`
		Support   int     `json:"support"`
	} `json:"per_category"`
}

// choice is what is taken for what, where a row has one label.
type choice struct {
	Categories  []string `json:"categories"`
	Confusion   [][]int  `json:"confusion"`
	Calibration struct {
		ECE float64 `json:"ece"`
	} `json:"calibration"`
}

// write writes the table, rows by truth and columns by answer.
func (c choice) write(b *strings.Builder) {
	if len(c.Categories) == 0 || len(c.Confusion) != len(c.Categories) {
		return
	}
	fmt.Fprintf(b, "Answers (columns) by truth (rows); probabilities are off by %.3f on average (expected calibration error).\n\n|", c.Calibration.ECE)
	for _, name := range c.Categories {
		fmt.Fprintf(b, " | %s", cmp.Or(name, "none"))
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(c.Categories)) + "|\n")
	for i, row := range c.Confusion {
		fmt.Fprintf(b, "| %s", cmp.Or(c.Categories[i], "none"))
		for _, n := range row {
			fmt.Fprintf(b, " | %d", n)
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\n")
}

// leastSupport is the number of positives from which on verify counts a category in
// macro-F1.
const leastSupport = 8

// macro is the macro-F1, which is none where no category has enough positives.
func (s *scores) macro() string {
	for _, c := range s.Category {
		if c.Support >= leastSupport {
			return fmt.Sprintf("%.3f", s.MacroF1)
		}
	}
	return fmt.Sprintf("n/a (fewer than %d rows a category)", leastSupport)
}

// quoted is a text as a word of a shell's command line.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// facts are what a card tells of a model beside its options.
type facts struct {
	example string // a text to try it on; empty if there is none
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

// card writes the model card.
func card(o *Options, f facts) string {
	example, metrics, thresholds := f.example, f.metrics, f.thresholds
	var b strings.Builder
	var m struct {
		Labels  string  `json:"labels"`
		Test    *scores `json:"test"`
		Gold    *scores `json:"gold"`
		Details map[string]struct {
			Choice choice `json:"choice"`
		} `json:"details"`
	}
	known := json.Unmarshal(metrics, &m) == nil
	kind, answers := "multi-label", "per category a score in [-1,1] (0 is absent) and a tag"
	if m.Labels == "single" {
		kind, answers = "single-label", "one category or none, with its probability p, a score of 2p-1, and a tag"
	}
	about := ""
	if text := strings.Join(strings.Fields(o.Description), " "); text != "" {
		about = text + "\n\n"
	}
	fmt.Fprintf(&b, "---\ntags: [text-classification, %s]\n---\n# %s\n\n%sClassifies texts: %s.\n", kind, o.Name, about, answers)
	b.WriteString("Trained on labels made by the rules in `taxonomy.yaml`; measured as below.\n\n")
	f.reading(&b)
	if known {
		for _, set := range []struct {
			title, on string
			s         *scores
		}{{"Gold set (labelled by hand, never trained on)", "gold", m.Gold}, {"Test split (labelled by the rules)", "test", m.Test}} {
			if set.s == nil {
				continue
			}
			fmt.Fprintf(&b, "## %s\n\n%d rows, macro F1 %s, micro F1 %.3f", set.title, set.s.Rows, set.s.macro(), set.s.MicroF1)
			if set.s.Accuracy != nil {
				fmt.Fprintf(&b, ", accuracy %.3f", *set.s.Accuracy)
			}
			b.WriteString("\n\n| category | precision | recall | F1 | support |\n|---|---|---|---|---|\n")
			for _, c := range slices.Sorted(maps.Keys(set.s.Category)) {
				v := set.s.Category[c]
				fmt.Fprintf(&b, "| %s | %.3f | %.3f | %.3f | %d |\n", c, v.Precision, v.Recall, v.F1, v.Support)
			}
			b.WriteString("\n")
			m.Details[set.on].Choice.write(&b)
		}
	}
	var t map[string]float64
	if json.Unmarshal(thresholds, &t) == nil && len(t) > 0 {
		b.WriteString("## Thresholds\n\n")
		for _, c := range slices.Sorted(maps.Keys(t)) {
			fmt.Fprintf(&b, "- %s: %.3g\n", c, t[c])
		}
		b.WriteString("\n")
	}
	example = cmp.Or(example, "A text")
	fmt.Fprintf(&b, "## Use\n\n```\nsprint classify --model %s %s\n```\n\n", o.Name, quoted(example))
	text, err := json.Marshal(example) // a string of JSON is one of Python
	if err == nil {
		fmt.Fprintf(&b, "In Python, in this folder, with numpy, safetensors and tokenizers:\n\n```python\nfrom model import Model\nmodel = Model(\".\")\nprint(model.answer(%s))\n```\n\n", text)
	}
	b.WriteString("The encoder loads with Hugging Face transformers (`AutoModel`); the heads are the tensors `heads.*`.\n")
	return b.String()
}
