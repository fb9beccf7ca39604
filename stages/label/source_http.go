package label

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/chat"
	"github.com/sprint-ml/sprint/stages/question"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// HTTP are the options of source http. What a request says is keyed, where it
// goes and how fast is not: the model's name must say which model it is.
type HTTP struct {
	Endpoint    string        `yaml:"endpoint" default:"chat" key:"-" doc:"name of an OpenAI-compatible endpoint in the config, endpoints: {chat: https://host/v1}"`
	Model       string        `yaml:"model" required:"true" doc:"the model's name at the endpoint"`
	Key         string        `yaml:"key" secret:"true" key:"-" doc:"reference to the endpoint's key, env:NAME or file:PATH; none is sent without it"`
	Text        []string      `yaml:"text" default:"[title, description]" enum:"title|description" min:"1" max:"2" doc:"fields of a row that are sent"`
	Format      string        `yaml:"format" default:"json_schema" enum:"json_schema|json_object|text" doc:"response_format that the endpoint is asked for"`
	MaxCalls    int           `yaml:"max_calls" default:"1000" min:"1" max:"1000000" doc:"answers that are paid for at most, first rows first"`
	MaxTokens   int           `yaml:"max_tokens" default:"300" min:"0" max:"100000" doc:"tokens of an answer at most; 0 does not say so to the endpoint"`
	MaxBad      float64       `yaml:"max_bad" default:"0.1" min:"0" max:"1" doc:"share of rows without a usable answer, after a second try, that stops the stage"`
	Concurrency int           `yaml:"concurrency" default:"4" min:"1" max:"64" key:"-" doc:"requests at a time"`
	Timeout     time.Duration `yaml:"timeout" default:"1m" min:"1s" max:"30m" key:"-" doc:"time for one request"`
	PriceIn     float64       `yaml:"price_in" default:"0" min:"0" doc:"price of a million tokens sent"`
	PriceOut    float64       `yaml:"price_out" default:"0" min:"0" doc:"price of a million tokens answered"`
	Ask         string        `yaml:"ask" default:"all" enum:"all|disagreement" key:"set" doc:"with combine: vote: all rows, or those alone on which the other sources are silent or disagree, or on which heads disagree that are fitted to what they say on the vectors of source encoder, where that is one of them"`
	Sure        float64       `yaml:"sure" default:"0.6" min:"0" max:"1" key:"set" doc:"with ask: disagreement, the least probability of the heads' answer for a row that is not asked about"`
	Control     int           `yaml:"control" default:"50" min:"0" max:"100000" key:"set" doc:"with ask: disagreement, rows on which all others agree that are asked about all the same, half of max_calls at most: how often the answers are wrong there weighs them"`
	Batch       bool          `yaml:"batch" default:"false" key:"set" doc:"buy the answers by the endpoint's batches (POST /v1/batches), which cost less and may take a day; the store knows of them, so a run that was ended waits for the same ones"`
	BatchPrice  float64       `yaml:"batch_price" default:"0.5" min:"0" max:"1" key:"set" doc:"what an answer bought by batch costs, as a share of the prices"`
}

// rowsPerRound is how many rows are asked about before bad answers are asked again
// and counted. It shapes which rows max_calls reaches, so it is no option.
const rowsPerRound = 64

// minAskedToStop is how many rows must have been asked before their bad share stops the
// stage early.
const minAskedToStop = 20

// httpSource votes as a chat model answers: for the categories it names, and
// against the others. A row without a usable answer has no votes.
type httpSource struct {
	s      *stage
	t      *taxonomy.Taxonomy
	voter  []int
	count  *httpCount
	chat   *chat.Client
	prompt string
	warned bool
	spent  spent
	// lacking says why batches brought no answer, by the key of the answer.
	lacking map[string]string
	// batchIn and batchOut are the tokens of answers bought by batch.
	batchIn, batchOut int64
}

