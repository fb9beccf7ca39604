package embeddings

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/storage"
)

// Space is the vectors of one encoder on one device: those in the store, and those that
// it computes and puts there. It is for one goroutine.
type Space struct {
	env   stages.Env
	model *bert.Model
	name  string // empty if nothing is kept
	about record

	newEmbedder func() (*bert.Embedder, error)
	embedder    *bert.Embedder // made when the first text is computed
	note        Note
}

// Open opens the space of a model's encoder on a device. The caller closes it, before the
// device. Nothing is computed or read yet.
func Open(env stages.Env, m *bert.Model, dev *device.Device) (*Space, error) {
	return open(env, m, dev, func() (*bert.Embedder, error) { return bert.NewEmbedder(m, dev) })
}

// OpenBeside is Open for the model of a predictor, whose copy of the weights it uses where
// it can.
func OpenBeside(env stages.Env, p *bert.Predictor, dev *device.Device) (*Space, error) {
	return open(env, p.Model(), dev, func() (*bert.Embedder, error) { return p.Embedder(dev) })
}

func open(env stages.Env, m *bert.Model, dev *device.Device, newEmbedder func() (*bert.Embedder, error)) (*Space, error) {
	digest, err := m.EmbedderDigest()
	if err != nil {
		return nil, err
	}
	s := &Space{env: env, model: m, newEmbedder: newEmbedder, about: record{
		Encoder: digest, Pooling: m.Spec.Pooling, Device: strings.TrimSpace(dev.Name + " " + dev.Plugin + " " + dev.PluginVersion),
	}}
	if env.Store != nil {
		s.name = spaceName(digest, dev)
	}
	s.note.Space = s.name
	return s, nil
}

// Close frees the device's memory.
func (s *Space) Close() {
	if s.embedder != nil {
		s.embedder.Close()
		s.embedder = nil
	}
}

// Embed returns the vector of each text, [hidden], of length 1, in their order. Equal
// texts are computed once, and all vectors share one array, which is all that is held of
// them. What is computed is kept, some thousand texts at a time.
func (s *Space) Embed(ctx context.Context, texts []bert.Text) ([][]float32, error) {
	out, places, first := s.layOut(texts)
	left := s.readKept(ctx, places)
	s.note.Texts += len(places)
	s.note.Computed += len(left)
	if err := s.compute(ctx, texts, first, left); err != nil {
		return nil, err
	}
	s.env.Log.Info("embedded", slog.Int("texts", len(texts)), slog.Int("kept", len(places)-len(left)), slog.Int("computed", len(left)))
	s.env.Note(NoteName, s.note)
	return out, nil
}

// layOut makes room for the vectors: that of each text, by key, and the first text of
// each key.
func (s *Space) layOut(texts []bert.Text) (out [][]float32, places map[textKey][]float32, first map[textKey]int) {
	hidden := s.model.Spec.Encoder.HiddenSize
	out, places, first = make([][]float32, len(texts)), map[textKey][]float32{}, map[textKey]int{}
	keys := make([]textKey, len(texts))
	for i, t := range texts {
		keys[i] = keyOf(t)
		if _, known := first[keys[i]]; !known {
			first[keys[i]] = i
		}
	}
	flat := make([]float32, len(first)*hidden)
	for i, k := range keys {
		if first[k] == i {
			places[k], flat = flat[:hidden:hidden], flat[hidden:]
		}
		out[i] = places[k]
	}
	return out, places, first
}

// readKept fills the places whose vectors the store has, and returns the others. A
// segment that cannot be used is passed over: its texts are computed.
func (s *Space) readKept(ctx context.Context, places map[textKey][]float32) (left map[textKey][]float32) {
	left = maps.Clone(places)
	if s.name == "" {
		return left
	}
	for info, err := range s.env.Store.List(ctx, Prefix+s.name+"/") {
		if err != nil {
			s.unusable(info.Key, err)
			return left
		}
		if len(left) == 0 {
			return left
		}
		about, _, err := readRecord(ctx, s.env.Store, info.Key)
		var found []textKey
		if err == nil && about.Hidden == s.model.Spec.Encoder.HiddenSize {
			found, err = readSegment(ctx, s.env.Store, about, left)
		}
		if err != nil {
			s.unusable(info.Key, err)
			continue
		}
		for _, k := range found {
			delete(left, k)
		}
	}
	return left
}

// unusable says that kept embeddings are not used.
func (s *Space) unusable(key string, err error) {
	level := slog.LevelWarn
	if errors.Is(err, storage.ErrNotFound) {
		level = slog.LevelDebug // a gc was faster
	}
	s.env.Log.Log(context.Background(), level, "kept embeddings cannot be used; their texts are embedded again", slog.String("key", key), slog.Any("error", err))
}

// compute fills the places that are left, and keeps what it computes.
func (s *Space) compute(ctx context.Context, texts []bert.Text, first map[textKey]int, left map[textKey][]float32) error {
	if len(left) == 0 {
		return nil
	}
	if s.embedder == nil {
		e, err := s.newEmbedder()
		if err != nil {
			return resources.Computed(err)
		}
		s.embedder = e
	}
	var todo []bert.Text
	var keys []textKey
	for i, t := range texts { // in the texts' order, not the map's
		k := keyOf(t)
		if _, wanted := left[k]; wanted && first[k] == i {
			todo, keys = append(todo, t), append(keys, k)
		}
	}
	done := 0
	var unkept []vector
	err := s.embedder.Each(ctx, todo, func(i int, v []float32) error {
		place := left[keys[i]]
		copy(place, v)
		done++
		s.env.Progress(stages.Progress{Done: int64(done), Total: int64(len(todo)), Unit: "texts", Text: "embedding"})
		if unkept = append(unkept, vector{keys[i], place}); len(unkept) == segmentRows {
			s.keep(ctx, unkept)
			unkept = unkept[:0]
		}
		return nil
	})
	s.keep(context.WithoutCancel(ctx), unkept) // what an interrupted attempt has, the next one finds
	return resources.Computed(err)
}

// keep puts vectors into the store. A store that takes none costs time, no result.
func (s *Space) keep(ctx context.Context, set []vector) {
	if s.name == "" || len(set) == 0 {
		return
	}
	if err := writeSegment(ctx, s.env.Store, s.name, s.about, set); err != nil {
		s.env.Log.Warn("embeddings are not kept; the next run computes them again", slog.Any("error", err))
		s.name = ""
	}
}
