package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/tokenizerjson"
	"golang.org/x/text/unicode/norm"
)

// known is what is followed, for messages.
const known = "Precompiled, NFC, NFD, NFKC, NFKD, Replace, Strip and sequences of them"

// maxSteps and maxNesting bound a sequence of normalisers.
const (
	maxSteps   = 64
	maxNesting = 8
)

// Parse reads the normalizer of a tokenizer.json: its steps, in order. One of another kind is a
// *tokenizerjson.UnsupportedError.
func Parse(raw json.RawMessage) ([]Step, error) {
	var c chain
	err := c.parse(raw, 0)
	return c.steps, err
}

// chain is the steps so far.
type chain struct{ steps []Step }

func (c *chain) parse(raw json.RawMessage, depth int) error {
	if tokenizerjson.Null(raw) {
		return nil
	}
	var n struct {
		tokenizerjson.Typed
		Normalizers []json.RawMessage `json:"normalizers"`
		Charsmap    *string           `json:"precompiled_charsmap"`
		Left        bool              `json:"strip_left"`
		Right       bool              `json:"strip_right"`
		Pattern     struct {
			String, Regex *string
		} `json:"pattern"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return fmt.Errorf("tokenizer.json: normalizer: %w", err)
	}
	if len(c.steps) >= maxSteps || depth > maxNesting || len(n.Normalizers) > maxSteps {
		return fmt.Errorf("tokenizer.json: normalizer: more than %d, or nested deeper than %d", maxSteps, maxNesting)
	}
	switch n.Type {
	case "Sequence":
		for _, each := range n.Normalizers {
			if err := c.parse(each, depth+1); err != nil {
				return err
			}
		}
	case "Precompiled":
		if n.Charsmap == nil {
			return errors.New("tokenizer.json: normalizer: Precompiled without a precompiled_charsmap")
		}
		table, err := parseCharsmap(*n.Charsmap)
		if err != nil {
			return err
		}
		c.steps = append(c.steps, table)
	case "NFC":
		c.steps = append(c.steps, normalForm{norm.NFC, true})
	case "NFD":
		c.steps = append(c.steps, normalForm{norm.NFD, false})
	case "NFKC":
		c.steps = append(c.steps, normalForm{norm.NFKC, true})
	case "NFKD":
		c.steps = append(c.steps, normalForm{norm.NFKD, false})
	case "Strip":
		c.steps = append(c.steps, strip{n.Left, n.Right})
	case "Replace":
		r, err := replacement(n.Pattern.String, n.Pattern.Regex, n.Content)
		if err != nil {
			return err
		}
		c.steps = append(c.steps, r)
	default:
		return &tokenizerjson.UnsupportedError{Part: "normalizer", Got: n.Name(), Want: known}
	}
	return nil
}

// replacement reads the pattern of a Replace: a text, or the regular expression of a run of one
// rune, as " {2,}".
func replacement(text, regex *string, content string) (replace, error) {
	switch {
	case text != nil && *text != "":
		return replace{from: []byte(*text), content: []byte(content)}, nil
	case regex == nil || *regex == "":
		return replace{}, errors.New("tokenizer.json: normalizer: Replace without a pattern")
	}
	r, width := utf8.DecodeRuneInString(*regex)
	out := replace{from: []byte((*regex)[:width]), content: []byte(content)}
	switch rest := (*regex)[width:]; {
	case bytes.ContainsRune([]byte(`\.+*?()|[]{}^$`), r):
	case rest == "+":
		out.least = 1
		return out, nil
	case len(rest) > 3 && rest[0] == '{' && rest[len(rest)-2:] == ",}":
		if n, err := strconv.Atoi(rest[1 : len(rest)-2]); err == nil && n > 0 && n < 1<<10 {
			out.least = n
			return out, nil
		}
	}
	return replace{}, &tokenizerjson.UnsupportedError{Part: "normalizer", Got: fmt.Sprintf("Replace of the pattern %q", *regex), Want: "Replace of a text, or of a run of one character as in \" {2,}\""}
}
