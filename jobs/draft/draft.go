// Package draft makes the first plan of a problem from a table of texts: what the table
// holds, which columns are the text and the labels, the categories, a gold part that never
// trains, and files that run as they are.
//
// draft.go goes from the table to the files. survey.go reads the table, doubt.go refuses
// one that seems to be written otherwise, columns.go chooses columns by the names of
// names.go, labels.go reads categories from what stands in them, gold.go sets the gold part
// aside, suggest.go finds words for rules. encoder.go tells rows that
// its encoder does not read, plan.go and taxonomy.go write the files.
package draft

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// Options say what of a table is what; the zero value leaves all to the table.
type Options struct {
	// From is the path of the table, Folder where the plan will stand.
	From, Folder string
	// Delimiter and Encoding are those of the table, as a plan has them; empty is found out.
	Delimiter, Encoding string
	// Text, Description and ID are names of columns.
	Text, Description, ID string
	// Label is the column of labels, or several with 0 and 1, one for each category;
	// None says that no column is.
	Label []string
	// Separator stands between the categories of a cell. Empty is found out.
	Separator string
	// Labels is single or multi; empty is found out.
	Labels string
	// Gold is the share of the labelled rows that is set aside to measure on.
	Gold float64
	// MinRows is how many rows a category needs; labels of fewer are left out.
	MinRows int
	// Ask asks which columns are meant where no option says so; nil asks nothing.
	Ask Ask
}

// Ask asks for a choice and returns the answer, that proposed if there is none. choices are
// for people; flag is the option that answers it without being asked.
type Ask func(question, flag, proposed string, choices []string) (string, error)

// None is the answer that no column is meant.
const None = "none"

// Draft is what is to be written, and what there is to say about it.
type Draft struct {
	// Said are sentences on what the table holds and what was made of it.
	Said []string
	// Files are the texts of the files by their names.
	Files map[string][]byte
}

// New makes the draft of a plan.
func New(o Options) (*Draft, error) {
	t, err := readTable(&o)
	if err != nil {
		return nil, err
	}
	c, err := chooseColumns(t, &o)
	if err != nil {
		return nil, err
	}
	p := &problem{o: o, t: t, columns: c}
	if len(c.label) > 0 {
		if err := p.readLabels(); err != nil {
			return nil, err
		}
	}
	p.gather()
	p.setGoldAside()
	return p.write()
}

// problem is what a draft is made of.
type problem struct {
	o       Options
	t       *surveyed
	columns columns
	labels  *labels // nil: no row is labelled
	rows    []text
	gold    []bool // of rows
	// untitled counts the table's rows without a text.
	untitled int
}

// text is a row as far as a draft needs it.
type text struct {
	title, description, id, url string
	categories                  []int
	labelled                    bool
	tags                        map[int]string // by category, where it has one
}

func (r *text) words() string { return r.title + " " + r.description }

// gather takes the texts of the table with their labels.
func (p *problem) gather() {
	for i, cells := range p.t.rows {
		r := text{title: cell(cells, p.columns.title), description: cell(cells, p.columns.description), id: cell(cells, p.columns.id), url: cell(cells, p.columns.url)}
		if titles.Normalize(r.title) == "" {
			p.untitled++
			continue
		}
		if p.labels != nil {
			r.categories, r.labelled = p.labels.of[i].categories, p.labels.of[i].known
			for c, at := range p.labels.tagColumns {
				if tag := strings.TrimSpace(cell(cells, at)); tag != "" && slices.Contains(r.categories, c) {
					if r.tags == nil {
						r.tags = map[int]string{}
					}
					r.tags[c] = tag
				}
			}
		}
		p.rows = append(p.rows, r)
	}
}

func cell(cells []string, at int) string {
	if at < 0 || at >= len(cells) {
		return ""
	}
	return cells[at]
}

// write makes the files.
func (p *problem) write() (*Draft, error) {
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	d := &Draft{Files: map[string][]byte{"plan.yaml": p.plan(path)}}
	if p.labels == nil {
		d.Files["taxonomy.yaml"] = p.frame()
	} else {
		d.Files["taxonomy.yaml"] = p.taxonomy()
	}
	if p.hasGold() {
		if d.Files["gold.csv"], err = p.goldFile(); err != nil {
			return nil, err
		}
	}
	d.Said = p.say()
	return d, nil
}

// path is that of the table as the plan names it.
func (p *problem) path() (string, error) {
	from, err := filepath.Abs(p.o.From)
	if err != nil {
		return "", err
	}
	folder, err := filepath.Abs(p.o.Folder)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(from, "*?[\\") && filepath.Separator == '/' {
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("%s: a path with * ? [ or \\ is a pattern in a plan", p.o.From), Hint: "give the file another name"}
	}
	if rel, err := filepath.Rel(folder, from); err == nil {
		return filepath.ToSlash(rel), nil
	}
	return filepath.ToSlash(from), nil
}

var noName = regexp.MustCompile(`[^a-z0-9]+`)

// name is that of the plan and of its model: the folder's, or where that says nothing the
// table's.
func (p *problem) name() string {
	base := func(path string) string {
		path, err := filepath.Abs(path)
		if err != nil {
			return ""
		}
		return strings.Trim(noName.ReplaceAllString(strings.ToLower(plainLetters(filepath.Base(path))), "-"), "-")
	}
	table := strings.TrimSuffix(filepath.Base(p.o.From), ".gz")
	for _, name := range []string{base(p.o.Folder), base(strings.TrimSuffix(table, filepath.Ext(table)))} {
		if name = strings.TrimLeft(name, "0123456789-"); name != "" {
			return name[:min(len(name), 60)]
		}
	}
	return "model"
}
