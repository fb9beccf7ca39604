package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/storage"
)

// Answer is one completion, as it is kept.
type Answer struct {
	Content   string `json:"content"`
	TokensIn  int64  `json:"tokens_in"`
	TokensOut int64  `json:"tokens_out"`
	// Batch says that it was bought by batch, at the price of such.
	Batch bool `json:"batch,omitempty"`
}

// AnswerKey names the answer to a request in the store, which keeps it by what was
// asked: a later run, on another machine too, and a stage that was killed pay for
// nothing twice. A second try has its own.
func AnswerKey(body []byte, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", try, body))
	name := hex.EncodeToString(sum[:])
	return keyOfName(name)
}

// Kept returns a kept answer. The error is storage.ErrNotFound or ErrCorrupt if
// there is none of use; version is then what Keep replaces.
func Kept(ctx context.Context, store *storage.Store, key string) (a Answer, version string, err error) {
	body, version, err := store.Read(ctx, key)
	if err == nil && json.Unmarshal(body, &a) != nil {
		err = &storage.Error{Op: "read answer", Key: key, Class: storage.ErrCorrupt}
	}
	return a, version, err
}

// Keep keeps an answer. If another process kept one meanwhile, that one stays.
func Keep(ctx context.Context, store *storage.Store, key, version string, a Answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err = store.Swap(ctx, key, version, body); errors.Is(err, storage.ErrStale) {
		return nil
	}
	return err
}

// keyPrefix is where answers are kept.
const keyPrefix = "answers/"

// keyOfName is the key of an answer with the name that a batch knows it by, nameOfKey the
// reverse.
func keyOfName(name string) string { return keyPrefix + name[:2] + "/" + name }

func nameOfKey(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }
