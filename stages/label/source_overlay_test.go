package label

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestOverlayAdds: a corrected row of another window joins once, with its texts, and the
// other sources label what the reviewer left; one of the same title under another address
// is the row that is there; one of the gold part never joins.
func TestOverlayAdds(t *testing.T) {
	path := file(t, "fix.csv", `id,url,title,description,language,seen_at,fire,money,empty,reviewer,time
,http://b/9,Shares of old,more of it,sv,20260101T000000Z,1,,,anna,2026-02-02T10:00:00Z
,http://b/9,Shares of old,,,,0,,,bo,2026-02-01T10:00:00Z
50,http://b/8,"Shares  of OLD",,,,,0,,anna,2026-02-03T10:00:00Z
51,,Undated,,,,,,1,anna,2026-02-04T10:00:00Z
52,,Nothing said,,,,,,,anna,
53,,,,,,1,,,anna,
54,http://elsewhere/2,calm DAY,,,,,1,,anna,
60,,Gold of the part,,,,1,,,anna,
`)
	gold := file(t, "gold.csv", "id,title,fire,money,empty\n60,Gold of the part,0,0,1\n61,Blaze in gold,1,0,0\n")
	o := &Options{Source: []string{"rules", "overlay"}, Rules: "taxonomy", Abstain: true, Gold: gold, Overlay: Overlay{File: path, Unknown: "add"}}
	res, got, report, err := attempt(t, o, articles(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := rows.DecodeParquet(strings.NewReader(string(res.File(t, "labelled"))))
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, r := range list {
		titles = append(titles, r.Title)
	}
	if want := []string{"Blaze hits shares", "Calm day", "Fire!", "Shares of old", "Undated"}; !slices.Equal(titles, want) {
		t.Fatalf("%q, want %q\n%s", titles, want, res.Log)
	}
	old := list[3]
	if said := fmt.Sprint(old.URL, old.Description, old.Language, old.SeenAt, old.Labels[0].Score, old.Labels[1].Score, old.LabelSource); said != "http://b/9more of itsv20260101T000000Z1 0overlay;rules=empty" {
		t.Errorf("%s: %+v", said, old)
	}
	if list[4].SeenAt != "2026-02-04T10:00:00Z" || got["2"].Labels[1].Score != 1 {
		t.Errorf("%+v\n%+v", list[4], got["2"])
	}
	if c := report.Overlay; c.Corrections != 8 || c.Rows != 3 || c.Added != 2 || c.UnknownRows != 2 || !slices.Equal(c.Unknown, []string{"id:52", "id:53"}) {
		t.Errorf("%+v\n%s", c, res.Log)
	}
	o.Overlay.Unknown = "warn"
	if _, got, report, err = attempt(t, o, articles(t), nil); err != nil || len(got) != 3 || report.Overlay.UnknownRows != 7 || report.Overlay.Added != 0 {
		t.Errorf("%v, %d rows, %+v", err, len(got), report)
	}
}
