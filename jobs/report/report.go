// Package report decides what people are shown of a run: what it was, how good
// its model is and why, what it cost, and from which bytes it came.
//
//   - report.go: the report, its sections, blocks, tables and cells
//   - build.go: a report of a run, with files for the sections of each kind of stage,
//     and of its cost and lineage
//   - format.go: numbers in words; clean.go: hostile texts made harmless
//   - document/: what the store keeps of a run, decoded
//   - chart/: lines and bars as SVG
//   - render/: HTML, Markdown, and tables for a terminal
//
// It reads what the store keeps of a run and nothing else, by the names that
// the documents have in JSON, so runs of older versions are shown as well:
// what a document does not hold, its section says.
package report

import "github.com/sprint-ml/sprint/jobs/report/chart"

// Report is what both renderings show.
type Report struct {
	Title    string // the plan's name
	Run      string
	State    string // in a few words
	Mark     Mark
	Lead     string // the result in a sentence or two
	Tiles    []Tile
	Facts    []Fact
	Sections []Section
}

// Mark says what to think of a value. Renderings add a sign, never colour alone.
type Mark string

// The marks.
const (
	None Mark = ""
	Good Mark = "good"
	Warn Mark = "warn"
	Bad  Mark = "bad"
	Dim  Mark = "dim"
)

// Tile is a figure that is to be seen first.
type Tile struct {
	Name, Value, Note string
	Mark              Mark
}

// Fact is a name and its value.
type Fact struct {
	Name  string
	Value Cell
}

// Section is a part of the report. Missing says why it shows less or nothing.
type Section struct {
	ID, Title string
	Intro     string
	Missing   []string
	Blocks    []Block
}

// Block is one of: a text, facts, a chart, a table. With Fold it is shown when
// asked for, and Blocks are what it folds.
type Block struct {
	Text   string
	Facts  []Fact
	Chart  *chart.Chart
	Table  *Table
	Fold   string
	Open   bool // is unfolded at first
	Narrow bool // may stand beside another
	Blocks []Block
}

// Table is rows of cells. Rows beyond what a reader can take are counted.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
	More    int // rows that were left out
}

// Column is the head of a table's column.
type Column struct {
	Name   string
	Number bool // aligned to the right
}

// Cell is a value of a table.
type Cell struct {
	Text string
	// Link is an http or https address, else empty.
	Link string
	Mark Mark
	// Code is set for digests, keys and words of a plan.
	Code bool
	// Heat shades a cell of a confusion matrix: 0 (none) to 5.
	Heat int
	Head bool // names its row
	Long bool // a sentence rather than a word
}

// limits of what is shown; the rest is counted.
const (
	maxRows     = 400 // of a table
	maxText     = 400 // runes of a text of the run's data
	maxErrors   = 8   // wrong answers of a category and a sort
	maxSegments = 25  // parts of a set
	maxCharts   = 60  // categories in one chart
)

// cut shortens a table to maxRows.
func (t *Table) cut() *Table {
	if len(t.Rows) > maxRows {
		t.More, t.Rows = len(t.Rows)-maxRows, t.Rows[:maxRows]
	}
	return t
}
