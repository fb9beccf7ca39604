package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"
)

// promptsFile is where sentence-transformers says what stands before each text.
const promptsFile = "config_sentence_transformers.json"

// maxPrompt is the most bytes of a prompt: many times a sentence.
const maxPrompt = 2000

// readPrompt is what sentence-transformers puts before a text when nobody says which of
// an encoder's prompts is meant; empty if the encoder has none.
func readPrompt(dir string) (string, error) {
	data, err := readFile(dir, promptsFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var c struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrCorrupt, promptsFile, err)
	}
	if c.Default == nil {
		return "", nil
	}
	p, ok := c.Prompts[*c.Default]
	switch {
	case !ok:
		return "", fmt.Errorf("%w: %s names %q as its default prompt, and has none of that name", ErrCorrupt, promptsFile, *c.Default)
	case len(p) > maxPrompt || !utf8.ValidString(p):
		return "", fmt.Errorf("%w: the default prompt of %s is no text of at most %d bytes", ErrCorrupt, promptsFile, maxPrompt)
	}
	return p, nil
}
