package language

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// headlines were written for this test.
var headlines = map[string][]string{
	"sv": {"Regeringen lägger fram ny budget i höst", "Målvakten räddade straff i sista minuten", "Snökaos när ovädret nådde Gävle", "Storbanken sänker boräntan från måndag", "Halka på vägarna"},
	"no": {"Regjeringen legger frem statsbudsjettet i oktober", "Keeperen reddet straffe på overtid", "Isen legger seg tidlig på vannene i år", "Aksjen stupte på børsen etter resultatvarsel"},
	"da": {"Regeringen fremlægger nyt budget til efteråret", "Målmanden reddede straffespark i sidste minut", "Nationalbanken hæver renten for tredje gang"},
	"fi": {"Hallitus esittelee uuden budjetin syksyllä", "Maalivahti torjui rangaistuspotkun lisäajalla", "Lumikaaos kun rajuilma saavutti Oulun"},
	"en": {"Government unveils new budget this autumn", "Keeper saves penalty in stoppage time"},
	"de": {"Regierung legt neuen Haushalt vor", "Torwart hält Elfmeter in der Nachspielzeit"},
	"et": {"Valitsus esitas uue eelarve"},
	"ru": {"Правительство представило новый бюджет"}, "el": {"Η κυβέρνηση παρουσίασε τον προϋπολογισμό"}, "ja": {"政府が新しい予算を発表"}, "zh": {"政府公布新预算"}, "ko": {"정부가 새 예산을 발표했다"},
}

// TestDetect: each language is told from all others, and those that are alike where the
// caller expects one of them.
func TestDetect(t *testing.T) {
	for want, texts := range headlines {
		for _, text := range texts {
			if got := Detect(text, nil); got != want {
				t.Errorf("%q is %q, want %s", text, got, want)
			}
			if got := Detect(text, []string{"sv", "fi"}); got != want && want != "no" && want != "da" {
				t.Errorf("%q is %q where sv and fi are expected, want %s", text, got, want)
			}
			if !Detectable(want) {
				t.Errorf("%s is not detectable", want)
			}
		}
	}
	// A headline that Danes could have written is Norwegian where Norwegian is expected.
	const both = "Stortinget stemte ned forslaget om kraftkabler"
	if got := Detect(both, []string{"no", "sv", "fi"}); got != "no" {
		t.Errorf("%q is %q", both, got)
	}
	for _, text := range []string{"", "SAS", "12 345", "!?", "ok", strings.Repeat("𐎠𐎡𐎢 ", 50), "\xff\xfe", strings.Repeat("\u0301", 100)} {
		if got := Detect(text, []string{"sv"}); got != "" {
			t.Errorf("%q is %q, want nothing", text, got)
		}
	}
	if Detectable("xx") {
		t.Error("a language that is none can be detected")
	}
}

func TestCode(t *testing.T) {
	for name, want := range map[string]string{
		"sv": "sv", "sv-SE": "sv", "SV_se": "sv", " Swedish ": "sv", "swe": "sv", "nb": "no", "no": "no", "nor": "no", "Norwegian": "no", "nn-NO": "nn", "fi": "fi", "zh-Hant-TW": "zh", "mul": "mul",
		"": "", "xx": "", "svenska": "", "und": "", "1": "", "sv\x00": "", strings.Repeat("a", 1000): "",
	} {
		if got, ok := Code(name); got != want || ok != (want != "") {
			t.Errorf("%q is %q %v, want %q", name, got, ok, want)
		}
	}
	for name, code := range names {
		if got, ok := Code(code); !ok || got != code {
			t.Errorf("%s: %s is %q", name, code, got)
		}
	}
}

// TestOf: what the source says counts, unless it is no language.
func TestOf(t *testing.T) {
	const swedish = "Regeringen lägger fram ny budget"
	for given, want := range map[string]string{"Finnish": "fi", "": "sv", "other": "sv", "mul": "sv"} {
		if got := Of(given, swedish, "", nil); got != want {
			t.Errorf("%q: %q, want %s", given, got, want)
		}
	}
	if got := Of("", "SAS", swedish, nil); got != "sv" {
		t.Errorf("the description does not count: %q", got)
	}
}

// TestTrigrams: the file is whole, and its figures are those that detect.go reckons with.
func TestTrigrams(t *testing.T) {
	all := map[string]int{}
	for line := range strings.Lines(trigramFile) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		rare, err := strconv.Atoi(fields[1])
		letters := len([]rune(fields[2]))
		if err != nil || rare < 1 || rare >= rarest || letters%3 != 0 {
			t.Fatalf("%.40q", line)
		}
		all[fields[0]] += letters / 3
	}
	if len(all) != len(codes()) || !slices.Contains(codes(), "no") {
		t.Errorf("%v", codes())
	}
	for code, n := range all {
		if n != 4000 {
			t.Errorf("%s has %d trigrams", code, n)
		}
	}
}

// TestEqualAnswers: many at once get what one gets.
func TestEqualAnswers(t *testing.T) {
	done := make(chan bool)
	for range 4 {
		go func() {
			ok := true
			for want, texts := range headlines {
				ok = ok && Detect(texts[0], nil) == want
			}
			done <- ok
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("an answer differs")
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, texts := range headlines {
		f.Add(texts[0], "sv")
	}
	f.Fuzz(func(t *testing.T, text, given string) {
		code := Of(given, text, "", []string{"sv", "no"})
		if code == "" {
			return
		}
		if again, ok := Code(code); !ok || again != code {
			t.Fatalf("%q of %q is no code", code, text)
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	for b.Loop() {
		Detect(headlines["sv"][0], nil)
	}
}
