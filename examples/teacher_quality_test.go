//go:build quality

package examples

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// teacher is a stand-in for a chat model that is wrong about a known share of the texts,
// and an endpoint that sells its answers by batches. The name of the model, errs-25-1-all,
// says of how many in a hundred, and which draw of them; what follows names a purse alone.
type teacher struct {
	truth map[string]string // category by title
	names []string          // of the categories

	mu      sync.Mutex
	files   map[string][]byte
	batches []map[string]any
	asked   map[string]int // lines by model
}

// answer is the category that a model names.
func (s *teacher) answer(model, title string) string {
	var percent int
	fmt.Sscanf(model, "errs-%d-", &percent)
	draw := model[:strings.LastIndexByte(model, '-')]
	sum := sha256.Sum256([]byte(draw + "\n" + title))
	r := binary.BigEndian.Uint64(sum[:8])
	truth := s.truth[title]
	if int(r%100) >= percent {
		return truth
	}
	var others []string
	for _, name := range s.names {
		if name != truth {
			others = append(others, name)
		}
	}
	return others[r/100%uint64(len(others))]
}

// accuracy is the share of the texts that a model is right about.
func (s *teacher) accuracy(model string, titles []string) float64 {
	right := 0
	for _, title := range titles {
		if s.answer(model, title) == s.truth[title] {
			right++
		}
	}
	return float64(right) / float64(len(titles))
}

func (s *teacher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	switch {
	case r.Method == http.MethodPost && path == "/files":
		f, _, err := r.FormFile("file")
		if err != nil {
			http.Error(w, "no file", http.StatusBadRequest)
			return
		}
		data, _ := io.ReadAll(f)
		id := fmt.Sprintf("file-%d", len(s.files))
		s.files[id] = data
		json.NewEncoder(w).Encode(map[string]any{"id": id})
	case r.Method == http.MethodPost && path == "/batches":
		var body struct {
			Input string `json:"input_file_id"`
		}
		json.NewDecoder(r.Body).Decode(&body)
		made := map[string]any{"id": fmt.Sprintf("batch-%d", len(s.batches)), "status": "completed", "input_file_id": body.Input, "output_file_id": "out-" + body.Input}
		s.files["out-"+body.Input] = s.lines(s.files[body.Input])
		s.batches = append(s.batches, made)
		json.NewEncoder(w).Encode(made)
	case path == "/batches":
		json.NewEncoder(w).Encode(map[string]any{"data": s.batches})
	case strings.HasPrefix(path, "/batches/"):
		for _, b := range s.batches {
			if "/batches/"+b["id"].(string) == path {
				json.NewEncoder(w).Encode(b)
			}
		}
	case strings.HasSuffix(path, "/content"):
		w.Write(s.files[strings.TrimSuffix(strings.TrimPrefix(path, "/files/"), "/content")])
	default:
		http.NotFound(w, r)
	}
}

func (s *teacher) lines(questions []byte) (out []byte) {
	for _, text := range bytes.Split(bytes.TrimSpace(questions), []byte("\n")) {
		var q struct {
			ID   string `json:"custom_id"`
			Body struct {
				Model    string
				Messages []struct{ Content string }
			}
		}
		var item struct{ Title string }
		json.Unmarshal(text, &q)
		json.Unmarshal([]byte(q.Body.Messages[1].Content), &item)
		s.asked[q.Body.Model]++
		content, _ := json.Marshal(map[string]any{"labels": []any{map[string]any{"category": s.answer(q.Body.Model, item.Title), "score": 1, "tag": ""}}})
		one, _ := json.Marshal(map[string]any{"custom_id": q.ID, "response": map[string]any{"status_code": 200, "body": map[string]any{
			"choices": []any{map[string]any{"message": map[string]any{"content": string(content)}}}, "usage": map[string]any{"prompt_tokens": 200, "completion_tokens": 20}}}})
		out = append(append(out, one...), '\n')
	}
	return out
}

// halves makes of a gold set rows to label and a gold set, and returns what is true of all.
func halves(t *testing.T, gold string) (s *teacher, articles, kept string, titles []string) {
	t.Helper()
	table := csvTable(t, gold)
	s = &teacher{truth: map[string]string{}, files: map[string][]byte{}, asked: map[string]int{}}
	for _, name := range table[0][3:] {
		if !strings.HasSuffix(name, "_tag") {
			s.names = append(s.names, name)
		}
	}
	var lines bytes.Buffer
	left := [][]string{table[0]}
	for i, row := range table[1:] {
		for c, name := range table[0] {
			if row[c] == "1" {
				s.truth[row[1]] = name
			}
		}
		if i%2 == 1 {
			left, titles = append(left, row), append(titles, row[1])
			continue
		}
		json.NewEncoder(&lines).Encode(map[string]string{"id": row[0], "title": row[1], "description": row[2]})
	}
	var rest bytes.Buffer
	if err := csv.NewWriter(&rest).WriteAll(left); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	articles, kept = filepath.Join(dir, "articles.jsonl"), filepath.Join(dir, "gold.csv")
	for path, data := range map[string][]byte{articles: lines.Bytes(), kept: rest.Bytes()} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, articles, kept, titles
}

// studentsBeatTeachers holds that heads which learn from the answers of a model that errs
// are right about more of the gold set than the model: its mistakes are no pattern of the
// texts. Asked where the rules need it alone, it is asked less.
func studentsBeatTeachers(t *testing.T, data, store string) {
	s, articles, gold, titles := halves(t, filepath.Join(data, "bbc", "gold.csv"))
	server := httptest.NewServer(s)
	defer server.Close()
	t.Setenv("SPRINT_ENDPOINTS", "{chat: "+server.URL+"/v1}")
	common := []string{"fetch.files.paths=" + articles, "split.gold=" + gold, "verify.gold=" + gold, "train.method=heads", "label.http.batch=true", "verify.checks=[{id: macro_f1, on: gold, min: 0.1}]"}
	for _, percent := range []int{25, 10} {
		all := 0
		for _, c := range []struct {
			name string
			sets []string
		}{
			{"all", []string{"label.source=[http]"}},
			{"disagreement", []string{"label.source=[rules, http]", "label.combine=vote", "label.conflict=vote", "label.http.ask=disagreement"}},
		} {
			teachers, students, asked := 0.0, 0.0, 0
			const draws = 3
			for draw := range draws {
				model := fmt.Sprintf("errs-%d-%d-%s", percent, draw, c.name)
				f := measure(t, store, "bbc/plan.yaml", [][]string{append(append([]string{"label.http.model=" + model}, c.sets...), common...)})[0]
				if f.Gold.Accuracy == nil {
					t.Fatal("no accuracy is measured")
				}
				teacher := s.accuracy(model, titles)
				fmt.Printf("teacher errs in %d %%, draw %d, %-13s teacher %.3f  student %.3f  macro-F1 %.3f\n", percent, draw, c.name+":", teacher, *f.Gold.Accuracy, f.Gold.Macro)
				teachers, students, asked = teachers+teacher/draws, students+*f.Gold.Accuracy/draws, asked+s.asked[model]
				s.asked[model] = 0
			}
			fmt.Printf("teacher errs in %d %%, %-13s teacher %.3f  student %.3f  bought %d\n", percent, c.name+":", teachers, students, asked)
			if all = max(all, asked); c.name != "all" && asked >= all {
				t.Errorf("%d answers were bought, of all rows %d", asked, all)
			}
			if students <= teachers {
				t.Errorf("a teacher that errs in %d %%, asked about %s rows: accuracy %.3f, the student's %.3f", percent, c.name, teachers, students)
			}
		}
	}
}
