package rows

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/text"
)

// UnknownColumns is the error of a file of which it is not known what its columns mean. Its
// text follows the file's name.
type UnknownColumns struct {
	text string
	// Named says that the layout names a column which the file does not have.
	Named bool
}

func (e *UnknownColumns) Error() string { return e.text }

// Unwrap makes it an ErrFormat.
func (e *UnknownColumns) Unwrap() error { return ErrFormat }

// survey is what a file's columns are called, and how long their texts are.
type survey struct {
	names []string
	bytes map[string]int // of the texts of the records looked at
	jsonl bool
}

// surveyed is how many records are looked at.
const surveyed = 100

// beginning keeps the first bytes that are read.
type beginning struct {
	r    io.Reader
	head []byte
}

func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if room := 64<<10 - len(b.head); room > 0 {
		b.head = append(b.head, p[:min(n, room)]...)
	}
	return n, err
}

// survey looks at the columns of a file that begins so. names are those of its header.
func (l Layout) survey(head []byte, names ...string) survey {
	s := survey{names: names, bytes: map[string]int{}, jsonl: l.Format == JSONL}
	columns := table.NewColumns(nil)
	whole := len(head) < 64<<10
	n := 0
	l.Columns = nil
	// It may end in the middle, at which an error is no wonder.
	_, _ = eachRecord(bytes.NewReader(head), l, usual(&Budget{}), columns, func([]string) error { return nil }, func(rec *table.Record, problem string) error {
		if n++; n > surveyed {
			return io.EOF
		}
		for i, name := range rec.Names() {
			if problem == "" && name != table.MendedMark {
				s.bytes[name] += rec.At(i).Len()
			}
		}
		return nil
	})
	if s.jsonl || len(names) == 0 && whole {
		s.names = slices.DeleteFunc(slices.Clone(columns.Names()), func(n string) bool { return n == table.MendedMark })
	}
	return s
}

// twice is the first name that two columns of a file have, of those that are read; empty if
// there is none.
func twice(names []string, read func(name string) bool) string {
	met := map[string]bool{}
	for _, n := range names {
		if met[n] && read(n) {
			return n
		}
		met[n] = true
	}
	return ""
}

// checkHeader refuses a header without a title, one without a column that the layout names,
// and one that has a column twice.
func (l Layout) checkHeader(names []string, columns *table.Columns, head []byte) error {
	if n := twice(names, columns.Reads); n != "" {
		return &UnknownColumns{text: fmt.Sprintf("has two columns called %s: rename one in its header, so that the other one counts", n)}
	}
	ours, err := columns.Ours(names)
	if err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(l.Columns)) {
		name := n
		if name == published {
			name = "seen_at"
		}
		if !slices.Contains(ours, name) {
			return l.unnamed(n, names)
		}
	}
	if slices.Contains(ours, "title") {
		return nil
	}
	if table.Headless(names) && l.Format == CSV {
		return l.noHeader(names)
	}
	return l.noTitle(l.survey(head, names...))
}

// unnamed is the error of a column that the layout names and the file does not have.
func (l Layout) unnamed(ours string, names []string) error {
	theirs := l.Columns[ours]
	if l.numbered() {
		return &UnknownColumns{fmt.Sprintf("has %d columns, and %s is to be column %s", len(names), ours, theirs), true}
	}
	head := fmt.Sprintf("has the columns %s and none is called %s", listed(names), theirs)
	near := nearest(theirs, names)
	switch {
	case near == "":
		return &UnknownColumns{fmt.Sprintf("%s, which %s names as %s", head, l.option(), ours), true}
	case l.Flag != "":
		return &UnknownColumns{fmt.Sprintf("%s; did you mean %s?", head, l.advice(ours, near)), true}
	}
	return &UnknownColumns{fmt.Sprintf("%s, which %s names as %s; did you mean %s?", head, l.option(), ours, l.advice(ours, near)), true}
}

// option is where the names of columns are given.
func (l Layout) option() string { return cmp.Or(l.Flag, "files.columns") }

// advice says how to name columns: pairs are our name and the file's.
func (l Layout) advice(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if l.Flag != "" {
			out = append(out, pairs[i]+"="+pairs[i+1])
			continue
		}
		out = append(out, pairs[i]+": "+yamlWord(pairs[i+1]))
	}
	if l.Flag == "" {
		return "files: {columns: {" + strings.Join(out, ", ") + "}}"
	}
	value := strings.Join(out, ",")
	if !shellWord.MatchString(value) {
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return l.Flag + " " + value
}