// client resolves endpoint and key.
func (o *HTTP) client(env stages.Env, pause time.Duration) (*chat.Client, error) {
	return chat.New(env, chat.Options{Endpoint: o.Endpoint, Key: o.Key, Timeout: o.Timeout, Pause: pause})
}

func newHTTP(s *stage, t *taxonomy.Taxonomy, b *assembly, weight float64) (*httpSource, error) {
	c, err := s.o.HTTP.client(s.env, s.pause)
	if err != nil {
		return nil, err
	}
	b.report.HTTP = &httpCount{Model: s.o.HTTP.Model, Prompt: question.Version}
	return &httpSource{s: s, t: t, voter: b.voters.perCategory(sourceHTTP, t, weight), count: b.report.HTTP, chat: c, prompt: question.Prompt(t)}, nil
}

// Close notes what the attempt asked and spent.
func (h *httpSource) Close() error {
	o := &h.s.o.HTTP
	calls, in, out := h.chat.Usage()
	h.spent.note(h, true)
	note := map[string]any{"endpoint": o.Endpoint, "calls": calls, "kept_answers": h.count.Answers - calls, "spent": price(o, in, out) * h.share(o.Batch)}
	if a := h.count.Agreement; a != nil {
		note["error"] = a.Error
	}
	h.s.env.Note("http", note)
	return nil
}

func price(o *HTTP, in, out int64) float64 {
	return (float64(in)*o.PriceIn + float64(out)*o.PriceOut) / 1e6
}

// share is what answers cost, of the price of those that are waited for.
func (h *httpSource) share(batch bool) float64 {
	if batch {
		return h.s.o.HTTP.BatchPrice
	}
	return 1
}

func (h *httpSource) priceOf(a chat.Answer) float64 {
	return price(&h.s.o.HTTP, a.TokensIn, a.TokensOut) * h.share(a.Batch)
}

func (h *httpSource) cast(ctx context.Context, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	h.count.Rows += len(set)
	for from := 0; from < len(set); from += rowsPerRound {
		if err := h.askBatch(ctx, set[from:min(from+rowsPerRound, len(set))], out[from:]); err != nil {
			return nil, err
		}
	}
	h.count.Cost = price(&h.s.o.HTTP, h.count.TokensIn-h.batchIn, h.count.TokensOut-h.batchOut) + price(&h.s.o.HTTP, h.batchIn, h.batchOut)*h.share(true)
	return out, nil
}

// askBatch gets the answers for some rows: each once, then the bad ones once more.
func (h *httpSource) askBatch(ctx context.Context, set []*rows.Row, out [][]labelmodel.Vote) error {
	o := &h.s.o.HTTP
	open := make([]int, len(set))
	for i := range open {
		open[i] = i
	}
	open = open[:min(o.MaxCalls-h.count.Answers, len(open))]
	if len(open) < len(set) && !h.warned {
		h.warned = true
		h.s.env.Log.Warn("max_calls is reached: later rows are not asked about", slog.Int("max_calls", o.MaxCalls))
	}
	h.count.Asked += len(open)
	bad, example, err := h.askOnce(ctx, set, open, 0, out)
	if err != nil {
		return err
	}
	still := len(bad)
	if again := bad[:min(o.MaxCalls-h.count.Answers, len(bad))]; len(again) > 0 {
		worse, why, err := h.askOnce(ctx, set, again, 1, out)
		if err != nil {
			return err
		}
		if still -= len(again) - len(worse); why != nil {
			example = why
		}
	}
	h.s.env.Progress(stages.Progress{Done: int64(h.count.Asked), Total: int64(min(o.MaxCalls, h.count.Rows)), Unit: "rows", Text: "http"})
	h.spent.note(h, false)
	if still == 0 {
		return nil
	}
	h.count.Unlabeled += still
	h.s.env.Log.Warn("rows without a usable answer", slog.Int("rows", still), slog.String("example", example.Error()))
	if share := float64(h.count.Unlabeled) / float64(h.count.Asked); share > o.MaxBad && h.count.Asked >= min(minAskedToStop, o.MaxCalls, h.count.Rows) {
		return stages.Fail(stages.CodeStage, "try another http.model or http.format, or raise http.max_bad; good answers are kept", "%d of %d rows have no usable answer from %s, more than max_bad (%g): %w", h.count.Unlabeled, h.count.Asked, o.Model, o.MaxBad, example)
	}
	return nil
}

