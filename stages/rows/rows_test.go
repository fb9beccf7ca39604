package rows_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

func sample() ([]rows.Row, []string) {
	return []rows.Row{
		{Title: "Fire in town", URL: "http://x/1", Source: "x", TitleRaw: "Fire in town ", Labels: []rows.Label{{Score: 0.75, Tag: "fire"}, {Abstain: true}}, Rules: []string{"emergencies:fire", "emergencies:alarm"}, LabelSource: "rules"},
		{Title: "Å", ID: "7", TitleRaw: "Å", SeenAt: "20250101T000000Z", Language: "sv", Description: "d", Labels: []rows.Label{{}, {Score: -1}}},
		{Title: "none", TitleRaw: "none", Labels: []rows.Label{{Abstain: true}, {Abstain: true}}},
	}, []string{"zeta", "alpha"}
}

func TestParquetRoundTrip(t *testing.T) {
	want, cats := sample()
	var a, b bytes.Buffer
	if err := rows.WriteParquet(&a, want, cats); err != nil {
		t.Fatal(err)
	}
	if err := rows.WriteParquet(&b, want, cats); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("equal rows give unequal bytes")
	}
	got, gotCats, err := rows.DecodeParquet(bytes.NewReader(a.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(cats, gotCats); d != "" {
		t.Error(d)
	}
	f, err := parquet.OpenFile(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range f.Schema().Columns() {
		names = append(names, p[0])
	}
	head := "title description url source zeta_score zeta_tag alpha_score alpha_tag id"
	if got := strings.Join(names, " "); !strings.HasPrefix(got, head) {
		t.Errorf("columns are %s, want them to begin %s", got, head)
	}
}

func TestParquetBroken(t *testing.T) {
	want, cats := sample()
	var a bytes.Buffer
	if err := rows.WriteParquet(&a, want, cats); err != nil {
		t.Fatal(err)
	}
	for cut := range a.Len() {
		if _, _, err := rows.DecodeParquet(bytes.NewReader(a.Bytes()[:cut])); !errors.Is(err, rows.ErrFormat) {
			t.Fatalf("cut at %d: %v, want ErrFormat", cut, err)
		}
	}
}

func TestEmptyAndUnlabelled(t *testing.T) {
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, nil, nil); err != nil {
		t.Fatal(err)
	}
	got, cats, err := rows.DecodeParquet(&b)
	if err != nil || len(got) != 0 || len(cats) != 0 {
		t.Errorf("got %v %v %v", got, cats, err)
	}
}

func TestReadCounts(t *testing.T) {
	long := `{"title":"` + strings.Repeat("x", 2<<20) + `"}`
	in := "\ufeff" + strings.Join([]string{
		`{"title":"One","url":"u1","domain":"d","alpha_score":0.5,"alpha_tag":"t"}`,
		`{"url":"u2"}`, `nonsense`, long, "", `{"title":"bad ` + "\xff" + ` byte","id":12}`,
		`{"title":"esc \x aped ` + "\x01" + `"}`, `{"title":"t","alpha_score":7}`, `{"title":"late","beta_score":null}`,
	}, "\n")
	table, err := rows.Read(strings.NewReader(in), rows.Layout{Format: rows.JSONL})
	if err != nil {
		t.Fatal(err)
	}
	want := rows.Stats{Read: 8, NoTitle: 1, Malformed: 2, TooLong: 1, Mended: 1, Encoding: "utf-8"}
	if table.Stats != want {
		t.Errorf("stats %+v, want %+v", table.Stats, want)
	}
	if len(table.Rows) != 4 || table.Rows[0].Source != "d" || table.Rows[1].ID != "12" {
		t.Errorf("rows %+v", table.Rows)
	}
	if d := cmp.Diff([]rows.Label{{Score: 0.5, Tag: "t"}, {Abstain: true}}, table.Rows[0].Labels); d != "" {
		t.Error(d)
	}
}

func TestReadCSV(t *testing.T) {
	in := "title,url,alpha_score,alpha_tag\n\"A, b\",u,0.5,x\n" + strings.Repeat("y", 2<<20) + "\nshort,row\n\"quoted \"\" q\",v,,\n"
	table, err := rows.Read(strings.NewReader(in), rows.Layout{Format: rows.CSV})
	if err != nil {
		t.Fatal(err)
	}
	want := rows.Stats{Read: 4, Malformed: 1, TooLong: 1, Encoding: "utf-8"}
	if table.Stats != want || len(table.Rows) != 2 || table.Rows[0].Title != "A, b" || !table.Rows[1].Labels[0].Abstain {
		t.Errorf("%+v %+v", table.Stats, table.Rows)
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := rows.Read(strings.NewReader("PAR1 not really\nx"), rows.Layout{Format: rows.JSONL}); !errors.Is(err, rows.ErrFormat) {
		t.Error(err)
	}
	if _, err := rows.Read(strings.NewReader("x"), rows.Layout{Format: rows.Parquet}); !errors.Is(err, rows.ErrFormat) {
		t.Error(err)
	}
	if _, err := rows.ReadWithin(strings.NewReader("{}{}{}{}\n{}"), rows.Layout{Format: rows.JSONL}, table.Limits{MaxLine: 10, MaxBytes: 5}); !errors.Is(err, table.ErrTooLarge) {
		t.Error(err)
	}
}

func TestIdentity(t *testing.T) {
	a := rows.Row{Title: "USA : s", ID: "1", URL: "u"}
	if rows.Identity(a) != "url:u" || rows.Identity(rows.Row{ID: "1"}) != "id:1" || rows.Identity(rows.Row{}) != "" {
		t.Error("order of identities")
	}
	if rows.Identity(rows.Row{Title: "USA : s"}) != rows.Identity(rows.Row{Title: "usa:s"}) {
		t.Error("titles are not normalised")
	}
}
