package chat

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// The protocol is that of https://platform.openai.com/docs/guides/batch, which vLLM's
// batch servers and others follow: a file of questions, a batch of it, two files of lines.

// The states that end a batch; statusGone is ours, of one that the endpoint no longer knows.
const (
	statusCompleted = "completed"
	statusFailed    = "failed"
	statusExpired   = "expired"
	statusCancelled = "cancelled"
	statusGone      = "gone"
)

// batchState is what an endpoint says of a batch.
type batchState struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Input  string `json:"input_file_id"`
	Output string `json:"output_file_id"`
	Errors string `json:"error_file_id"`
	Counts struct {
		Completed int64 `json:"completed"`
		Failed    int64 `json:"failed"`
	} `json:"request_counts"`
	Why struct {
		Data []struct {
			Message string `json:"message"`
		} `json:"data"`
	} `json:"errors"`

	why string // of a refusal
}

// maxBatchAnswer is the size of a file of lines at most.
const maxBatchAnswer = 512 << 20

// upload sends questions as a file, and returns its id. A second one is free.
func (c *Client) upload(ctx context.Context, questions []Question) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("purpose", "batch"); err != nil {
		return "", err
	}
	file, err := form.CreateFormFile("file", "questions.jsonl")
	if err != nil {
		return "", err
	}
	for _, q := range questions {
		if _, err := fmt.Fprintf(file, `{"custom_id":%q,"method":"POST","url":"/v1/chat/completions","body":%s}`+"\n", nameOfKey(q.Key), q.Body); err != nil {
			return "", err
		}
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"id"`
	}
	if err := c.patiently(ctx, http.MethodPost, c.at("/files"), form.FormDataContentType(), body.Bytes(), &got); err != nil {
		return "", err
	}
	return c.identified(got.ID, "file")
}

// identified refuses an id that could not stand in an address.
func (c *Client) identified(id, of string) (string, error) {
	if !identifier.MatchString(id) {
		return "", stages.Fail(stages.CodeEnvironment, "see whether its address is that of an endpoint with batches, or set http.batch: false", "endpoint %s gives a %s the id %s", c.name, of, Excerpt(id))
	}
	return id, nil
}

// create makes a batch of a file. An unclearError may have made one.
func (c *Client) create(ctx context.Context, file string) (string, error) {
	body, err := json.Marshal(map[string]any{"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"})
	if err != nil {
		return "", err
	}
	var got batchState
	if err := c.call(ctx, http.MethodPost, c.at("/batches"), "application/json", body, &got); err != nil {
		return "", err
	}
	return c.identified(got.ID, "batch")
}

// findBatch looks for the batch of a file among the newest; empty if there is none, or if
// the endpoint lists none.
func (c *Client) findBatch(ctx context.Context, file string) (string, error) {
	u := *c.base
	u.Path += "/batches"
	query := u.Query()
	query.Set("limit", "100")
	u.RawQuery = query.Encode()
	var got struct {
		Data []batchState `json:"data"`
	}
	err := c.patiently(ctx, http.MethodGet, u.String(), "", nil, &got)
	if f, ok := errors.AsType[*stages.Failure](err); ok && errors.Is(f, errAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, b := range got.Data {
		if b.Input == file && identifier.MatchString(b.ID) {
			return b.ID, nil
		}
	}
	return "", nil
}

// state asks how far a batch is.
func (c *Client) state(ctx context.Context, b *batch) (batchState, error) {
	var got batchState
	err := c.patiently(ctx, http.MethodGet, c.at("/batches/"+url.PathEscape(b.id)), "", nil, &got)
	if f, ok := errors.AsType[*stages.Failure](err); ok && errors.Is(f, errAbsent) {
		c.env.Log.Warn("the endpoint no longer knows a batch", "batch", b.id)
		return batchState{Status: statusGone}, nil
	}
	if err != nil {
		return got, err
	}
	for _, file := range []string{got.Output, got.Errors} {
		if file != "" && !identifier.MatchString(file) {
			return got, stages.Fail(stages.CodeEnvironment, "it is not as the API has it", "endpoint %s names a file %s", c.name, Excerpt(file))
		}
	}
	if len(got.Why.Data) > 0 {
		got.why = Excerpt(got.Why.Data[0].Message)
	}
	return got, nil
}

// lines are those of a batch's files.
type lines struct {
	c       *Client
	of      map[string]bool // the names that were asked
	answers map[string]Answer
	failed  map[string]string
	strange int // lines that are no answers to what was asked
	example string
}

// line is one of them.
type line struct {
	ID       string `json:"custom_id"`
	Response *struct {
		Status int             `json:"status_code"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
	Error json.RawMessage `json:"error"`
}

// fetchLines reads a file of lines. A file that is cut off is fetched again.
func (c *Client) fetchLines(ctx context.Context, file string, got *lines) (err error) {
	for range retries + 1 {
		err = c.patiently(ctx, http.MethodGet, c.at("/files/"+url.PathEscape(file)+"/content"), "", nil, got)
		if _, cut := err.(*unclearError); !cut { //nolint:errorlint // patiently returns it bare
			break
		}
	}
	if f, ok := errors.AsType[*stages.Failure](err); ok && errors.Is(f, errAbsent) {
		c.env.Log.Warn("a file of answers is no longer there", "file", file)
		return nil
	}
	return err
}

// read takes lines as they come.
func (l *lines) read(r io.Reader) error {
	scan := bufio.NewScanner(io.LimitReader(r, maxBatchAnswer))
	scan.Buffer(make([]byte, 64<<10), maxAnswer)
	for scan.Scan() {
		if text := bytes.TrimSpace(scan.Bytes()); len(text) > 0 {
			l.take(text)
		}
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		l.odd(fmt.Sprintf("a line is over %d bytes, and ends the file", maxAnswer))
		return nil
	}
	return scan.Err()
}

func (l *lines) odd(example string) {
	if l.strange++; l.example == "" {
		l.example = example
	}
}

// take takes one line. Of two with one id the first counts.
func (l *lines) take(text []byte) {
	var x line
	if json.Unmarshal(text, &x) != nil || !l.of[x.ID] {
		l.odd(l.c.hide.String(Excerpt(string(l.c.hide.Bytes(text)))))
		return
	}
	if _, twice := l.answers[x.ID]; twice {
		l.odd("two lines have the id " + x.ID)
		return
	}
	var got completion
	switch {
	case x.Response == nil:
		l.failed[x.ID] = "the batch failed on it: " + Excerpt(string(l.c.hide.Bytes(x.Error)))
	case x.Response.Status != http.StatusOK:
		l.failed[x.ID] = fmt.Sprintf("the batch failed on it: status %d: %s", x.Response.Status, Excerpt(string(l.c.hide.Bytes(x.Response.Body))))
	case json.Unmarshal(l.c.hide.Bytes(x.Response.Body), &got) != nil || len(got.Choices) == 0:
		l.failed[x.ID] = "the answer is no chat completion: " + Excerpt(string(l.c.hide.Bytes(x.Response.Body)))
	default:
		a := l.c.take(&got)
		a.Batch = true
		l.answers[x.ID] = a
		delete(l.failed, x.ID)
	}
}

// errAbsent is in the Failure of a call that gets 404 or 405.
var errAbsent = errors.New("there is nothing")

// patiently is call with further tries, for what may be done twice.
func (c *Client) patiently(ctx context.Context, method, address, media string, body []byte, into any) error {
	for try := 0; ; try++ {
		err := c.call(ctx, method, address, media, body, into)
		unclear, ok := err.(*unclearError) //nolint:errorlint // call returns it bare
		if err == nil || ctx.Err() == nil && !ok {
			return err
		}
		if ctx.Err() != nil || try == retries {
			return c.end(ctx, err)
		}
		c.env.Log.Info("asking again", "endpoint", c.name, "reason", unclear.Error())
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(max(c.pause<<try, unclear.after), maxWait)):
		}
	}
}

// call sends one request. The answer is JSON, unless into is lines. The error is a bare
// unclearError if another try may heal it.
func (c *Client) call(ctx context.Context, method, address, media string, body []byte, into any) error {
	_, long := into.(*lines)
	if long = long || len(body) > maxAnswer; !long {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.timeout, time.Minute))
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request to endpoint %s: %w", c.name, redact.WithoutAddress(err))
	}
	req.Header.Set("User-Agent", "sprint")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.plain.Do(req)
	if err != nil {
		return &unclearError{why: c.hide.String(redact.WithoutAddress(err).Error())}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		if l, ok := into.(*lines); ok {
			if err := l.read(resp.Body); err != nil {
				return &unclearError{why: "the answer is cut off: " + c.hide.String(err.Error())}
			}
			return nil
		}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &unclearError{why: "the answer is cut off: " + c.hide.String(err.Error())}
	}
	data = c.hide.Bytes(data)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		if json.Unmarshal(data, into) != nil {
			return &unclearError{why: "the answer is not as the API has it: " + Excerpt(string(data))}
		}
		return nil
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return stages.Fail(stages.CodeEnvironment, "it may have no batches: set http.batch: false, or name an endpoint that has", "endpoint %s: %w: status %d: %s", c.name, errAbsent, resp.StatusCode, Excerpt(string(data)))
	}
	if err := refusal(c.name, resp.StatusCode, data); err != nil {
		return err
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return &unclearError{why: c.hide.String(fmt.Sprintf("status %s: %s", resp.Status, Excerpt(string(data)))), after: time.Duration(max(0, min(seconds, 3600))) * time.Second}
}
