package serve

import (
	"net/http"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// instance is one text of a request.
type instance struct{ id, url, title, description, language string }

// classifyRequest is what POST /v1/classify takes.
type classifyRequest struct {
	list   []instance
	single bool // the request is the instance itself
	view   classify.View
}

// Fields of an instance, and of a request that is one or holds a list of them.
var (
	instanceFields = []string{"title", "description", "language", "id", "url"}
	requestFields  = append([]string{"instances", "all", "threshold"}, instanceFields...)
)

// field reads a field of an instance.
func (in *instance) field(b *body.Reader, name string) (ok bool, err error) {
	to := map[string]*string{"title": &in.title, "description": &in.description, "language": &in.language, "id": &in.id, "url": &in.url}[name]
	if to == nil {
		return false, nil
	}
	*to, err = b.String()
	return true, err
}

// readClassify reads a request of POST /v1/classify.
func readClassify(b *body.Reader, l Limits) (q classifyRequest, err error) {
	var one instance
	own, listed := false, false
	err = b.Object(requestFields, func(name string) (bool, error) {
		switch name {
		case "instances":
			listed = true
			return true, b.List(func(i int) error {
				if err := l.room(b, i); err != nil {
					return err
				}
				var in instance
				err := b.Object(instanceFields, func(name string) (bool, error) { return in.field(b, name) })
				q.list = append(q.list, in)
				return err
			})
		case "all":
			q.view.All, err = b.Bool()
			return true, err
		case "threshold":
			x, err := b.Number(0, 1)
			q.view.Threshold = &x
			return true, err
		}
		own = true
		return one.field(b, name)
	})
	if err == nil {
		err = b.End()
	}
	if err == nil && own && listed {
		err = refuse(http.StatusBadRequest, "send one text, or instances, not both")
	}
	if q.single = !listed; q.single {
		q.list = []instance{one}
	}
	return q, err
}

// query reads what stands behind the path.
func (q *classifyRequest) query(r *http.Request) error {
	for name, values := range r.URL.Query() {
		switch {
		case name != "all":
			return refuse(http.StatusBadRequest, "there is no parameter %.40q; all may stand behind the path", name)
		case len(values) != 1 || values[0] != "true" && values[0] != "false":
			return refuse(http.StatusBadRequest, "the parameter all is true or false")
		}
		q.view.All = q.view.All || values[0] == "true"
	}
	return nil
}

// classify answers POST /v1/classify.
func (s *Server) classify(w http.ResponseWriter, r *http.Request) {
	if err := sendJSON(r.Header); err != nil {
		s.fail(w, r, err)
		return
	}
	var q classifyRequest
	release, ok := s.read(w, r, s.fail, func(b *body.Reader) (err error) {
		q, err = readClassify(b, s.o.Limits)
		return err
	})
	if !ok {
		return
	}
	defer release()
	if err := q.query(r); err != nil {
		s.fail(w, r, err)
		return
	}
	out := make([]any, len(q.list))
	var texts []classify.Text
	for i, in := range q.list {
		title := titles.Normalize(in.title)
		if title == "" {
			if q.single {
				s.fail(w, r, refuse(http.StatusUnprocessableEntity, "no title"))
				return
			}
			out[i] = answers.BadRow{ID: in.id, URL: in.url, Error: "no title"}
			continue
		}
		texts = append(texts, classify.Text{Title: title, Description: in.description, Language: in.language})
	}
	m, done := s.keeper.Use()
	defer done()
	found, err := s.ask(r, m, texts, q.view)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for i, in := range q.list {
		if out[i] != nil {
			continue
		}
		answer := found[0]
		found = found[1:]
		if answer.Problem == "" {
			out[i] = answers.Answer{ID: in.id, URL: in.url, Answer: answer}
			continue
		}
		if q.single {
			s.fail(w, r, refuse(http.StatusInternalServerError, "%s", answer.Problem))
			return
		}
		out[i] = answers.BadRow{ID: in.id, URL: in.url, Error: answer.Problem}
	}
	if q.single {
		s.reply(w, out[0])
		return
	}
	s.reply(w, map[string]any{"predictions": out})
}
