package serve

import (
	"net/http"
	"runtime"

	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/tei"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// predict answers POST /predict of Text Embeddings Inference.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	if err := sendJSON(r.Header); err != nil {
		s.failTEI(w, r, err)
		return
	}
	var q tei.Request
	release, ok := s.read(w, r, s.failTEI, func(b *body.Reader) (err error) {
		q, err = tei.Read(b, func(i int) error { return s.o.Limits.room(b, i) })
		return err
	})
	if !ok {
		return
	}
	defer release()
	if err := normalize(q.Texts); err != nil {
		s.failTEI(w, r, err)
		return
	}
	m, done := s.keeper.Use()
	defer done()
	found, err := s.ask(r, m, q.Texts, classify.View{All: true})
	if err == nil {
		err = whole(found)
	}
	if err != nil {
		s.failTEI(w, r, err)
		return
	}
	out := make([][]tei.Prediction, len(found))
	for i, a := range found {
		out[i] = tei.Predictions(a, q.Raw)
	}
	if q.Batch {
		s.reply(w, out)
		return
	}
	s.reply(w, out[0])
}

// info answers GET /info of Text Embeddings Inference.
func (s *Server) info(w http.ResponseWriter, _ *http.Request) {
	m, done := s.keeper.Use()
	defer done()
	out := tei.Info{
		Model: m.Name, Served: m.String(), DataType: tei.Float32,
		ModelType: tei.ModelType{Classifier: tei.LabelsOf(m.Classifier.Taxonomy.Names())},
		Requests:  s.batches.MaxWaiting, BatchTokens: s.batches.MaxTokens, BatchRequests: &s.batches.MaxTexts, ClientBatch: s.o.Limits.Texts,
		Truncates: s.o.Limits.Tokens == 0, TokenizeAtOnce: runtime.GOMAXPROCS(0), Version: s.o.Version,
	}
	if m.Digest != "" {
		out.Digest = &m.Digest
	}
	if longest, ok := m.Classifier.Model.(interface{ MaxTokens() int }); ok {
		out.Tokens = longest.MaxTokens()
	}
	s.reply(w, out)
}

// failTEI sends a refusal in the protocol's words.
func (s *Server) failTEI(w http.ResponseWriter, r *http.Request, err error) {
	e := told(err)
	s.failWith(w, r, e, tei.ErrorOf(e.status, e.message))
}

// normalize puts titles into the form in which the model knows them, and refuses texts
// without one.
func normalize(texts []classify.Text) error {
	for i, t := range texts {
		if texts[i].Title = titles.Normalize(t.Title); texts[i].Title == "" {
			return refuse(http.StatusUnprocessableEntity, "text %d is empty", i+1)
		}
	}
	return nil
}

// whole refuses answers of which one is none.
func whole(found []classify.Answer) error {
	for i, a := range found {
		if a.Problem != "" {
			return refuse(http.StatusInternalServerError, "text %d: %s", i+1, a.Problem)
		}
	}
	return nil
}
