package rows

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestOverlayIsNoSheetOfFormulas: an overlay that is written holds no cell that a
// spreadsheet runs, and is read as it was.
func TestOverlayIsNoSheetOfFormulas(t *testing.T) {
	categories := []string{"fire", "money"}
	var want []Correction
	for i, s := range []string{"plain", "=cmd()", "+46", "-5", "@x", "'=quoted", "'plain'", "it's, \"so\"", "--"} {
		c := Correction{Reviewer: s, Note: s + "\nsecond line", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Number: i + 1}
		c.URL, c.ID, c.Title, c.TitleRaw = "\t"+s, s, s, s
		c.Description, c.Language, c.SeenAt = s+" and more", "sv", "20260102T030405Z"
		c.Labels = []Label{{Score: -0.5, Tag: s}, {Abstain: true}}
		want = append(want, c)
	}
	var b bytes.Buffer
	if err := WriteOverlay(&b, want, categories); err != nil {
		t.Fatal(err)
	}
	cells, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range cells {
		for _, cell := range record {
			if cell != "" && cell != "-0.5" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("the cell %q", cell)
			}
		}
	}
	got, err := ReadOverlay(&b, Layout{Format: CSV}, []Category{{Name: "fire"}, {Name: "money"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("wrote %+v\n read %+v", want[i], got)
		}
	}
}

// TestCorrectionsShareLabels: corrections that say the same have their labels in common, in
// whatever form they say it, and others do not; so do gold rows.
func TestCorrectionsShareLabels(t *testing.T) {
	categories := []Category{{Name: "fire"}, {Name: "money"}}
	for name, text := range map[string]string{
		"a column of labels":  "id,label\n1,fire\n2,fire\n3,money\n4,\n5,\n",
		"columns of scores":   "id,fire,money\n1,1,0\n2,1,0\n3,0,1\n4,,\n5,,\n",
		"a label and its tag": "id,label,fire_tag\n1,fire,red\n2,fire,red\n3,fire,blue\n4,,\n5,,\n",
	} {
		got, err := ReadOverlay(strings.NewReader(text), Layout{Format: CSV}, categories)
		if err != nil || len(got) != 5 {
			t.Fatalf("%s: %v", name, err)
		}
		one := func(i, j int) bool { return &got[i].Labels[0] == &got[j].Labels[0] }
		if !one(0, 1) || one(0, 2) || one(2, 3) || !one(3, 4) || got[2].Labels[0] == got[0].Labels[0] {
			t.Errorf("%s: %+v", name, got)
		}
	}
	gold, err := ReadGold(strings.NewReader("title,fire,money\na,1,0\nb,1,0\nc,0,1\n"), Layout{Format: CSV}, categories)
	if err != nil || &gold.Rows[0].Labels[0] != &gold.Rows[1].Labels[0] || gold.Rows[2].Labels[0] == gold.Rows[0].Labels[0] {
		t.Errorf("gold: %v: %+v", err, gold)
	}
}
