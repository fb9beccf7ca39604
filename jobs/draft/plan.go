package draft

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows"
)

// schemas is where editors find what they complete plan.yaml and taxonomy.yaml by.
const schemas = "https://raw.githubusercontent.com/sprint-ml/sprint/main/examples/"

// modeline is the line at the head of a file by which an editor knows its schema.
func modeline(schema string) string { return "# yaml-language-server: $schema=" + schemas + schema }

// plan is plan.yaml. path is that of the table, from the plan's folder.
func (p *problem) plan(path string) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", modeline("plan.schema.json"))
	line("# Made of %s by `sprint init`. Each stage is done once, and again when what it reads changes.", shownWord(filepath.Base(p.o.From)))
	line("name: %s", yamlWord(p.name()))
	line("taxonomy: taxonomy.yaml # the categories")
	line("stages:")
	line("  - name: fetch # reads the rows; paths are relative to this file")
	line("    with:")
	line("      source: files")
	line("      files:")
	line("        paths: [%s]", yamlPath(path))
	if by := p.t.delimiter(); by != "" {
		line("        delimiter: %s", by)
	}
	if e := p.t.encoding(); e != "" {
		line("        encoding: %s", yamlWord(e))
	}
	if columns := p.columnMap(); columns != "" {
		line("        columns: {%s} # what the table calls them, by our names", columns)
	}
	if share, unusable := p.maxBadRows(); unusable > 0 {
		line("        max_bad_rows: %s # share of rows that may be left out; %d of %s have no text or cannot be read", share, unusable, count(len(p.t.rows)+p.t.bad, "row"))
	}
	p.labelStage(line)
	line("  - name: split # near-duplicates stay on one side%s", when(p.hasGold(), ", and away from gold.csv"))
	r := p.ratios()
	line("    with: {ratios: {train: %g, val: %g, test: %g}, seed: 1%s}", r[0], r[1], r[2], when(p.largest() < fewestSpread, ", stratify: false"))
	p.trainStage(line)
	p.verifyStage(line)
	return []byte(b.String())
}

// Rows of one category that split can spread over three sides: fewer for equal val and test.
const (
	fewestSpread = 3
	easilySpread = 5
)

// ratios are the shares of train, val and test.
func (p *problem) ratios() [3]float64 {
	switch {
	case p.training() < fewRows || p.largest() < easilySpread: // a tenth of them may be no row, since stories stay whole
		return [3]float64{0.6, 0.2, 0.2}
	case !p.hasGold(): // test is what is measured on
		return [3]float64{0.6, 0.15, 0.25}
	}
	return [3]float64{0.75, 0.15, 0.1}
}

