package draft

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestNamesOfOtherLanguages: a table whose columns are named in another language than
// English is understood, and a column of few values is no label because it has the fewest.
func TestNamesOfOtherLanguages(t *testing.T) {
	for _, c := range []struct{ title, label, other string }{
		{"Betreff", "Kategorie", "Priorität"},
		{"Ämne", "Avdelning", "Språk"},
		{"Titre", "Catégorie", "Priorité"},
		{"Asunto", "Categoría", "Prioridad"},
		{"Aihe", "Luokka", "Prio"},
		{"Treść", "Klasse", "Datum"},
	} {
		lines := []string{strings.Join([]string{c.title, c.other, c.label}, ",")}
		for i := range 120 {
			lines = append(lines, fmt.Sprintf("%s,%s,%s", unlike(i), []string{"hi", "lo"}[i%2], []string{"bill", "ship", "tech"}[i%3]))
		}
		d := mustDraft(t, "rows.csv", strings.Join(lines, "\n"), nil)
		plan := string(d.Files["plan.yaml"])
		if want := fmt.Sprintf("title: %s, label: %s", c.title, c.label); !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %s:\n%s\n%s", want, strings.Join(d.Said, "\n"), plan)
		}
	}
}

// TestDoubtedLabel: where no name tells which column is the label, the others that could be
// are said.
func TestDoubtedLabel(t *testing.T) {
	lines := []string{"text,foo,bar"}
	for i := range 120 {
		lines = append(lines, fmt.Sprintf("%s,%s,%s", unlike(i), []string{"bill", "ship", "tech"}[i%3], []string{"hi", "lo"}[i%2]))
	}
	const doubt = "no column's name says that it is the label: foo could be it as well as bar, which has the fewest values (--label)"
	if d := mustDraft(t, "rows.csv", strings.Join(lines, "\n"), nil); !slices.Contains(d.Said, doubt) {
		t.Errorf("said %q", d.Said)
	}
	if d := mustDraft(t, "rows.csv", strings.Join(lines, "\n"), func(o *Options) { o.Label = []string{"foo"} }); slices.ContainsFunc(d.Said, func(s string) bool { return strings.Contains(s, "could be it") }) {
		t.Errorf("said %q to who named it", d.Said)
	}
}

// TestNotEnglish: who brings rows that the encoder does not read is told of one that does;
// English rows with a foreign name here and there, and names of products, are none.
func TestNotEnglish(t *testing.T) {
	for name, c := range map[string]struct {
		texts []string
		want  bool
	}{
		"German":   {[]string{"Rechnung %d ist falsch und für mich nicht zu verstehen", "Die Lieferung %d ist beschädigt", "App stürzt beim Start ab, Fehler %d"}, true},
		"Greek":    {[]string{"η παραγγελία %d δεν έφτασε", "ο λογαριασμός %d είναι λάθος"}, true},
		"English":  {[]string{"The café in Malmö and what it has for you, %d", "I was charged twice for this order %d", "My parcel %d is not there yet"}, false},
		"products": {[]string{"Samsung Galaxy S%d 128GB", "Philips kettle %d W", "Bosch drill %d V"}, false},
	} {
		lines := []string{"text,label"}
		for i := range 120 {
			lines = append(lines, fmt.Sprintf("%q,%s", fmt.Sprintf(c.texts[i%len(c.texts)], i)+" "+unlike(i), []string{"a", "b"}[i%2]))
		}
		d := mustDraft(t, "rows.csv", strings.Join(lines, "\n"), nil)
		said := strings.Contains(strings.Join(d.Said, "\n"), multilingual)
		if planned := strings.Contains(string(d.Files["plan.yaml"]), multilingual); said != c.want || planned != c.want {
			t.Errorf("%s: said %v, in the plan %v, want %v: %q", name, said, planned, c.want, d.Said)
		}
	}
}
