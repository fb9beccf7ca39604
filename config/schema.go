package config

import (
	"encoding/json"
	"strings"

	"github.com/sprint-ml/sprint/config/options"
)

// KindSchema is what the schema needs of a kind of stage.
type KindSchema struct {
	Name    string
	Doc     string
	Options any // pointer to the options struct
}

// Schema returns PlanSchema as a file.
func Schema(kinds []KindSchema) ([]byte, error) {
	return json.MarshalIndent(PlanSchema(kinds), "", "  ")
}

// PlanSchema is the JSON Schema (draft 2020-12) of a plan with the options of all kinds.
// Editors use it; it is generated from the same tags that Decode reads.
func PlanSchema(kinds []KindSchema) map[string]any {
	name := map[string]any{"type": "string", "pattern": namePattern}
	names := make([]any, len(kinds))
	var rules []any
	for i, k := range kinds {
		names[i] = k.Name
		with := options.Schema(k.Options)
		summary, _, _ := strings.Cut(k.Doc, "\n")
		with["description"] = summary
		byKind := map[string]any{"properties": map[string]any{"kind": map[string]any{"const": k.Name}}, "required": []any{"kind"}}
		byName := map[string]any{"properties": map[string]any{"name": map[string]any{"const": k.Name}}, "not": map[string]any{"required": []any{"kind"}}}
		rules = append(rules, map[string]any{
			"if":   map[string]any{"anyOf": []any{byKind, byName}},
			"then": map[string]any{"properties": map[string]any{"with": with}},
		})
	}
	stage := map[string]any{
		"type": "object", "additionalProperties": false, "required": []any{"name"},
		"properties": map[string]any{
			"name":      map[string]any{"type": "string", "pattern": namePattern, "description": "Of the stage; unique in the plan."},
			"kind":      map[string]any{"enum": names, "description": "What the stage does; its name by default."},
			"needs":     map[string]any{"type": []any{"array", "string"}, "items": name, "description": "Stages that come first; the one before by default."},
			"inputs":    map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string", "pattern": inputPattern}, "description": "Settles which stage makes an input, {test: split.test}."},
			"with":      map[string]any{"type": "object", "description": "Options of the kind."},
			"retry":     retrySchema(),
			"timeout":   options.DurationSchema("Ends an attempt."),
			"resources": map[string]any{"type": "object", "additionalProperties": false, "description": "What the machine must have.", "properties": resourcesSchema()},
		},
		"allOf": rules,
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "sprint plan",
		"type":    "object", "additionalProperties": false, "required": []any{"name", "stages"},
		"properties": map[string]any{
			"name":     map[string]any{"type": "string", "pattern": namePattern, "description": "Of the plan, in lists of runs."},
			"taxonomy": map[string]any{"type": "string", "description": "File of categories, tags and rules, relative to the plan."},
			"refresh":  refreshSchema(),
			"stages":   map[string]any{"type": "array", "minItems": 1, "items": stage, "description": "What is done, in order."},
		},
	}
}

// refreshSchema describes when a model is trained anew.
func refreshSchema() map[string]any {
	out := options.Schema(new(Refresh))
	out["description"] = "When `sprint refresh` trains, and what it promotes."
	return out
}

// resourcesSchema describes what a stage may demand.
func resourcesSchema() map[string]any {
	size := func(text string) map[string]any {
		return map[string]any{"type": []any{"string", "integer"}, "description": text}
	}
	return map[string]any{
		"device":          map[string]any{"type": "string", "description": "auto, cpu, cuda or go; a demand."},
		"gpus":            map[string]any{"type": "integer", "minimum": 0, "description": "GPUs."},
		"gpu_type":        map[string]any{"type": "string", "description": "Their type, as executors offer it."},
		"cpu":             map[string]any{"type": "integer", "minimum": 0, "description": "Cores."},
		"memory":          size("Memory, 64GB."),
		"disk":            size("Disk, 200GB."),
		"preemptible":     map[string]any{"type": "boolean", "default": false, "description": "The machine may be taken away again: cheaper, for stages with checkpoints."},
		"on_demand_after": map[string]any{"type": "integer", "minimum": 0, "maximum": 100, "default": defaultOnDemandAfter, "description": "Interruptions after which a preemptible stage goes to machines that stay; 0 is never."},
	}
}

// retrySchema describes both forms of retry.
func retrySchema() map[string]any {
	silent := defaultRetry()
	tries := func(standard int, text string) map[string]any {
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 100, "default": standard, "description": text}
	}
	wait := options.DurationSchema("Before the first further try; doubled for each one after it.")
	wait["default"] = silent.Wait.String()
	return map[string]any{
		"description": "Further tries of an attempt: a number for network, store, machine and interruptions alike, or a map of budgets.",
		"anyOf": []any{
			map[string]any{"type": "integer", "minimum": 0, "maximum": 100},
			map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
				"network":       tries(silent.Network, "When a source or registry did not answer."),
				"store":         tries(silent.Store, "When the store did not answer."),
				"machine":       tries(silent.Machine, "When the process that did the work is gone."),
				"failure":       tries(silent.Failure, "When the stage failed by itself, with code 1 or 8."),
				"interruptions": tries(silent.Interruptions, "When the place took the machine away."),
				"wait":          wait,
			}},
		},
	}
}
