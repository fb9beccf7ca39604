package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// author writes rows: sentences of templates whose places words of lists fill. The same
// seed writes the same rows.
type author struct{ *rand.Rand }

// places are what stands for a word in braces.
var places = map[string][]string{
	"{w}": {"Anna", "Jorge", "Wei", "Fatima", "Lars", "Priya", "Noah", "Ingrid", "Tomas", "Grace", "Kofi", "Mei", "Søren", "Zoë"},
	"{p}": {"Malmö", "Zürich", "Orléans", "Leeds", "Porto", "Gdansk", "Oslo", "Turin", "Ghent", "Cork", "Basel", "Nantes", "Ålesund"},
	"{t}": {"router", "laptop", "tablet", "headset", "printer", "scanner", "keyboard", "monitor", "docking station", "webcam", "speaker", "charger"},
	"{m}": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

func (a author) one(of []string) string { return of[a.IntN(len(of))] }

// sentence fills the places of one of some templates.
func (a author) sentence(of []string) string {
	s := a.one(of)
	for _, mark := range slices.Sorted(maps.Keys(places)) {
		for strings.Contains(s, mark) {
			s = strings.Replace(s, mark, a.one(places[mark]), 1)
		}
	}
	for strings.Contains(s, "{n}") {
		s = strings.Replace(s, "{n}", strconv.Itoa(100+a.IntN(9900)), 1)
	}
	return s
}

// paragraph is some sentences in any order.
func (a author) paragraph(sentences ...string) string {
	a.Shuffle(len(sentences), func(i, j int) { sentences[i], sentences[j] = sentences[j], sentences[i] })
	return strings.Join(sentences, " ")
}

// topic is a label and what its rows say.
type topic struct {
	label        string
	heads, texts []string
}

var ticketTopics = []topic{
	{"Billing & Refunds",
		[]string{"Charged twice in {m}", "Invoice {n} shows the wrong amount", "Refund for order {n} not here", "Why did my {m} bill go up?", "Card declined though {w} has money", "VAT missing on invoice {n} for {p}", "Cancel it and give {w} the money back, order {n}"},
		[]string{"My card was charged {n} euros instead of the agreed price.", "The refund you promised {w} in {m} never arrived on the bank account.", "Please send a corrected invoice with our VAT number to {p}.", "The payment of {m} went through twice and the statement shows both."}},
	{"Technical problem",
		[]string{"{t} shuts down at random", "App crashes on start after the {m} update", "Error code {n} on the {t}", "Cannot connect the {t} to wifi in {p}", "Screen of the {t} stays black", "Sync stuck at {n} of the files", "Login page freezes for {w}"},
		[]string{"It crashes with error {n} as soon as {w} opens the settings.", "After the firmware update of {m} the {t} reboots in a loop.", "The connection drops every few minutes and the log shows timeout {n}.", "{w} reinstalled the driver of the {t} and the bug is still there."}},
	{"Delivery",
		[]string{"Parcel {n} still not delivered", "Wrong address on shipment to {p}", "{t} arrived broken in its box", "Where is the order {n} of {w}?", "Courier left the {t} in the rain", "Half of the shipment to {p} missing", "Tracking {n} has not moved since {m}"},
		[]string{"The courier says it was delivered, but nobody in {p} got the parcel.", "Tracking has shown the depot of {p} since {m}.", "The box was open and the {t} inside was damaged in transit.", "Please ship the missing items to our address in {p}."}},
	{"Account",
		[]string{"Reset the password of {w} please", "Change the e-mail of user {n}", "Add {w} as an administrator", "Delete the profile and data of {w}", "Locked out after {n} attempts", "Two accounts for {w}, merge them", "New name after marriage, {w}"},
		[]string{"I no longer have access to the e-mail address with which {w} registered.", "Please remove {w} from our workspace and give the seat to someone in {p}.", "The password link of {m} has expired each time I click on it.", "Two-factor codes go to the old phone of {w}."}},
}

var ticketChatter = []string{"We are a team of {n} in {p}.", "{w} from our {p} branch asked me to write.", "This has been going on since {m}.", "Reference {n}, opened in {m}.", "I tried twice and called {w} about it.", "Our {t} and the {t} both came from you.", "The {p} office is closed in {m}."}

// tickets are support tickets as a help desk exports them: with semicolons, in Latin-1,
// and with labels that are no names of categories.
func (a author) tickets(n int) []byte {
	records := [][]string{{"id", "subject", "body", "category"}}
	for i := range n {
		t := ticketTopics[a.IntN(len(ticketTopics))]
		records = append(records, []string{fmt.Sprintf("T%04d", i), a.sentence(t.heads), a.paragraph(a.sentence(t.texts), a.sentence(ticketChatter), a.sentence(ticketChatter)), t.label})
	}
	latin, err := charmap.ISO8859_1.NewEncoder().Bytes(table(';', records))
	if err != nil {
		panic(err)
	}
	return latin
}

// texts are tickets without labels, as lines of JSON.
func (a author) texts(n int) []byte {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for i := range n {
		t := ticketTopics[a.IntN(len(ticketTopics))]
		if err := out.Encode(map[string]string{"id": strconv.Itoa(i), "subject": a.sentence(t.heads), "body": a.paragraph(a.sentence(t.texts), a.sentence(ticketChatter))}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// teams are mails and who answered them, separated by tabs.
func (a author) teams(n int) []byte {
	records := [][]string{{"sent", "what", "who"}}
	for range n {
		c := a.IntN(len(ticketTopics))
		t := ticketTopics[c]
		records = append(records, []string{fmt.Sprintf("2026-%02d-%02d", 1+a.IntN(12), 1+a.IntN(28)), a.paragraph(a.sentence(t.heads)+".", a.sentence(t.texts), a.sentence(ticketChatter)), []string{"Money", "Machines", "Parcels", "People"}[c]})
	}
	return table('\t', records)
}

// reviews are of films, with a column that is 1 where the film was liked.
func (a author) reviews(n int) []byte {
	good := []string{"A joy from the first scene.", "I laughed until the lights came on.", "Moving, wise and beautifully shot.", "{w} gives the performance of a career.", "A clever script that trusts its audience.", "I would watch it again tonight."}
	bad := []string{"A dull mess without a point.", "I looked at my watch after ten minutes.", "Wooden acting and a plot full of holes.", "The jokes of {w} fall flat one after another.", "Two hours that I want back.", "Cheap effects and lazy writing."}
	plot := []string{"The film follows {w} from {p} to {p}.", "It runs {n} minutes, they say.", "{w} plays a {t} repairer.", "Set in {p} in the {m} rain.", "The second half has {w} and a {t}.", "Seen with {w} in {m}.", "Part {n} of the {p} series."}
	records := [][]string{{"review", "liked"}}
	for range n {
		liked := a.IntN(2)
		records = append(records, []string{a.paragraph(a.sentence([][]string{bad, good}[liked]), a.sentence(plot), a.sentence(plot), a.sentence(plot)), strconv.Itoa(liked)})
	}
	return table(',', records)
}

// table is csv.
func table(comma rune, records [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = comma
	if err := w.WriteAll(records); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// authored are the tables by the names that scripts call them.
func authored(t testing.TB, name string, seed uint64, n int) []byte {
	t.Helper()
	a := author{rand.New(rand.NewPCG(seed, 1))}
	switch name {
	case "tickets":
		return a.tickets(n)
	case "teams":
		return a.teams(n)
	case "texts":
		return a.texts(n)
	case "reviews":
		return a.reviews(n)
	}
	t.Fatalf("no table is called %s", name)
	return nil
}
