package serve

import (
	"io"
	"net/http"
	"strconv"

	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/kserve"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/classify"
)

// live answers GET /v2/health/live.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, map[string]bool{"live": true})
}

// liveReady answers GET /v2/health/ready.
func (s *Server) liveReady(w http.ResponseWriter, _ *http.Request) { s.tellReady(w, nil) }

// tellReady says whether the server is ready in the protocol's words.
func (s *Server) tellReady(w http.ResponseWriter, about map[string]any) {
	_, ok := s.readiness()
	out := map[string]any{"ready": ok}
	for k, v := range about {
		out[k] = v
	}
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	s.reply(w, out)
}

// v2Server answers GET /v2.
func (s *Server) v2Server(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, map[string]any{"name": "sprint", "version": "1", "extensions": []string{"binary_tensor_data"}})
}

// named is the model that a path names; a refusal says which there is.
func (s *Server) named(r *http.Request) (m *reload.Model, done func(), err error) {
	m, done = s.keeper.Use()
	name, v := r.PathValue("m"), version(r)
	switch {
	case name != m.Name:
		err = refuse(http.StatusNotFound, "there is no model %.60q; %s is served", name, m.Name)
	case v != "" && v != strconv.Itoa(m.Version):
		err = refuse(http.StatusNotFound, "version %.20q of %s is not served; %d is", v, m.Name, m.Version)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return m, done, nil
}

// v2Model answers GET /v2/models/NAME.
func (s *Server) v2Model(w http.ResponseWriter, r *http.Request) {
	m, done, err := s.named(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer done()
	s.reply(w, kserve.MetadataOf(m.Name, strconv.Itoa(m.Version), len(m.Classifier.Taxonomy.Categories)))
}

// v2Ready answers GET /v2/models/NAME/ready.
func (s *Server) v2Ready(w http.ResponseWriter, r *http.Request) {
	m, done, err := s.named(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer done()
	s.tellReady(w, map[string]any{"name": m.Name})
}

// infer answers POST /v2/models/NAME/infer. The protocol's clients do not say that they
// send JSON. What a form can send is refused; a page of another site that sends nothing
// of the kind says whose it is, and is refused by that.
func (s *Server) infer(w http.ResponseWriter, r *http.Request) {
	length, err := inferHeader(r.Header)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	m, done, err := s.named(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer done()
	var q kserve.Request
	room := func(b *body.Reader) func(int) error { return func(i int) error { return s.o.Limits.room(b, i) } }
	release, ok := s.readParts(w, r, s.fail, length, func(b *body.Reader, binary io.Reader) (err error) {
		if q, err = kserve.Read(b, room(b), binary); err == nil {
			err = kserve.CheckOutputs(q.Outputs)
		}
		return err
	})
	if !ok {
		return
	}
	defer release()
	err = normalize(q.Texts)
	var found []classify.Answer
	if err == nil {
		found, err = s.ask(r, m, q.Texts, classify.View{All: true})
	}
	if err == nil {
		err = whole(found)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := kserve.Response{Model: m.Name, ID: q.ID, Outputs: kserve.Outputs(found, m.Classifier.Taxonomy.Names(), q.Outputs)}
	if m.Version > 0 {
		out.Version = strconv.Itoa(m.Version)
	}
	document, data, err := kserve.Encode(out, q)
	if err != nil {
		s.fail(w, r, refuse(http.StatusInternalServerError, "%v", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if data != nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(kserve.HeaderLength, strconv.Itoa(len(document)))
	}
	_, _ = w.Write(document)
	_, _ = w.Write(data)
}

// inferHeader is how many bytes of a body are JSON, 0 for all.
func inferHeader(h http.Header) (int64, error) {
	text := h.Get(kserve.HeaderLength)
	if text == "" {
		if h.Get("Content-Type") == "" && isPlain(h) {
			return 0, nil
		}
		return 0, sendJSON(h)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, refuse(http.StatusBadRequest, "%s is %.20q; a number of bytes is wanted", kserve.HeaderLength, text)
	}
	if !isPlain(h) {
		return 0, errPacked
	}
	return n, nil
}
