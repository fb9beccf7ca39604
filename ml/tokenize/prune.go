package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/tokenize/unigram"
)

// Pruned is a tokenizer with a part of another one's vocabulary. A text all of whose ids were
// kept is encoded as before, but for their numbers; others are cut into shorter pieces.
type Pruned struct {
	*Tokenizer
	// Old has the id that each id was before, in the same order.
	Old []int32
}

// ErrNotPruned says that a vocabulary cannot be pruned.
var ErrNotPruned = errors.New("only vocabularies of Unigram and WordPiece are pruned: the pieces of byte pair encodings are made of one another")

// Prune leaves out of the vocabulary what keep does not name. These stay in any case: special
// and added tokens, those of a single character or byte, and those of characters that have none,
// so that nothing becomes unknown that was not. Of byte pair encodings it is ErrNotPruned.
func (t *Tokenizer) Prune(keep func(id int32) bool) (*Pruned, error) {
	if t.spec.unsupported != nil || t.spec.bpe != nil {
		return nil, ErrNotPruned
	}
	kept := make([]bool, t.size)
	for id := range kept {
		kept[id] = keep(int32(id)) //nolint:gosec // capped
	}
	for token, id := range t.spec.vocab {
		kept[id] = kept[id] || t.indivisible(token)
	}
	for _, id := range slices.Concat([]int32{t.spec.frame.cls, t.spec.frame.sep, t.spec.unk}, t.spec.frame.middle) {
		kept[id] = true
	}
	for _, a := range t.spec.added {
		kept[a.id] = true
	}
	if u := t.spec.unigram; u != nil {
		kept[u.Least()] = true // what an unknown character costs hangs on it
	}
	p := &Pruned{}
	now := make([]int32, t.size) // the new id of an old one; -1 is none
	for id, stays := range kept {
		if now[id] = -1; stays {
			now[id] = int32(len(p.Old))      //nolint:gosec // capped
			p.Old = append(p.Old, int32(id)) //nolint:gosec // capped
		}
	}
	text, err := renumber(t.json, now)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: leave out a part of the vocabulary: %w", err)
	}
	if p.Tokenizer, err = Load(text); err != nil {
		return nil, fmt.Errorf("leave out a part of the vocabulary: %w", err)
	}
	if p.Size() != len(p.Old) {
		return nil, fmt.Errorf("leave out a part of the vocabulary: it has %d ids, %d were kept", p.Size(), len(p.Old))
	}
	return p, nil
}

// indivisible says whether a token has no shorter ones that could stand for it: each of its
// characters would need a token of its own.
func (t *Tokenizer) indivisible(token string) bool {
	if token == "[PAD]" || token == "[MASK]" || t.spec.unigram != nil && unigram.IsByte(token) {
		return true // of files that do not add them, and what stands for a byte
	}
	text, inside := token, ""
	if t.spec.unigram == nil {
		if text = strings.TrimPrefix(token, t.spec.prefix); text != token {
			inside = t.spec.prefix
		}
	}
	for _, r := range text {
		one, ok := t.spec.vocab[inside+string(r)]
		if !ok || one == t.spec.vocab[token] {
			return true
		}
		if t.spec.unigram == nil {
			inside = t.spec.prefix
		}
	}
	return text == ""
}

// object is a JSON object, of which only some fields are looked into.
type object = map[string]json.RawMessage

// renumber gives the ids of a tokenizer.json their new numbers; those without one go.
func renumber(text []byte, now []int32) ([]byte, error) {
	all := object{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for part, change := range map[string]func(json.RawMessage, []int32) (any, error){
		"added_tokens": renumberAdded, "post_processor": renumberFrame, "model": renumberModel,
	} {
		if raw := all[part]; len(raw) > 0 && string(raw) != "null" {
			changed, err := change(raw, now)
			if err == nil {
				all[part], err = encodePlain(changed)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", part, err)
			}
		}
	}
	return encodePlain(all)
}

// encodePlain is JSON with < and > as they are: vocabularies are full of them.
func encodePlain(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// renumbered is the new number of an id as JSON has it.
func renumbered(raw json.RawMessage, now []int32) (json.RawMessage, error) {
	var id int64
	if err := json.Unmarshal(raw, &id); err != nil {
		return nil, err
	}
	if id < 0 || id >= int64(len(now)) || now[id] < 0 {
		return nil, fmt.Errorf("the id %d is of no token", id)
	}
	return encodePlain(now[id])
}

func renumberAdded(raw json.RawMessage, now []int32) (any, error) {
	var tokens []object
	err := json.Unmarshal(raw, &tokens)
	for i := 0; i < len(tokens) && err == nil; i++ {
		tokens[i]["id"], err = renumbered(tokens[i]["id"], now)
	}
	return tokens, err
}

// renumberFrame changes the ids of a TemplateProcessing's tokens, or those of BERT's and
// RoBERTa's own.
func renumberFrame(raw json.RawMessage, now []int32) (any, error) {
	frame := object{}
	if err := json.Unmarshal(raw, &frame); err != nil {
		return nil, err
	}
	for _, name := range []string{"cls", "sep"} {
		var pair []json.RawMessage
		if len(frame[name]) == 0 {
			continue
		}
		err := json.Unmarshal(frame[name], &pair)
		if err == nil && len(pair) == 2 {
			pair[1], err = renumbered(pair[1], now)
		}
		if err == nil {
			frame[name], err = encodePlain(pair)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(frame["processors"]) > 0 {
		var each []json.RawMessage
		err := json.Unmarshal(frame["processors"], &each)
		for i := 0; i < len(each) && err == nil; i++ {
			var changed any
			if changed, err = renumberFrame(each[i], now); err == nil {
				each[i], err = encodePlain(changed)
			}
		}
		if err == nil {
			frame["processors"], err = encodePlain(each)
		}
		return frame, err
	}
	tokens := map[string]object{}
	if len(frame["special_tokens"]) == 0 {
		return frame, nil
	}
	err := json.Unmarshal(frame["special_tokens"], &tokens)
	for _, token := range tokens {
		var ids []json.RawMessage
		if err == nil {
			err = json.Unmarshal(token["ids"], &ids)
		}
		for i := 0; i < len(ids) && err == nil; i++ {
			ids[i], err = renumbered(ids[i], now)
		}
		if err == nil {
			token["ids"], err = encodePlain(ids)
		}
	}
	if err == nil {
		frame["special_tokens"], err = encodePlain(tokens)
	}
	return frame, err
}

// renumberModel changes the vocabulary: of WordPiece a map of ids, of Unigram a list of pieces
// and scores in their order.
func renumberModel(raw json.RawMessage, now []int32) (any, error) {
	model := object{}
	if err := json.Unmarshal(raw, &model); err != nil {
		return nil, err
	}
	var vocab any
	if bytes.HasPrefix(bytes.TrimSpace(model["vocab"]), []byte("[")) {
		var list, left []json.RawMessage
		if err := json.Unmarshal(model["vocab"], &list); err != nil {
			return nil, err
		}
		for id, pair := range list {
			if now[id] >= 0 {
				left = append(left, pair)
			}
		}
		unknown, err := renumbered(model["unk_id"], now)
		if err != nil {
			return nil, err
		}
		vocab, model["unk_id"] = left, unknown
	} else {
		all, left := map[string]int32{}, map[string]int32{}
		if err := json.Unmarshal(model["vocab"], &all); err != nil {
			return nil, err
		}
		for token, id := range all {
			if now[id] >= 0 {
				left[token] = now[id]
			}
		}
		vocab = left
	}
	text, err := encodePlain(vocab)
	model["vocab"] = text
	return model, err
}