// askOnce asks about the open rows once; bad are those whose answer is no label,
// example says of one of them why.
func (h *httpSource) askOnce(ctx context.Context, set []*rows.Row, open []int, number int, out [][]labelmodel.Vote) (bad []int, example, err error) {
	answers, lacking, err := h.askConcurrently(ctx, set, open, number)
	if err != nil {
		return nil, nil, err
	}
	for k, a := range answers {
		if lacking[k] != nil {
			bad, example = append(bad, open[k]), lacking[k]
			continue
		}
		h.count.Answers++
		if a.Batch {
			h.batchIn, h.batchOut = h.batchIn+a.TokensIn, h.batchOut+a.TokensOut
		}
		h.count.TokensIn += a.TokensIn
		h.count.TokensOut += a.TokensOut
		labels, err := question.Labels(a.Content, h.t)
		if err != nil {
			h.count.Bad++
			bad, example = append(bad, open[k]), err
			continue
		}
		out[open[k]] = h.votes(labels)
	}
	return bad, example, nil
}

// askConcurrently asks about the open rows, some at a time. The first failure stops it;
// lacking says of a row why a batch brought no answer.
func (h *httpSource) askConcurrently(ctx context.Context, set []*rows.Row, open []int, try int) (answers []chat.Answer, lacking []error, err error) {
	answers, lacking = make([]chat.Answer, len(open)), make([]error, len(open))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(h.s.o.HTTP.Concurrency)
	for k := range open {
		if asking.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			answers[k], err = h.answerFor(asking, set[open[k]], try)
			if none, ok := errors.AsType[*lackingError](err); ok {
				lacking[k], err = none, nil
			}
			return err
		})
	}
	return answers, lacking, cmp.Or(group.Wait(), context.Cause(ctx))
}

// answerFor returns the answer for a row, a kept one if there is one.
func (h *httpSource) answerFor(ctx context.Context, row *rows.Row, try int) (chat.Answer, error) {
	q, err := h.question(row, try)
	if err != nil {
		return chat.Answer{}, err
	}
	a, version, err := chat.Kept(ctx, h.s.env.Store, q.Key)
	if err == nil || !storage.MissingOrDamaged(err) {
		return a, err
	}
	if h.s.o.HTTP.Batch {
		return a, &lackingError{h.lacking[q.Key]}
	}
	if err := h.spent.mayAsk(h); err != nil {
		return chat.Answer{}, err
	}
	if a, err = h.chat.Ask(ctx, q.Body); err != nil {
		return chat.Answer{}, err
	}
	h.spent.took(h.priceOf(a))
	// It is paid for: a signal that comes now must not lose it.
	return a, chat.Keep(context.WithoutCancel(ctx), h.s.env.Store, q.Key, version, a)
}

// question is what is asked about a row.
func (h *httpSource) question(row *rows.Row, try int) (chat.Question, error) {
	o, description := &h.s.o.HTTP, ""
	if slices.Contains(o.Text, "description") {
		description = row.Description
	}
	body, err := question.Request(question.Form{Model: o.Model, Format: o.Format, MaxTokens: o.MaxTokens}, h.t, h.prompt, row.Title, description)
	return chat.Question{Key: chat.AnswerKey(body, try), Body: body}, err
}

func (h *httpSource) votes(labels []rows.Label) []labelmodel.Vote {
	out := make([]labelmodel.Vote, len(labels))
	for c, l := range labels {
		out[c] = labelmodel.Vote{Voter: h.voter[c], Category: c, Score: l.Score, Tag: h.t.Categories[c].TagIndex(l.Tag)}
	}
	return out
}
