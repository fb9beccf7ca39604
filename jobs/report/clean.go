package report

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// link returns an address that may be opened, or nothing: http and https alone,
// since rows come from strangers.
func link(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(raw) > 2000 {
		return ""
	}
	return u.String()
}

// text makes what comes from data fit to be shown: no control characters, none
// that turn the direction of what follows, and not too much of it.
func text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if n := 0; len(s) > maxText {
		for i := range s {
			if n++; n > maxText {
				return s[:i] + "…"
			}
		}
	}
	return s
}

// clean applies text to all that a report holds, and numbers its charts.
func (r *Report) clean() {
	for _, s := range []*string{&r.Title, &r.Run, &r.State, &r.Lead} {
		*s = text(*s)
	}
	for i := range r.Tiles {
		t := &r.Tiles[i]
		t.Name, t.Value, t.Note = text(t.Name), text(t.Value), text(t.Note)
	}
	cleanFacts(r.Facts)
	charts := 0
	for i := range r.Sections {
		s := &r.Sections[i]
		s.Title, s.Intro = text(s.Title), text(s.Intro)
		for k := range s.Missing {
			s.Missing[k] = text(s.Missing[k])
		}
		cleanBlocks(s.Blocks, &charts)
	}
}

func cleanFacts(facts []Fact) {
	for i := range facts {
		facts[i].Name, facts[i].Value.Text = text(facts[i].Name), text(facts[i].Value.Text)
	}
}

func cleanBlocks(blocks []Block, charts *int) {
	for i := range blocks {
		b := &blocks[i]
		b.Text, b.Fold = text(b.Text), text(b.Fold)
		cleanFacts(b.Facts)
		if t := b.Table; t != nil {
			t.Caption = text(t.Caption)
			for k := range t.Columns {
				t.Columns[k].Name = text(t.Columns[k].Name)
			}
			for _, row := range t.Rows {
				for k := range row {
					row[k].Text = text(row[k].Text)
				}
			}
		}
		if c := b.Chart; c != nil {
			*charts++
			c.ID, c.Title, c.Desc = fmt.Sprintf("c%d", *charts), text(c.Title), text(c.Desc)
			for k := range c.Shapes {
				c.Shapes[k].Text = text(c.Shapes[k].Text)
			}
		}
		cleanBlocks(b.Blocks, charts)
	}
}