// largest is how many rows split gets of the category that has most, of all rows where none
// is labelled.
func (p *problem) largest() int {
	if p.labels == nil {
		return len(p.rows)
	}
	counts := make([]int, len(p.labels.names)+1) // the last is of no category
	for i, classes := range p.classes() {
		for _, c := range classes {
			if p.trains(i) {
				counts[c]++
			}
		}
	}
	return slices.Max(counts)
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

// columnMap is what the table calls our columns, where it is another name.
func (p *problem) columnMap() string {
	var out []string
	add := func(ours string, at int) {
		if at >= 0 && p.t.names[at] != ours {
			out = append(out, ours+": "+yamlWord(p.t.names[at]))
		}
	}
	add("title", p.columns.title)
	add("description", p.columns.description)
	add("id", p.columns.id)
	add("url", p.columns.url)
	add("language", p.columns.language)
	switch {
	case p.labels == nil:
	case p.columns.bits:
		for c, at := range p.labels.columns {
			if rows.Fold(p.t.names[at]) != p.labels.names[c] { // else label knows it by its name
				add(p.labels.names[c]+"_score", at)
			}
			if tag := p.labels.tagColumns[c]; tag >= 0 && rows.Fold(p.t.names[tag]) != p.labels.names[c]+"_tag" {
				add(p.labels.names[c]+"_tag", tag)
			}
		}
	default:
		add("label", p.columns.label[0])
	}
	return strings.Join(out, ", ")
}

// maxBadRows is the share of unusable rows that fetch has to allow, and how many they are;
// none if it allows them by itself. It is rounded up, so that a few rows more are no mistake.
func (p *problem) maxBadRows() (share string, unusable int) {
	const allowed = 0.01 // the default of files.max_bad_rows
	bad := p.untitled + p.t.bad
	of := float64(bad) / float64(len(p.t.rows)+p.t.bad)
	if of <= allowed {
		return "", 0
	}
	return fmt.Sprintf("%.2f", min(1, math.Floor(of*100+1)/100)), bad
}

func (p *problem) labelStage(line func(string, ...any)) {
	if p.labels == nil {
		line("  - name: label # by the rules of taxonomy.yaml; without labels of people they are all there is to learn from")
		line("    with: {source: [rules], rules: taxonomy}")
		return
	}
	line("  - name: label # as people did; [columns, rules] labels by the rules what they left open")
	line("    with:")
	line("      source: [columns]")
	if p.labels.separator != "" && p.labels.separator != ";" {
		line("      separator: %q # between several categories of a cell", p.labels.separator)
	}
	if len(p.labels.values) == 0 {
		return
	}
	line("      values: # categories by what the cells call them; \"\" is no label")
	for _, text := range slices.Sorted(maps.Keys(p.labels.values)) {
		name := p.labels.values[text]
		if name == "" {
			name = `""`
		}
		line("        %s: %s", yamlWord(text), name)
	}
}

// Steps that a fine-tuning of some hundred rows wants, and a batch.
const (
	steps     = 250
	batchSize = 16
	trainPart = 0.75
	fewRows   = 150 // that train
	longTexts = 50_000
)

// training counts the rows that train.
func (p *problem) training() int {
	n := 0
	for i := range p.rows {
		if p.labels == nil || p.trains(i) {
			n++
		}
	}
	return max(1, int(trainPart*float64(n)))
}

func (p *problem) trainStage(line func(string, ...any)) {
	if p.labels == nil {
		line("  - name: train # heads of a small BERT encoder, which find more than the rules that label the rows")
	} else {
		line("  - name: train # a small BERT encoder, fine-tuned")
	}
	line("    with:")
	p.encoderLines(line)
	if p.labels != nil {
		line("      pooling: mean # MiniLM is made for sentence vectors")
	}
	if p.columns.description >= 0 {
		line("      text: [title, description] # read as a pair")
	}
	if length := p.length(); length > 128 {
		line("      max_length: %d # tokens of a text at most; longer texts are cut, and cost more", length)
	}
	if p.labels != nil {
		p.fineTuning(line)
	}
	line("      seed: 1")
}

// epochs are the passes that give about as many steps as a fine-tuning wants.
func (p *problem) epochs() int {
	return min(max(int(math.Ceil(steps*batchSize/float64(p.training()))), 2), 15)
}

// long reports whether the fine-tuning reads so many texts that a processor takes an hour or
// more: two cores train on ten or twenty of them a second.
func (p *problem) long() bool { return p.training()*p.epochs() >= longTexts }

// fineTuning are options for labels of people: they are worth learning as they are.
func (p *problem) fineTuning(line func(string, ...any)) {
	n, epochs := p.training(), p.epochs()
	if p.long() {
		line("      # an hour or more without a GPU; `sprint run --set train.method=heads` reads each row once, and leaves the encoder as it is")
	}
	line("      epochs: %d # passes over about %s at most: it stops early when val gets no better", epochs, count(n, "row"))
	line("      batch_size: %d", batchSize)
	line("      learning_rate: 1.0e-4")
	line("      head_scale: 10 # new heads learn faster than the encoder")
}

// length is how many tokens of a text are read: 256 where one in four has more than 128.
func (p *problem) length() int {
	long := 0
	for i := range p.rows {
		if len(p.rows[i].words()) > 500 { // about four letters are a token
			long++
		}
	}
	if long*4 > len(p.rows) {
		return 256
	}
	return 128
}

func (p *problem) verifyStage(line func(string, ...any)) {
	if p.labels == nil {
		line("  - name: verify # on rows that did not train, labelled by the rules too: it says that the model learned them, not that they are right")
		line("    with:")
		line("      checks:")
		line("        - {id: micro_f1, set: test, min: 0.3}")
		line("# Label a hundred rows by hand in gold.csv, with the columns title and label, and let the model be measured on them")
		line("# before it is published: put `gold: gold.csv` above checks, {id: gain, set: gold, over: keywords, min: 0.02} below, and")
		line("#  - name: publish")
		line("#    with: {name: %s, alias: latest}", p.name())
		return
	}
	on := "gold"
	if !p.hasGold() {
		on = "test"
	}
	macro := p.averages(on == "gold")
	floor, gain := p.majority(on == "gold", macro), 0.05
	if floor > 0.5 {
		gain = 0.02
	}
	line("  - name: verify # on rows that did not train; these checks are low, raise them when you know what it reaches")
	line("    with:")
	if on == "gold" {
		line("      gold: gold.csv # %s of the table, labelled as they were; mend them by hand", count(p.goldRows(), "row"))
	}
	line("      checks:")
	if macro {
		line("        - {id: macro_f1, set: %s, min: %.2f} # one answer for all has %.2f", on, floor+4*gain*(1-floor), floor)
		line("        - {id: gain, set: %s, over: majority, min: %.2f}", on, gain)
		line("        # - {id: gain, set: %s, over: keywords, min: 0.02} # better than the rules of taxonomy.yaml", on)
	} else {
		line("        - {id: micro_f1, set: %s, min: %.2f} # one answer for all has %.2f; no category has the %d rows there that a macro-F1 wants", on, floor+4*gain*(1-floor), floor, goldOfEach)
	}
	line("  - name: publish # after the checks; `latest` then names this model")
	line("    with: {name: %s, alias: latest}", yamlWord(p.name()))
}

// averages reports whether a category has as many of the rows that are measured on, the gold
// part or test, as verify wants for a macro average.
func (p *problem) averages(gold bool) bool {
	_, counts := p.measured(gold)
	most := float64(slices.Max(counts))
	if !gold {
		most *= p.ratios()[2]
	}
	return most >= goldOfEach
}

// measured counts the labelled rows of the gold part, or of all, and those of each category.
func (p *problem) measured(gold bool) (n int, counts []int) {
	counts = make([]int, len(p.labels.names))
	for i := range p.rows {
		if !p.rows[i].labelled || gold && !p.gold[i] {
			continue
		}
		n++
		for _, c := range p.rows[i].categories {
			counts[c]++
		}
	}
	return n, counts
}

// majority is the F1 of one answer for all rows, of the gold part or of all: a category of
// more than half of the rows, or with one label the most frequent one. It is averaged over
// the categories, or not macro over the answers.
func (p *problem) majority(gold, macro bool) float64 {
	n, counts := p.measured(gold)
	sum, right, answers, labels, most := 0.0, 0, 0, 0, slices.Max(counts)
	for _, x := range counts {
		labels += x
		if p.labels.single && x == most && answers == 0 || !p.labels.single && 2*x > n {
			sum += 2 * float64(x) / float64(n+x)
			right, answers = right+x, answers+n
		}
	}
	if !macro {
		return 2 * float64(right) / float64(max(1, answers+labels))
	}
	return sum / float64(len(counts))
}
