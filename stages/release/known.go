package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/storage/models"
)

// mostKnown is how many names or versions a message lists.
const mostKnown = 10

// Known says what there is of a model that somebody asked for in vain: its versions, the
// newest first, with their aliases, or the models that a store has. What cannot be read
// is left out.
func Known(ctx context.Context, r models.Registry, name string) string {
	var releases []models.Release
	if models.ValidName(name) {
		releases, _ = r.Releases(ctx, name) // the readable ones
	}
	if len(releases) > 0 {
		aliases, _ := r.Aliases(ctx, name) // the readable ones
		var there []string
		for _, release := range slices.Backward(releases) {
			text := fmt.Sprint(release.Version)
			if names := aliases[release.Version]; len(names) > 0 {
				text += " (" + strings.Join(names, ", ") + ")"
			}
			there = append(there, text)
		}
		return "there are: version " + some(there)
	}
	names, _ := r.Names(ctx)
	if slices.Contains(names, name) {
		return fmt.Sprintf("no release of %s can be read: `sprint store check` says what is damaged and what mends it", name)
	}
	if near, ok := diagnostic.Nearest(name, names); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if len(names) == 0 {
		return "the store has no models: `sprint run` of a plan with a publish stage makes them"
	}
	return "there are: " + some(names)
}

func some(list []string) string {
	text := strings.Join(list[:min(len(list), mostKnown)], ", ")
	if len(list) > mostKnown {
		text += fmt.Sprintf(" and %d more", len(list)-mostKnown)
	}
	return text
}
