package label

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// gold reads the gold part, without the rows that verify scores, and parts the
// articles from it.
func (s *stage) gold(ctx context.Context, t *taxonomy.Taxonomy, articles []rows.Row, count *goldCount) (gold, rest []rows.Row, err error) {
	g, err := rows.OpenGold(ctx, s.env.Files, s.o.Gold, t.Names())
	if err != nil {
		return nil, nil, err
	}
	gold = g.Rows
	if s.o.Scored != "" {
		scored, err := rows.OpenGold(ctx, s.env.Files, s.o.Scored, t.Names())
		if err != nil {
			return nil, nil, err
		}
		gold, count.Scored = dedup.RemoveOverlap(gold, scored.Rows)
		if count.Scored > 0 {
			s.env.Log.Warn("rows of the gold part meet the gold set that verify scores: left out", slog.Int("rows", count.Scored), slog.Int("kept", len(gold)))
		}
	}
	if len(gold) == 0 {
		return nil, nil, stages.Fail(stages.CodeStage, "set other rows aside for it", "every row of the gold part %s is also in %s, which verify scores", s.o.Gold, s.o.Scored)
	}
	rest, count.Removed = dedup.RemoveOverlap(articles, gold)
	count.Rows = len(gold)
	s.env.Note("gold_rows_removed", count.Removed)
	if len(rest) == 0 {
		return nil, nil, stages.Fail(stages.CodeStage, "fetch rows that are not in the gold part", "all %d rows are in the gold part %s, which never trains", len(articles), s.o.Gold)
	}
	return gold, rest, nil
}
