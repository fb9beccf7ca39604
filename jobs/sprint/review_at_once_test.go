package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestReviewsImportedAtOnce: people who import at the same time lose nothing.
func TestReviewsImportedAtOnce(t *testing.T) {
	const people, rows = 8, 400
	dir := demo(t, nil)
	for p := range people {
		text := "id,fire,reviewer\n"
		for i := range rows {
			text += fmt.Sprintf("p%d-%d,1,person%d\n", p, i, p)
		}
		write(t, dir, map[string]string{fmt.Sprintf("r%d.csv", p): text})
	}
	t.Chdir(dir)
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var group sync.WaitGroup
	for p := range people {
		group.Go(func() {
			var out, said bytes.Buffer
			if code := run(t.Context(), []string{"review", "import", fmt.Sprintf("r%d.csv", p)}, env, strings.NewReader(""), &out, &said); code != 0 {
				t.Errorf("person %d: code %d: %s%s", p, code, out.String(), said.String())
			}
		})
	}
	group.Wait()
	have, err := os.ReadFile(filepath.Join(dir, "corrections.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for p := range people {
		if n := bytes.Count(have, fmt.Appendf(nil, ",person%d,", p)); n != rows {
			t.Errorf("%d of %d corrections of person %d are there", n, rows, p)
		}
	}
}
