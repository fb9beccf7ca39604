package tokenize_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/tokenize"
)

// wordPieces is a tokenizer of BERT's family.
func wordPieces(t *testing.T) *tokenize.Tokenizer {
	t.Helper()
	strip := false
	whole, err := tokenize.FromVocab(read(t, "testdata/cased.txt"), tokenize.VocabOptions{StripAccents: &strip})
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// pruneTo leaves what some texts use, and says whether those that are cut as before are.
func pruneTo(t *testing.T, whole *tokenize.Tokenizer, texts []string) *tokenize.Pruned {
	t.Helper()
	used := map[int32]bool{}
	for _, text := range texts {
		for _, id := range whole.Encode(nil, text, 0) {
			used[id] = true
		}
	}
	p, err := whole.Prune(func(id int32) bool { return used[id] })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// old are the ids of a text by the numbers of the whole vocabulary.
func old(p *tokenize.Pruned, text string) []int32 {
	ids := p.Encode(nil, text, 0)
	for i, id := range ids {
		ids[i] = p.Old[id]
	}
	return ids
}

// withPostProcessor is a tokenizer.json with another post-processor, without a key that
// Hugging Face does not know.
func withPostProcessor(t *testing.T, tokenizerJSON, post string) []byte {
	t.Helper()
	var file map[string]json.RawMessage
	if err := json.Unmarshal([]byte(tokenizerJSON), &file); err != nil {
		t.Fatal(err)
	}
	file["post_processor"] = json.RawMessage(post)
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPrune: texts whose pieces stayed are cut as before, to the id; others are cut too, and
// into nothing unknown that was not unknown before. What is written is read back as the same.
func TestPrune(t *testing.T) {
	u := readUnigrams(t)
	all := map[string]*tokenize.Tokenizer{"wordpiece": wordPieces(t)}
	for kind := range u.Kinds {
		all[kind] = u.load(t, kind)
	}
	framed := withPostProcessor(t, u.file("e5"), fmt.Sprintf(`{"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true},{"type":"RobertaProcessing","cls":["<s>",0],"sep":["<mask>",%d],"add_prefix_space":true,"trim_offsets":true}]}`, len(u.Vocab)))
	var err error
	if all["e5 in a sequence"], err = tokenize.Load(framed); err != nil {
		t.Fatal(err)
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		whole := all[kind]
		seen, others := u.Texts[:len(u.Texts)/2], u.Texts[len(u.Texts)/2:]
		p := pruneTo(t, whole, seen)
		if p.Size() >= whole.Size() || p.Size() != len(p.Old) || !slices.IsSorted(p.Old) {
			t.Errorf("%s: %d of %d ids", kind, p.Size(), whole.Size())
		}
		for _, text := range seen {
			if got, want := old(p, text), whole.Encode(nil, text, 0); !slices.Equal(got, want) {
				t.Errorf("%s: %q is %v, was %v", kind, text, got, want)
			}
		}
		again, err := tokenize.Load(p.JSON())
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, text := range others {
			now, before := old(p, text), whole.Encode(nil, text, 0)
			if unknown(whole, now) > unknown(whole, before) {
				t.Errorf("%s: %q has more that is unknown: %v, was %v", kind, text, now, before)
			}
			if got := again.Encode(nil, text, 0); !slices.Equal(got, p.Encode(nil, text, 0)) {
				t.Errorf("%s: %q is %v after reading", kind, text, got)
			}
		}
		if lines := bytes.Count(p.Vocab(), []byte("\n")); lines > 0 && lines != p.Size() {
			t.Errorf("%s: vocab.txt has %d lines, there are %d ids", kind, lines, p.Size())
		}
	}
}

func unknown(whole *tokenize.Tokenizer, ids []int32) (n int) {
	for _, id := range ids {
		for _, name := range []string{"<unk>", "[UNK]"} {
			if u, ok := whole.ID(name); ok && u == id {
				n++
			}
		}
	}
	return n
}

// TestPruneKeeps: special tokens have their places in every template, and another family is
// refused by name.
func TestPruneKeeps(t *testing.T) {
	whole := wordPieces(t)
	none, err := whole.Prune(func(int32) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		id, ok := none.ID(name)
		if before, _ := whole.ID(name); !ok || none.Old[id] != before {
			t.Errorf("%s is %d, %v", name, id, ok)
		}
	}
	ids, _ := none.EncodePair(nil, nil, "a", "b", 0)
	was, _ := whole.EncodePair(nil, nil, "a", "b", 0)
	for i := range ids {
		ids[i] = none.Old[ids[i]]
	}
	if !slices.Equal(ids, was) {
		t.Errorf("a pair is %v, was %v", ids, was)
	}
	e := readEncodings(t)
	for kind := range e.Kinds {
		if _, err := e.load(t, kind).Prune(func(int32) bool { return true }); !errors.Is(err, tokenize.ErrNotPruned) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
