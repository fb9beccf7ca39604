package main

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestAbsentModel: every command that takes a model ends with 4 and what there is where it is
// told of one that is not there, and with 2 where it is told of none.
func TestAbsentModel(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir+"/store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree, err := s.PutTree(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(s).Publish(t.Context(), "news", tree, nil); err != nil {
		t.Fatal(err)
	}
	commands := map[string]func(ref string) []string{
		"classify": func(ref string) []string { return []string{"classify", "--model", ref, "Fire"} },
		"serve":    func(ref string) []string { return []string{"serve", "--model", ref, "--listen", "127.0.0.1:0"} },
		"promote":  func(ref string) []string { return []string{"promote", ref} },
		"from": func(ref string) []string {
			_, v, _ := strings.Cut(ref, "@")
			return []string{"promote", "news@1", "--from", v}
		},
		"rollback": func(ref string) []string { return []string{"rollback", ref} },
		"alias": func(ref string) []string {
			name, alias, _ := strings.Cut(ref, "@")
			return []string{"rollback", name, "--alias", alias}
		},
		"history": func(ref string) []string { return []string{"models", "history", ref} },
		"verify":  func(ref string) []string { return []string{"models", "verify", ref} },
		"models":  func(ref string) []string { return []string{"models", ref} },
		"get":     func(ref string) []string { return []string{"artifacts", "get", ref, "out"} },
		"cat":     func(ref string) []string { return []string{"artifacts", "cat", ref + "/config.json"} },
		"ls":      func(ref string) []string { return []string{"artifacts", "ls", ref} },
		"reread":  func(ref string) []string { return []string{"artifacts", "verify", ref} },
		"trace":   func(ref string) []string { return []string{"trace", ref} },
	}
	for _, c := range []struct {
		ref, by string
		code    int
		says    string
	}{
		{"news@7", "classify serve promote from verify models", 4, "there are: version 1"},
		{"news@beta", "classify serve promote from alias verify models", 4, "there are: version 1"},
		{"news@-1", "classify serve promote from verify models", 4, "there are: version 1"},
		{"nws@1", "classify serve promote verify models", 4, "did you mean news?"},
		{"nws", "classify serve rollback history verify models", 4, "did you mean news?"},
		{"News", "classify serve rollback history verify models", 4, "did you mean news?"},
		{"a b", "classify serve rollback history verify models", 4, "there are: news"},
		{"../news", "classify serve rollback history verify models", 4, "no model"},
		{"news@7", "get cat ls reread trace", 4, "`sprint models --store store` lists"},
		{"news@beta", "get cat ls reread trace", 4, "no such release"},
		{"nws@1", "get cat ls reread trace", 4, "no such release"},
		{"news@", "get cat ls reread trace", 2, "is no release"},
		{"news@", "classify serve verify models", 2, "names no model"},
		{"news@", "promote", 2, "which version of news?"},
		{"news@", "rollback", 2, "`sprint rollback news --to VERSION --store store`"},
		{"@1", "classify serve verify models", 2, "names no model"},
		{"", "classify serve verify", 2, "names no model"},
		{"", "rollback", 2, "which model?"},
		{"news@7", "rollback history", 2, "news@7"},
	} {
		for _, by := range strings.Fields(c.by) {
			code, stdout, stderr := exec(t, dir, append(commands[by](c.ref), "--store", "store")...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("%s %q: code %d, want %d and %q: %s%s", by, c.ref, code, c.code, c.says, stdout, stderr)
			}
		}
	}
	if moved, err := models.In(s).Aliases(t.Context(), "news"); err != nil || len(moved) > 0 {
		t.Errorf("aliases after the refusals: %v, %v", moved, err)
	}
}
