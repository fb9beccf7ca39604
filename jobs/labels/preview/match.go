package preview

import (
	"context"

	"github.com/sprint-ml/sprint/ml/keywords"
)

// matcher applies the rules to what is asked for.
type matcher struct {
	ctx   context.Context
	o     Options
	rules *keywords.Matcher
	res   keywords.Result
}

// text matches a text and says what fired.
func (p *matcher) text(title, description string) Text {
	p.rules.Match(&p.res, title, description)
	return p.result(title, description)
}

// result puts the last result into words.
func (p *matcher) result(title, description string) Text {
	t := p.rules.Taxonomy()
	out := Text{Title: title, Description: description, Categories: map[string]Label{}, Fired: []Hit{}}
	for c, score := range p.res.Scores {
		if score > 0 {
			name := t.Categories[c].Name
			out.Categories[name] = Label{score, t.Categories[c].Tags[p.res.Tags[c]]}
			out.Of = append(out.Of, name)
		}
	}
	hit := func(h keywords.Hit, reason string) Hit {
		r := &t.Rules[h.Rule]
		c := &t.Categories[r.Category]
		field, text := "title", title
		if h.Field == 1 {
			field, text = "description", description
		}
		return Hit{Rule: c.Name + ":" + r.ID, Tag: c.Tags[r.Tag], Weight: r.Weight, Field: field, Start: h.Start, End: h.End, Words: text[h.Start:h.End], Reason: reason}
	}
	for _, h := range p.res.Fired {
		out.Fired = append(out.Fired, hit(h, ""))
		out.Of = append(out.Of, out.Fired[len(out.Fired)-1].Rule)
	}
	for _, d := range p.res.Dropped {
		out.Dropped = append(out.Dropped, hit(d.Hit, d.Reason))
	}
	return out
}