// noTitle is the error of a file none of whose columns is known as the title.
func (l Layout) noTitle(s survey) error {
	title := s.guess(titleWords, "")
	if title == "" {
		for _, n := range s.names {
			if s.bytes[n] > s.bytes[title] {
				title = n
			}
		}
	}
	word := "columns"
	if s.jsonl {
		word = "fields"
	}
	head := fmt.Sprintf("has the %s %s and none is called title", word, listed(s.names))
	theirs, named := l.Columns["title"]
	if field := cmp.Or(theirs, "title"); s.jsonl && slices.Contains(s.names, field) {
		return &UnknownColumns{fmt.Sprintf("has the field %s, and in no row it is a text, but empty, null, a list or an object", field), named}
	}
	if named {
		head = fmt.Sprintf("has the %s %s and none is called %s, which %s names as title", word, listed(s.names), theirs, l.option())
	}
	say := "say which one is:"
	if l.Flag != "" {
		say = "say"
	}
	if d := l.otherDelimiter(s.names); d != "" {
		return &UnknownColumns{fmt.Sprintf("has a header of one column, %s, by the delimiter %q; %s", listed(s.names), l.Delimiter, d), named}
	}
	if title == "" {
		return &UnknownColumns{fmt.Sprintf("%s; %s %s", head, say, l.advice("title", "NAME")), named}
	}
	pairs := []string{"title", title}
	if d := s.guess(descriptionWords, title); d != "" && !slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, "description") }) {
		pairs = append(pairs, "description", d)
	}
	return &UnknownColumns{fmt.Sprintf("%s; %s %s", head, say, l.advice(pairs...)), named}
}

// otherDelimiter says which delimiter a header of one column seems to have, where the
// layout says another one.
func (l Layout) otherDelimiter(names []string) string {
	if l.Format != CSV || len(names) != 1 || l.Delimiter == "" || l.Delimiter == text.Auto {
		return ""
	}
	for _, d := range []string{";", "\t", ",", "|"} {
		if !strings.Contains(names[0], d) {
			continue
		}
		if d == "\t" {
			d = "tab"
		}
		if l.Flag != "" {
			return fmt.Sprintf("is it %q?", d)
		}
		return fmt.Sprintf("is it delimiter: %q? auto finds it out", d)
	}
	return ""
}

// noHeader is the error of a csv file whose first record looks like a row.
func (l Layout) noHeader(first []string) error {
	longest := 0
	for i, text := range first {
		if len(text) > len(first[longest]) {
			longest = i
		}
	}
	return &UnknownColumns{text: fmt.Sprintf("has no header, its first row is %s; say by number which column is the title: %s", listed(first), l.advice("title", strconv.Itoa(longest+1)))}
}

// Names that columns of texts have, the likeliest first.
var (
	titleWords       = []string{"headline", "subject", "heading", "header", "title_text", "name", "text", "sentence", "message", "content", "body", "review", "comment", "question", "tweet", "post", "description", "summary"}
	descriptionWords = []string{"body", "text", "content", "message", "summary", "abstract", "details", "lead", "article", "comment", "review"}
)

// guess is the column whose name is the likeliest of some words; it is not but.
func (s survey) guess(words []string, but string) string {
	for _, w := range words {
		for _, n := range s.names {
			if n != but && strings.EqualFold(n, w) {
				return n
			}
		}
	}
	return ""
}

// listed is a list of names for a message, of which the first ones tell.
func listed(names []string) string {
	const most = 12
	var out []string
	for i, n := range names {
		if i == most {
			return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), len(names)-most)
		}
		if len(n) > 40 {
			n = strings.ToValidUTF8(n[:40], "") + "…"
		}
		if n == "" || strings.ContainsAny(n, ",\n\t") {
			n = strconv.Quote(n)
		}
		out = append(out, n)
	}
	return strings.Join(out, ", ")
}

// shellWord is what a shell takes as it is.
var shellWord = regexp.MustCompile(`^[\pL\pN_.,=:-]+$`)

var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_ .-]*$`)

// yamlWord is a name as a plan has it.
func yamlWord(name string) string {
	switch strings.ToLower(name) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return strconv.Quote(name)
	}
	if plainWord.MatchString(name) {
		return strings.TrimSpace(name)
	}
	return strconv.Quote(name)
}

// nearest is the name that a misspelt one was meant to be; it is empty if none is near.
func nearest(word string, names []string) string {
	best, least := "", 1+len(word)/3
	for _, n := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(n)); d <= least && d < len(n) {
			best, least = n, d-1
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
