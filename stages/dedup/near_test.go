package dedup_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/sprint-ml/sprint/stages/dedup"
)

// newsroom writes headlines as a wire does: many stories from few phrases, and
// each story again with small changes.
type newsroom struct {
	rng                     *rand.Rand
	places, people, things  []string
	verbs, openings, closes []string
}

func newNewsroom(seed uint64) *newsroom {
	n := &newsroom{rng: rand.New(rand.NewPCG(seed, 7))}
	names := func(count int, parts ...string) []string {
		var out []string
		for range count {
			var b strings.Builder
			for range 2 + n.rng.IntN(2) {
				b.WriteString(parts[n.rng.IntN(len(parts))])
			}
			r := []rune(b.String())
			r[0] = unicode.ToUpper(r[0])
			out = append(out, string(r))
		}
		return out
	}
	n.places = names(3000, "nor", "hamn", "sund", "vik", "berg", "falk", "ströms", "by", "lund", "ås", "holm", "ton", "field", "wick", "port")
	n.people = names(20_000, "an", "ders", "ka", "rin", "lo", "vis", "jo", "han", "mir", "el", "sö", "der", "ma", "rtin", "ek", "li")
	n.things = strings.Fields("budget ferry hospital school bridge tunnel stadium harbour museum factory tram railway airport mine forest river dam library market prison theatre church palace arena refinery reactor pipeline satellite vaccine election strike tariff merger audit verdict protest festival storm flood fire collision burglary cup final derby transfer record")
	n.verbs = strings.Fields("opens closes delays defends rejects approves questions celebrates investigates rebuilds evacuates sells buys cancels postpones inspects renames expands halts launches sues wins loses")
	n.openings = []string{"", "", "", "", "Breaking: ", "LIVE: ", "Just nu: ", "Analysis: ", "Here is what we know about how ", "Weather warning: "}
	n.closes = []string{"", "", "", " after the weekend", " before the vote", " as temperatures fall", " in the second half", " says the police", " according to a new report", " for the third year in a row"}
	return n
}

func (n *newsroom) of(list []string) string { return list[n.rng.IntN(len(list))] }

func (n *newsroom) story() string {
	return fmt.Sprintf("%s%s %s %s the %s %s in %s, %d %s hurt%s", n.of(n.openings), n.of(n.people), n.of(n.people), n.of(n.verbs), n.of(n.things), n.of(n.things), n.of(n.places), n.rng.IntN(900), n.of(n.things), n.of(n.closes))
}

// again is the story as another paper prints it.
func (n *newsroom) again(s string) string {
	words := strings.Fields(s)
	switch at := n.rng.IntN(len(words)); n.rng.IntN(5) {
	case 0:
		return strings.ToUpper(s) + " !"
	case 1:
		return s + " - " + n.of(n.places) + " Post"
	case 2:
		words[at] = n.of(n.things)
	case 3:
		words = slices.Delete(words, at, at+1)
	case 4:
		words = slices.Insert(words, at, n.of(n.things))
	}
	return strings.Join(words, " ")
}

// headlines are n titles of which about every fourth repeats one of the last
// ten thousand.
func (n *newsroom) headlines(count int) []string {
	out := make([]string, count)
	for i := range out {
		if i > 0 && n.rng.IntN(4) == 0 {
			out[i] = out[i-1-n.rng.IntN(min(i, 10_000))]
			for range 1 + n.rng.IntN(3) {
				out[i] = n.again(out[i])
			}
		} else {
			out[i] = n.story()
		}
	}
	return out
}

