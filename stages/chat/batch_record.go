package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// batchPrefix is where a store knows of batches. Each has records that are written once:
// NAME.file when its questions are uploaded, NAME.id when the endpoint took it, NAME.done
// when its answers are kept. So a store that only grows can hold them.
const batchPrefix = "answers/batch/"

const batchFormat = 1

// batchRecord tells of questions that were uploaded.
type batchRecord struct {
	Format   int       `json:"format"`
	Endpoint string    `json:"endpoint"` // digest of its address
	File     string    `json:"file"`     // id of the upload
	Sent     time.Time `json:"sent"`
	// Questions are the names of the answers in the store.
	Questions []string `json:"questions"`
}

// batchID is the record of a batch that the endpoint took, and of one that ended.
type batchID struct {
	ID     string `json:"id"`
	Status string `json:"status,omitempty"`
}

// batch is a batch that the store knows of; id is empty until the endpoint took it.
type batch struct {
	batchRecord
	id string
}

// identifier is what ids of files and batches look like: they become part of addresses.
var identifier = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,199}$`)

var hexName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// place is the digest of the endpoint's address: a name in the config may come to mean another.
func (c *Client) place() string { return digest(c.base.String()) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (b *batch) key(kind string) string {
	return batchPrefix + digest(b.Endpoint + "\n" + b.File)[:32] + "." + kind
}

// record notes an upload.
func (c *Client) record(ctx context.Context, b *batch) error {
	return c.write(ctx, b.key("file"), b.batchRecord)
}

// recordID notes that the endpoint took the batch.
func (c *Client) recordID(ctx context.Context, b *batch) error {
	return c.write(ctx, b.key("id"), batchID{ID: b.id})
}

// finish notes that nothing more is to come of a batch.
func (c *Client) finish(ctx context.Context, b *batch, status string) error {
	return c.write(ctx, b.key("done"), batchID{b.id, status})
}

// write keeps a record; one that is there says the same.
func (c *Client) write(ctx context.Context, key string, v any) error {
	body, err := json.Marshal(v)
	if err == nil {
		err = c.env.Store.Create(ctx, key, body)
	}
	if errors.Is(err, storage.ErrExists) {
		return nil
	}
	return err
}

// openBatches lists the batches at this endpoint that have not ended, oldest first.
func (c *Client) openBatches(ctx context.Context) ([]*batch, error) {
	var names []string
	done := map[string]bool{}
	for info, err := range c.env.Store.List(ctx, batchPrefix) {
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutSuffix(info.Key, ".file"); ok {
			names = append(names, name)
		} else if name, ok := strings.CutSuffix(info.Key, ".done"); ok {
			done[name] = true
		}
	}
	var out []*batch
	for _, name := range names {
		if done[name] {
			continue
		}
		b, err := c.readBatch(ctx, name)
		switch {
		case storage.MissingOrDamaged(err):
			c.env.Log.Warn("the record of a batch is damaged: what it bought may be bought again", "record", name, "error", err)
		case err != nil:
			return nil, err
		case b.Endpoint == c.place():
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(x, y *batch) int { return x.Sent.Compare(y.Sent) })
	return out, nil
}

func (c *Client) readBatch(ctx context.Context, name string) (*batch, error) {
	var b batch
	var err error
	b.batchRecord, _, err = storage.ReadAs(ctx, c.env.Store, "read batch", name+".file", func(body []byte, r *batchRecord) error {
		if err := json.Unmarshal(body, r); err != nil {
			return err
		}
		if r.Format != batchFormat || !identifier.MatchString(r.File) || slices.ContainsFunc(r.Questions, func(q string) bool { return !hexName.MatchString(q) }) {
			return errors.New("it is no record of a batch that this sprint knows")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	id, _, err := storage.ReadAs(ctx, c.env.Store, "read batch", name+".id", func(body []byte, r *batchID) error {
		if err := json.Unmarshal(body, r); err != nil {
			return err
		}
		if !identifier.MatchString(r.ID) {
			return errors.New("it is no id of a batch")
		}
		return nil
	})
	if err != nil && !storage.MissingOrDamaged(err) { // ensure finds it by its file
		return nil, err
	}
	b.id = id.ID
	return &b, nil
}
