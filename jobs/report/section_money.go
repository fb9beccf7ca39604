package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// moneySection is what the run paid, try by try; nothing if nothing of it had a price.
func moneySection(s *document.Source) []Section {
	if s.Cost == nil {
		return nil
	}
	out := Section{Title: "Cost", Intro: "What the tries of this run paid for machines, from when one was given until it was taken back, and for answers of models. Work that was taken from an earlier run was paid there."}
	t := &Table{Caption: "Tries that were paid for", Columns: []Column{{"stage", false}, {"try", true}, {"end", false}, {"held", true}, {"an hour", true}, {"price by", false}, {"answers", true}, {"cost", true}}}
	optional := func(a money.Amount) Cell {
		if a <= 0 {
			return Cell{}
		}
		return Cell{Text: a.Show()}
	}
	for _, st := range s.Stages {
		if st.Cost == nil {
			continue
		}
		for _, x := range st.Cost.Tries {
			held := ""
			if x.Seconds > 0 {
				held = time.Duration(clampTo(x.Seconds, 1e9) * float64(time.Second)).Round(time.Millisecond).String()
			}
			t.Rows = append(t.Rows, []Cell{
				{Text: st.Name, Head: true}, {Text: strconv.Itoa(x.Attempt)}, {Text: x.State.String(), Mark: stateMark(x.State)}, {Text: held},
				optional(x.PerHour), {Text: x.Basis}, optional(x.Calls), {Text: x.Total.Show()},
			})
		}
		if len(st.Cost.Tries) > 1 {
			t.Rows = append(t.Rows, []Cell{{Text: st.Name, Head: true}, {}, {Text: "in all"}, {}, {}, {}, optional(st.Cost.Calls), {Text: st.Cost.Total.Show()}})
		}
	}
	facts := []Fact{{"The run", Cell{Text: money.Price{Amount: s.Cost.Total, Currency: s.Cost.Currency}.String()}}}
	if s.Cost.Most > 0 {
		facts = append(facts, Fact{"max_cost", Cell{Text: money.Price{Amount: s.Cost.Most, Currency: s.Cost.Currency}.String()}})
	}
	for _, name := range s.Cost.Ended {
		for _, st := range s.Stages {
			if st.Name == name {
				facts = append(facts, Fact{"Ended early", Cell{Text: fmt.Sprintf("%s: %s", name, st.Reason), Mark: Warn}})
			}
		}
	}
	out.Blocks = append(out.Blocks, Block{Facts: facts})
	if len(t.Rows) > 0 {
		out.Blocks = append(out.Blocks, Block{Table: t.cut()})
	}
	return []Section{out}
}
