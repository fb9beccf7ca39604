package split_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func report(t *testing.T, r *stagetest.Result) split.Report {
	t.Helper()
	var out split.Report
	if err := json.Unmarshal(r.File(t, "split_report"), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// stories makes n stories of one to four rows: told again in other words, under
// a changed title at the same url, or word for word. Each row's note is its
// story, kept in Source.
func stories(rng *rand.Rand, n int) []rows.Row {
	word := func() string {
		b := make([]byte, 3+rng.IntN(6))
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		return string(b)
	}
	var out []rows.Row
	for s := range n {
		var w []string
		for range 8 + rng.IntN(6) {
			w = append(w, word())
		}
		begin := time.Date(2026, 1, 1, rng.IntN(2000), 0, 0, 0, time.UTC)
		first := rows.Row{Title: strings.Join(w, " "), URL: fmt.Sprintf("http://paper/%s/%d", word(), s), Source: fmt.Sprint(s), SeenAt: begin.Format("20060102T150405Z"),
			Labels: []rows.Label{{Score: b2f(rng.IntN(12) == 0)}, {Score: b2f(rng.IntN(3) == 0)}}}
		out = append(out, first)
		for k := range rng.IntN(4) {
			again := first
			again.SeenAt = begin.Add(time.Duration(k+1) * time.Hour).Format("20060102T150405Z")
			again.Labels = []rows.Label{{Score: b2f(rng.IntN(12) == 0)}, {Score: b2f(rng.IntN(3) == 0)}}
			switch rng.IntN(3) {
			case 0:
				again.URL, again.Title = first.URL+fmt.Sprint("?", k), first.Title+" "+word()[:3]
			case 1:
				again.Title = word() + " " + word() + " " + word()
			case 2:
				again.URL = first.URL + fmt.Sprint("#", k)
			}
			out = append(out, again)
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// where maps each row to its side.
func where(t *testing.T, got map[string][]rows.Row) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, rs := range got {
		for _, r := range rs {
			k := r.URL + " " + r.Title
			if other, double := out[k]; double && other != name {
				t.Fatalf("%q is in %s and %s", r.Title, other, name)
			}
			out[k] = name
		}
	}
	return out
}

// TestStoriesNeverStraddle, over random tables, by draw and by time: each story
// is on one side, none of the gold set's is on any, every side has its share,
// and the report says the same.
func TestStoriesNeverStraddle(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		in := stories(rng, 150+rng.IntN(300))
		o := options()
		o.Seed, o.ByTime, o.Stratify = int64(seed), seed%3 == 2, seed%2 == 0 //nolint:gosec // small
		banned := map[string]bool{}
		gold := "url,id,title,rare,rare_tag\n"
		for range 10 {
			r := in[rng.IntN(len(in))]
			banned[r.Source] = true
			switch rng.IntN(3) {
			case 0:
				gold += fmt.Sprintf("%s,,a title of its own,0,\n", r.URL)
			case 1:
				gold += fmt.Sprintf(",x%d,%s,0,\n", rng.IntN(1e9), r.Title)
			case 2:
				gold += fmt.Sprintf(",x%d,%s!,1,\n", rng.IntN(1e9), strings.ToUpper(r.Title))
			}
		}
		o.Gold = filepath.Join(stagetest.WriteFiles(t, map[string]string{"gold.csv": gold}), "gold.csv")
		r := run(t, o, in)
		got, of, n := sides(t, r), map[string]string{}, 0
		for name, rs := range got {
			n += len(rs)
			for _, row := range rs {
				if banned[row.Source] {
					t.Fatalf("seed %d: a row of a gold story is in %s: %q", seed, name, row.Title)
				}
				if side, ok := of[row.Source]; ok && side != name {
					t.Fatalf("seed %d: story %s is in %s and %s", seed, row.Source, side, name)
				}
				of[row.Source] = name
			}
		}
		x := report(t, r)
		dropped := 0
		for _, l := range x.Leaks {
			if l.Dropped {
				dropped += l.Rows
			} else if l.By != "close" {
				t.Errorf("seed %d: a leak: %+v", seed, l)
			}
			if len(l.Examples) == 0 || l.Examples[0].Title == "" || l.Examples[0].Other == "" {
				t.Errorf("seed %d: no example: %+v", seed, l)
			}
		}
		if n+dropped != len(in) || dropped == 0 || x.Groups != len(of) {
			t.Errorf("seed %d: %d rows, %d dropped, %d came in; %d groups of %d stories", seed, n, dropped, len(in), x.Groups, len(of))
		}
		for i, side := range x.Sides {
			rare := 0
			for _, row := range got[side.Name] {
				rare += int(row.Labels[0].Score)
			}
			if side.Rows != len(got[side.Name]) || side.Positives["rare"] != rare {
				t.Errorf("seed %d: %+v, %d rows, %d rare", seed, side, len(got[side.Name]), rare)
			}
			slack := 6.0
			if !o.Stratify && !o.ByTime {
				slack = 40 // drawn
			}
			if want := float64(n) * []float64{0.7, 0.15, 0.15}[i]; math.Abs(float64(side.Rows)-want) > slack {
				t.Errorf("seed %d: %s has %d of %d rows", seed, side.Name, side.Rows, n)
			}
		}
		if o.ByTime && (x.Sides[0].Last >= x.Sides[2].Last || x.By != "time") {
			t.Errorf("seed %d: %+v", seed, x.Sides)
		}
	}
}

// TestFewRowsMove: the order of rows changes no side. Newer rows move few of the
// others, however they are labelled, and none if the split is not stratified; a
// split that began anew would move 46 of 100.
func TestFewRowsMove(t *testing.T) {
	for _, stratified := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(9, 9))
		in := stories(rng, 1500)
		slices.SortStableFunc(in, func(a, b rows.Row) int { return strings.Compare(a.SeenAt, b.SeenAt) })
		o := options()
		o.Stratify = stratified
		old := in[:len(in)*9/10]
		before := where(t, sides(t, run(t, o, old)))
		shuffled := slices.Clone(old)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if !maps.Equal(where(t, sides(t, run(t, o, shuffled))), before) {
			t.Error("the order of rows changes their sides")
		}
		moved := 0
		after := where(t, sides(t, run(t, o, in)))
		for row, side := range before {
			if after[row] != side {
				moved++
			}
		}
		t.Logf("stratified %v: %d of %d rows moved when %d came", stratified, moved, len(old), len(in)-len(old))
		if stratified && moved > len(old)/20 || !stratified && moved > 0 {
			t.Errorf("stratified %v: %d of %d rows moved when %d came", stratified, moved, len(old), len(in)-len(old))
		}
	}
}

// TestKeptLeaks: with near_duplicates off what straddles is reported, and so
// are pairs nearly as alike, to gold and between sides.
func TestKeptLeaks(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var in []rows.Row
	for i, r := range stories(rng, 300) {
		r.URL = fmt.Sprint("u", i)
		in = append(in, r)
	}
	half := strings.Fields(in[0].Title)
	gold := strings.Join(half[:len(half)-2], " ") + " unlike ends"
	o := options()
	o.NearDups = false
	o.Gold = filepath.Join(stagetest.WriteFiles(t, map[string]string{"gold.csv": "id,title,rare,rare_tag\ng," + gold + ",0,\n"}), "gold.csv")
	r := run(t, o, in)
	got := sides(t, r)
	near := 0
	for _, l := range report(t, r).Leaks {
		if l.Dropped {
			continue
		}
		switch l.By {
		case "near":
			near += l.Rows
			holds := func(side, title string) bool {
				return slices.ContainsFunc(got[side], func(r rows.Row) bool { return r.Title == title })
			}
			for _, e := range l.Examples {
				if !holds(l.Between[0], e.Title) || !holds(l.Between[1], e.Other) || e.Similarity < 0.7 {
					t.Errorf("%v: %+v", l.Between, e)
				}
			}
		case "close":
			if l.Examples[0].Similarity >= 0.7 || l.Examples[0].Similarity < 0.5 {
				t.Errorf("%+v", l)
			}
		default:
			t.Errorf("%+v", l)
		}
	}
	if near < 20 || !strings.Contains(r.Log, "meet those of another") {
		t.Errorf("%d near-duplicates across sides\n%s", near, r.Log)
	}
}
