package train

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// Where bad input of heads on frozen encoders is tried:
//
//	one word per category                    TestHeads, whose rows are labelled by one word each
//	a category on which no rule fires        TestHeadsOfHardRows, TestSingleHeadsOfHardRows
//	all rows of one class, 2 rows            the same
//	20,000 identical rows                    the same
//	texts of an unknown script               the same
//	an encoder that is no sentence encoder   TestHeadsOfWordlessEncoder
//	a prompt longer than the limit           TestLongPrompt
//	Unigram without scores, with unknown
//	normalisers, with ids out of range       ml/tokenize, TestUnigramRefusals; TestBadEncoder
//	gold in another language than the rows   stages/verify, TestGoldInAnotherLanguage

// TestHeadsOfWordlessEncoder: vectors that say nothing of the words cannot explain what rules
// say of them. The rules answer alone, and the log says what to do.
func TestHeadsOfWordlessEncoder(t *testing.T) {
	dir := encodertest.Tiny(t)
	enc, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tensors := slices.Clone(enc.Weights.Tensors)
	for i, x := range tensors {
		if x.Name == "embeddings.word_embeddings.weight" {
			tensors[i].Data = make([]byte, len(x.Data))
		}
	}
	var b bytes.Buffer
	if err := encoder.WriteSafetensors(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	set := headlines(200, 1)
	for i := range set {
		set[i].LabelSource = "rules"
		set[i].Title += strings.Repeat(" wac", i%5) // its length says nothing either
	}
	a := attempt(t, headsOptions(dir))
	a.Inputs["train"] = parquet(t, set)
	r := stagetest.MustRun(t, a)
	m, c, _ := saved(t, r)
	if !m.Spec.RulesAlone || !strings.Contains(r.Log, "name a better encoder") {
		t.Errorf("agreement %+v, the rules answer alone: %v\n%s", c.Heads, m.Spec.RulesAlone, r.Log)
	}
}

// TestLongPrompt: a prompt that leaves less than half of a text's tokens to the text is refused
// before anything is embedded, whatever the method.
func TestLongPrompt(t *testing.T) {
	for _, method := range []string{methodHeads, "finetune"} {
		o := headsOptions(encodertest.Tiny(t))
		if method != methodHeads {
			o = options(o.Encoder)
			o.Method = method
		}
		o.Prompt = strings.Repeat("waa ", 30)
		r := stagetest.Run(t, attempt(t, o))
		if f := failure(t, r.Err); f.Code != stages.CodeStage || !strings.Contains(f.Error(), "the prompt has 32 tokens") || !strings.Contains(f.Hint, "prompt") {
			t.Errorf("%s: code %d: %v (%s)", method, f.Code, f, f.Hint)
		}
	}
}

// TestSingleHeadsOfHardRows is TestHeadsOfHardRows where a row has one label, so that heads
// teach themselves on what little there is.
func TestSingleHeadsOfHardRows(t *testing.T) {
	single := func(set []rows.Row) []rows.Row {
		for i := range set {
			set[i].Labels[i%2], set[i].Labels[1-i%2] = rows.Label{Score: 1}, rows.Label{}
		}
		return set
	}
	same, script, silent, few := single(headlines(20_000, 1)), single(headlines(40, 1)), single(headlines(40, 1)), single(headlines(2, 1))
	for i := range same {
		same[i].Title = "waa wab"
	}
	for i := range script {
		script[i].Title = strings.Repeat(string(rune(0x103a0+i%20)), 1+i%5) // Old Persian, all of it unknown to the encoder
	}
	for i := range silent {
		if i%2 == 1 {
			silent[i].Labels[0], silent[i].Labels[1] = rows.Label{Abstain: true}, rows.Label{Abstain: true}
		}
	}
	for name, c := range map[string]struct {
		train []rows.Row
		says  string // in the log
	}{
		"identical rows": {same, "the rules answer alone"}, "two rows": {few, "too few labelled rows"}, "an unknown script": {script, "name a better encoder"},
	} {
		a := attempt(t, headsOptions(encodertest.Tiny(t)))
		a.Taxonomy.Data = append([]byte("labels: single\n"), a.Taxonomy.Data...)
		a.Inputs["train"], a.Inputs["val"] = parquet(t, c.train), parquet(t, c.train[:1])
		r := stagetest.MustRun(t, a)
		m, _, _ := saved(t, r)
		for _, p := range m.Params {
			if slices.ContainsFunc(p.Data, func(x float32) bool { return x-x != 0 }) {
				t.Errorf("%s: %s holds what is no number", name, p.Name)
			}
		}
		if !strings.Contains(r.Log, c.says) {
			t.Errorf("%s: no %q in\n%s", name, c.says, r.Log)
		}
	}
	for name, set := range map[string][]rows.Row{
		"one class": slices.Repeat(single(headlines(1, 1)), 30), "no rule fires on the other of two": silent,
	} {
		a := attempt(t, headsOptions(encodertest.Tiny(t)))
		a.Taxonomy.Data = append([]byte("labels: single\n"), a.Taxonomy.Data...)
		a.Inputs["train"], a.Inputs["val"] = parquet(t, set), parquet(t, set[:1])
		if f := failure(t, stagetest.Run(t, a).Err); f.Code != stages.CodeStage || !strings.Contains(f.Error(), "all of one class") || f.Hint == "" {
			t.Errorf("%s: code %d: %v (%s)", name, f.Code, f, f.Hint)
		}
	}
}
