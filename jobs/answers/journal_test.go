package answers

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// TestJournal: a journal gives back the rows of the group that is not whole, all that a file
// of rows has of them, and what the last record names is never written over.
func TestJournal(t *testing.T) {
	zero, half := 0.0, 0.5
	full := rows.Row{
		Title: "Blaze\x00 \u2028", Description: strings.Repeat("word ", 1000), URL: "u", Source: "s", ID: "1", TitleRaw: "BLAZE", SeenAt: "2026-01-02", Language: "en", LabelSource: "model",
		Rules: []string{"fire:blaze", "fire:burn"}, Conflicts: []string{"fire"},
		Labels: []rows.Label{{Score: 0.1, Tag: "red"}, {Abstain: true}, {Score: -1e-300}},
	}
	list := []struct {
		row           rows.Row
		probabilities []*float64
	}{{full, []*float64{&zero, nil, &half}}, {rows.Row{ID: "2"}, nil}, {rows.Row{Labels: []rows.Label{{Tag: "blue"}}}, []*float64{nil}}}
	path := filepath.Join(t.TempDir(), "a.partial")
	j := newJournal(path)
	var last *tail
	for group := range 3 {
		for _, x := range list {
			if err := j.add(&x.row, x.probabilities); err != nil {
				t.Fatal(err)
			}
		}
		if group != 1 { // whose end comes before it is time for a record
			var err error
			if last, err = j.flush(); err != nil || last.Rows != len(list) {
				t.Fatalf("%+v: %v", last, err)
			}
			j.recorded(last)
		}
		if group < 2 {
			j.begin()
			if err := newJournal(path).check(last); err != nil {
				t.Errorf("behind group %d, what the record names: %v", group, err)
			}
		}
	}
	later := newJournal(path)
	n := 0
	if err := errors.Join(later.check(last), later.replay(last, func(r *rows.Row, probabilities []*float64) error {
		want := list[n].row
		want.Rules, want.Conflicts = []string{strings.Join(want.Rules, ";")}, []string{strings.Join(want.Conflicts, ";")} // as they are written
		if !reflect.DeepEqual(*r, want) || !reflect.DeepEqual(probabilities, list[n].probabilities) {
			t.Errorf("row %d: %+v %v", n, r, probabilities)
		}
		n++
		return later.add(r, probabilities)
	})); err != nil || n != len(list) {
		t.Errorf("%d rows: %v", n, err)
	}
	if err := newJournal(path).check(last); err != nil {
		t.Errorf("while it is replayed: %v", err)
	}
	if later.remove(); len(glob(t, path+"*")) > 0 {
		t.Errorf("left %v", glob(t, path+"*"))
	}
}

// TestJournalDamaged: rows of another making are not gone on with.
func TestJournalDamaged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.parquet")
	writeAnswers(t, name, false, 700, 701)
	for _, file := range glob(t, name+".partial.rows*") {
		spoilFile(t, file)
	}
	_, err := CreateFile(name, "", origin, true)
	if failure, ok := errors.AsType[*stages.Failure](err); !ok || failure.Hint == "" || !strings.Contains(err.Error(), "not those that were written") {
		t.Fatalf("%v", err)
	}
	writeAnswers(t, name, false, 701, 701)
	if left := glob(t, name+".*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestOlderRecord: a record without a tail, as older commands wrote it, is gone on with; a
// newer one is not.
func TestOlderRecord(t *testing.T) {
	for format, want := range map[string]int{"1": 500, "3": 0} {
		name := filepath.Join(t.TempDir(), "a.parquet")
		writeAnswers(t, name, false, 500, 501) // two groups
		record := name + ".partial.json"
		data, err := os.ReadFile(record)
		if err == nil {
			err = os.WriteFile(record, bytes.Replace(data, []byte(`"format":2`), []byte(`"format":`+format), 1), 0o600)
		}
		if err != nil || bytes.Contains(data, []byte("tail")) {
			t.Fatalf("%v: %s", err, data)
		}
		f, err := CreateFile(name, "", origin, true)
		if (err == nil) != (want > 0) || err == nil && f.Begun().Rows != want {
			t.Errorf("format %s: %v", format, err)
		}
		if err == nil {
			f.Close(Counts{})
		}
	}
}
