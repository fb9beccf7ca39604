package integrity_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestHistory: a past move of an alias that is gone, damaged or misnamed is found, also
// of an alias with the name of a folder of releases; a gap that a move tells of is none.
func TestHistory(t *testing.T) {
	b := finished(t)
	a, err := b.Store.Put(b.Ctx, strings.NewReader("other"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := b.Store.PutTree(b.Ctx, []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}})
	if err != nil {
		t.Fatal(err)
	}
	r := models.In(b.Store)
	if _, err := r.Publish(b.Ctx, "toy", tree, nil); err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{"champion", "files", "aliases", "history"} {
		for _, v := range []int{1, 2, 1, 2} {
			if err := r.SetAlias(b.Ctx, "toy", alias, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if report := whole(t, b, b.Store, integrity.Everything()); !report.Whole {
		t.Fatalf("an undisturbed store: %+v", report.Faults)
	}
	for _, alias := range []string{"champion", "files"} {
		for n := 1; n <= 3; n++ {
			key := models.MoveKey("toy", alias, n)
			path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for problem, damage := range map[integrity.Problem]func() error{
				integrity.Missing:    func() error { return os.Remove(path) },
				integrity.Damaged:    func() error { return os.WriteFile(path, data[:len(data)-3], 0o600) },
				integrity.Obstructed: func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
			} {
				if err := damage(); err != nil {
					t.Fatal(err)
				}
				found := whole(t, b, b.Store, integrity.Subset{}).Faults
				if len(found) == 0 || found[0].Key != key || found[0].Problem != problem || !strings.Contains(found[0].Repair, "nothing needs it") {
					t.Errorf("%s is %s; found is %+v", key, problem, found)
				}
				if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, name := range []string{"champion/1", "champion/0000000001", "champion/x", "9/000000001"} {
		key := "models/toy/history/" + name
		if err := b.Store.WriteFile(b.Ctx, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if found := whole(t, b, b.Store, integrity.Subset{}).Faults; len(found) != 1 || found[0].Key != key || found[0].Problem != integrity.Foreign {
			t.Errorf("%s: %+v", key, found)
		}
		if err := b.Store.Sweep(b.Ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	// An alias that was lost and set anew says so.
	if err := b.Store.Sweep(b.Ctx, "models/toy/aliases/champion"); err != nil {
		t.Fatal(err)
	}
	if err := r.SetAlias(b.Ctx, "toy", "champion", 1); err != nil {
		t.Fatal(err)
	}
	if report := whole(t, b, b.Store, integrity.Everything()); !report.Whole {
		t.Errorf("after an alias was lost: %+v", report.Faults)
	}
}