// bruteForce groups by comparing every pair, on sets of exact shingles.
func bruteForce(titles []string, threshold float64) []int {
	sets := make([][]uint64, len(titles))
	for i, t := range titles {
		words := strings.FieldsFunc(strings.ToLower(t), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		runes := []rune(strings.Join(words, " "))
		for k := 3; k < len(runes); k++ {
			s := uint64(0)
			for _, r := range runes[k-3 : k+1] {
				s = s<<16 | uint64(r)
			}
			sets[i] = append(sets[i], s)
		}
		slices.Sort(sets[i])
		sets[i] = slices.Compact(sets[i])
	}
	group := make([]int, len(titles))
	for i := range group {
		group[i] = i
	}
	for i, a := range sets {
		for j, b := range sets[:i] {
			common, at := 0, 0
			for _, s := range a {
				for at < len(b) && b[at] < s {
					at++
				}
				if at < len(b) && b[at] == s {
					common++
				}
			}
			if float64(common)/float64(len(a)+len(b)-common) < threshold || group[i] == group[j] {
				continue
			}
			from, to := group[i], group[j]
			for k := range group {
				if group[k] == from {
					group[k] = to
				}
			}
		}
	}
	return group
}

// TestNearAgainstBruteForce: nothing is joined that exact comparison of all
// pairs keeps apart, and nearly all that it joins is.
func TestNearAgainstBruteForce(t *testing.T) {
	for _, threshold := range []float64{0.6, 0.7, 0.85} {
		titles := newNewsroom(11).headlines(1500)
		want, got := bruteForce(titles, threshold), dedup.Find(titles, threshold, threshold).Groups
		pairs, found := 0, 0
		for i := range titles {
			for j := range i {
				if same := want[i] == want[j]; same {
					pairs++
					if got[i] == got[j] {
						found++
					}
				} else if got[i] == got[j] {
					t.Fatalf("threshold %g: %q and %q share a group", threshold, titles[i], titles[j])
				}
			}
		}
		t.Logf("threshold %g: %d of %d pairs", threshold, found, pairs)
		least := 0.98
		if threshold < 0.7 {
			least = 0.9
		}
		if pairs < 200 || float64(found) < least*float64(pairs) {
			t.Errorf("threshold %g: found %d of %d pairs", threshold, found, pairs)
		}
	}
}

// TestNearCores: the number of cores changes nothing.
func TestNearCores(t *testing.T) {
	titles := newNewsroom(12).headlines(5000)
	one := runtime.GOMAXPROCS(1)
	want := dedup.Find(titles, 0.7, 0.5)
	runtime.GOMAXPROCS(7)
	got := dedup.Find(titles, 0.7, 0.5)
	runtime.GOMAXPROCS(one)
	if !slices.Equal(want.Groups, got.Groups) || !slices.Equal(want.ClosePairs, got.ClosePairs) || len(want.ClosePairs) == 0 {
		t.Errorf("%d and %d close pairs", len(want.ClosePairs), len(got.ClosePairs))
	}
	for i, p := range want.ClosePairs {
		if p.Similarity < 0.5 || p.Similarity >= 0.7 && want.Groups[p.I] == want.Groups[p.J] || p.I >= p.J || i > 0 && p == want.ClosePairs[i-1] {
			t.Fatalf("%d: %+v", i, p)
		}
	}
}

// TestNearBoilerplate: thousands of titles that share most of their text, but
// not enough, stay cheap, and true repetitions among them are found.
func TestNearBoilerplate(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var titles []string
	for range 4000 {
		word := make([]byte, 20)
		for i := range word {
			word[i] = byte('a' + rng.IntN(26))
		}
		titles = append(titles, fmt.Sprintf("Here is the latest about the weather in %s on Monday", word))
	}
	for i := range 100 {
		titles = append(titles, titles[i*37]+"!!")
	}
	groups := dedup.Find(titles, 0.9, 0.9).Groups
	for i := range 100 {
		if groups[4000+i] != groups[i*37] {
			t.Errorf("%q is not found", titles[i*37])
		}
	}
	if groups[3999] != 3999 {
		t.Errorf("%d groups of 4000 titles", groups[3999]+1)
	}
}

// BenchmarkNear groups a million headlines, a quarter of them repetitions. The
// peak is of the process, the headlines included.
func BenchmarkNear(b *testing.B) {
	titles := newNewsroom(13).headlines(1_000_000)
	runtime.GC()
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		groups := dedup.Groups(titles)
		b.ReportMetric(float64(len(titles))/time.Since(start).Seconds(), "rows/s")
		b.ReportMetric(float64(slices.Max(groups)+1), "groups")
	}
	b.ReportMetric(peak(), "peak-MB")
}

// peak is the most memory that the process has held, 0 where the system does
// not say.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest + " 0 0")[0], 64)
	return kb / 1024
}

func TestNearDuplicates(t *testing.T) {
	got := dedup.Groups([]string{
		"Brand i Malmö – flera skadade i natt", "Vädret blir soligt i helgen", "Brand i Malmö: flera skadade",
		"!!", "!!", "BRAND I MALMÖ FLERA SKADADE I NATT", "Riksbanken höjer räntan igen",
	})
	if d := cmp.Diff([]int{0, 1, 0, 2, 3, 0, 4}, got); d != "" {
		t.Error(d)
	}
}

// TestNearDuplicatesRecall plants pairs of known similarity among random titles.
func TestNearDuplicatesRecall(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var titles []string
	for i := range 2000 {
		words := make([]string, 10)
		for w := range words {
			words[w] = fmt.Sprintf("%c%c%c%c%d", 'a'+rng.IntN(26), 'a'+rng.IntN(26), 'a'+rng.IntN(26), 'a'+rng.IntN(26), i)
		}
		titles = append(titles, strings.Join(words, " "), strings.Join(words[:9], " "))
	}
	groups := dedup.Find(titles, 0.7, 0.7).Groups
	missed := 0
	for i := 0; i < len(groups); i += 2 {
		if groups[i] != groups[i+1] {
			missed++
		}
		if i >= 2 && groups[i] == groups[i-2] {
			t.Fatalf("%q and %q share a group", titles[i], titles[i-2])
		}
	}
	if missed > 20 {
		t.Errorf("missed %d of 2000 pairs", missed)
	}
}
