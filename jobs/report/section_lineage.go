package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// lineageSection says which bytes came from which, down to what was outside the store.
func lineageSection(s *document.Source) Section {
	out := Section{Title: "Lineage", Intro: "Every stage with its key, what it read and made, and from where. Equal key is the same work; `sprint trace` and `sprint artifacts verify` start from these digests."}
	made := map[string]string{} // digest -> artifact
	for _, st := range s.Stages {
		for name, o := range sorted(st.Outputs) {
			if made[o.Digest] == "" {
				made[o.Digest] = st.Name + "." + name
			}
		}
	}
	for _, st := range s.Stages {
		out.Blocks = append(out.Blocks, lineageBlock(s.Run, st, made))
	}
	return out
}

// lineageBlock folds the lineage of a stage. Made names the artifacts of the run
// by digest.
func lineageBlock(run string, st document.Stage, made map[string]string) Block {
	fold := Block{Fold: fmt.Sprintf("%s (%s): %s", st.Name, st.Kind, st.State)}
	facts := []Fact{{"Key", code(st.Key)}}
	if m := st.Manifest; m != nil {
		where := "run " + m.Run
		if m.Run == run {
			where = "this run"
		}
		facts = append(facts,
			Fact{"Made by", Cell{Text: fmt.Sprintf("%s, try %d, generation %d, sprint %s", where, m.Attempt, m.Generation, cmp.Or(m.Version, "unknown"))}},
			Fact{"Finished", Cell{Text: m.Finished.UTC().Format(time.RFC3339)}})
		if m.Device != "" {
			facts = append(facts, Fact{"Device", Cell{Text: m.Device}})
		}
	} else {
		facts = append(facts, Fact{"Made", Cell{Text: "nothing that is in the store"}})
	}
	if st.Key == "" {
		facts = facts[1:]
	}
	fold.Blocks = append(fold.Blocks, Block{Facts: facts})
	t := &Table{Columns: []Column{{"", false}, {"name", false}, {"bytes", true}, {"digest", false}}}
	if m := st.Manifest; m != nil {
		for name, d := range sorted(m.Inputs) {
			t.Rows = append(t.Rows, []Cell{{Text: "reads"}, {Text: cmp.Or(made[d], name+", of no stage of this run"), Head: true}, {}, code(d)})
		}
	}
	for name, o := range sorted(st.Outputs) {
		title := name
		if o.Volatile {
			title += " (volatile)"
		}
		t.Rows = append(t.Rows, []Cell{{Text: "makes"}, {Text: title, Head: true}, {Text: count(int(o.Size))}, code(o.Digest)})
	}
	if len(t.Rows) > 0 {
		fold.Blocks = append(fold.Blocks, Block{Table: t.cut()})
	}
	p := st.Preimage()
	if external := externals(p.External); len(external) > 0 {
		fold.Blocks = append(fold.Blocks, Block{Text: "From outside the store:"}, Block{Facts: external})
	}
	if len(p.Options) > 0 {
		var options []Fact
		for name, v := range sorted(p.Options) {
			options = append(options, Fact{name, code(jsonText(v))})
		}
		fold.Blocks = append(fold.Blocks, Block{Text: fmt.Sprintf("Options in the key (version %d of the kind):", p.Version)}, Block{Facts: options})
	}
	return fold
}

// externals are the values from outside the store that fit a line; rules and
// categories, which do not, are in the plan's taxonomy.
func externals(all map[string]any) []Fact {
	var out []Fact
	for name, v := range sorted(all) {
		text := jsonText(v)
		switch {
		case text == "{}" || text == "null" || text == "[]":
			continue
		case len(text) > 400:
			text = fmt.Sprintf("%d entries, %d bytes of canonical JSON", entries(v), len(text))
		}
		out = append(out, Fact{name, code(text)})
	}
	return out
}

func entries(v any) int {
	switch x := v.(type) {
	case map[string]any:
		return len(x)
	case []any:
		return len(x)
	}
	return 1
}

// jsonText writes a value that was read from JSON.
func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
