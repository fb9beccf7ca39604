// Package all lists the kinds that sprint knows.
package all

import (
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/aggregate"
	"github.com/sprint-ml/sprint/stages/classify"
	"github.com/sprint-ml/sprint/stages/command"
	"github.com/sprint-ml/sprint/stages/fetch"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/prune"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/train"
	"github.com/sprint-ml/sprint/stages/verify"
)

// All returns the kinds in the order in which a plan usually names them.
func All() stages.Registry {
	return stages.Registry{fetch.Kind(), label.Kind(), split.Kind(), train.Kind(), prune.Kind(), verify.Kind(), publish.Kind(), classify.Kind(), aggregate.Kind(), command.Kind()}
}
