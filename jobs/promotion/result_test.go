package promotion_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/promotion"
)

// TestResultOfRefresh: a refresh has promoted or refused already, so its result promotes
// nothing, and is not called that of a run which published nothing.
func TestResultOfRefresh(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	for text, want := range map[string]string{
		`{"run":"r1","code":0,"class":"done","decision":"promoted"}`:                                   "result of a refresh, which decides by itself: promoted",
		`{"run":"r1","code":10,"class":"publish refused","decision":"refused"}`:                        "result of a refresh, which decides by itself: refused",
		`{"run":"r1","code":0,"class":"done"}`:                                                         "published no model",
		`{"run":"r1","code":0,"class":"done","figures":{"model":"news@3"}}`:                            "",
		`{"run":"r1","code":5,"class":"verify gate failed","figures":{"model":"news@3"},"extra":true}`: "ended with code 5",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		model, err := promotion.Published(path)
		if want == "" && (err != nil || model != "news@3") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v, want %q", text, model, err, want)
		}
		if _, usage := errors.AsType[*diagnostic.UsageError](err); usage != strings.Contains(want, "refresh") {
			t.Errorf("%s: %#v", text, err)
		}
	}
}
