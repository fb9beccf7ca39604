package label

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/storage"
)

// answer is one completion, as it is kept.
type answer struct {
	Content   string `json:"content"`
	TokensIn  int64  `json:"tokens_in"`
	TokensOut int64  `json:"tokens_out"`
}

// answerStore keeps completions in the store, by what was asked: a later run, on
// another machine too, and a stage that was killed pay for nothing twice.
type answerStore struct{ store *storage.Store }

// answerKey names the answer to a request; a second try has its own.
func answerKey(body []byte, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", try, body))
	name := hex.EncodeToString(sum[:])
	return "answers/" + name[:2] + "/" + name
}

// get returns a kept answer. The error is storage.ErrNotFound or ErrCorrupt if
// there is none of use; version is then what put replaces.
func (k answerStore) get(ctx context.Context, key string) (a answer, version string, err error) {
	body, version, err := k.store.Read(ctx, key)
	if err == nil {
		if json.Unmarshal(body, &a) != nil {
			err = &storage.Error{Op: "read answer", Key: key, Class: storage.ErrCorrupt}
		}
	}
	return a, version, err
}

// put keeps an answer. If another process kept one meanwhile, that one stays.
func (k answerStore) put(ctx context.Context, key, version string, a answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err = k.store.Swap(ctx, key, version, body); errors.Is(err, storage.ErrStale) {
		return nil
	}
	return err
}
