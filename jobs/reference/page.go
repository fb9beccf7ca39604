// Package reference makes the pages that explain what plans, taxonomies, configs and gold
// sets may say. They are made of the values that the parsers read: page.go lists them and
// what each holds, write.go writes one as text and as Markdown.
package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/stages"
)

// Page explains one thing.
type Page struct {
	Name    string // plan, taxonomy, config, gold, a kind, or KIND.TOPIC
	Title   string
	Text    string // paragraphs; lines that begin with two spaces stand as they are
	Example string // YAML, or empty
	Fields  []options.Field
	Parts   []string // names of the pages of its topics
	// Schema is the JSON Schema (draft 2020-12) of what the page explains; nil if it has
	// none of its own.
	Schema map[string]any
}

// Pages are all pages: files first, then kinds in the order of the registry, each with
// its topics. more are pages of files that only the caller knows.
func Pages(registry stages.Registry, more ...Page) []Page {
	pages := append([]Page{planPage(registry), configPage()}, more...)
	for _, k := range registry {
		page := Page{
			Name: k.Name, Title: fmt.Sprintf("%s (version %d)", k.Name, k.Version), Text: k.Doc, Example: k.Example,
			Fields: options.Reference(k.Options()), Schema: options.Schema(k.Options()),
		}
		var topics []Page
		for _, t := range k.Topics {
			topic := Page{Name: k.Name + "." + t.Name, Title: fmt.Sprintf("%s of %s: %s", t.Of, k.Name, t.Name), Text: t.Doc, Example: t.Example, Fields: below(page.Fields, t.Options)}
			page.Parts = append(page.Parts, topic.Name)
			topics = append(topics, topic)
		}
		pages = append(append(pages, page), topics...)
	}
	return pages
}

// below are the fields of a map of options.
func below(fields []options.Field, path string) []options.Field {
	var out []options.Field
	for _, f := range fields {
		if path != "" && strings.HasPrefix(f.Path, path+".") {
			out = append(out, f)
		}
	}
	return out
}

// Names lists the names of pages.
func Names(pages []Page) []string {
	out := make([]string, len(pages))
	for i, p := range pages {
		out[i] = p.Name
	}
	return out
}

// The keys of a plan are explained in this order.
var (
	planKeys     = []string{"name", "taxonomy", "stages", "refresh"}
	refreshKeys  = []string{"max_age", "drift", "f1_drop", "rows", "cooldown", "min_change", "min_change_corrections"}
	stageKeys    = []string{"name", "kind", "needs", "inputs", "with", "retry", "timeout", "resources"}
	retryKeys    = []string{"network", "store", "machine", "interruptions", "failure", "wait"}
	resourceKeys = []string{"device", "gpus", "gpu_type", "cpu", "memory", "disk", "preemptible", "on_demand_after"}
)

func planPage(registry stages.Registry) Page {
	var kinds []config.KindSchema
	for _, k := range registry {
		kinds = append(kinds, config.KindSchema{Name: k.Name, Doc: k.Doc, Options: k.Options()})
	}
	schema := config.PlanSchema(kinds)
	properties := schema["properties"].(map[string]any) //nolint:forcetypeassert // made two lines above
	stage := properties["stages"].(map[string]any)["items"].(map[string]any)["properties"].(map[string]any)
	page := Page{
		Name: "plan", Title: "plan", Schema: schema,
		Text: `What is to be done: stages, in order, with their options. A plan is code: whoever
writes it chooses programs and files. Paths in it are relative to it. Options may be
set from outside, strongest first: --set stage.option=value, SPRINT_SET_STAGE__OPTION,
--values FILE, the plan, the default.
The kinds of stages: ` + strings.Join(registry.Names(), ", ") + `.`,
		Example: "name: news\ntaxonomy: taxonomy.yaml\nstages:\n  - name: fetch\n    with: {source: files, files: {paths: [articles.jsonl]}}\n  - name: label\n  - name: split\n  - name: train\n  - name: verify\n    with: {gold: gold.csv}\n  - name: publish\n    with: {name: news}\n",
	}
	page.Fields = append(fieldsOf("", properties, planKeys), fieldsOf("stages[].", stage, stageKeys)...)
	retry := stage["retry"].(map[string]any)["anyOf"].([]any)
	page.Fields = slices.Concat(page.Fields,
		fieldsOf("refresh.", properties["refresh"].(map[string]any)["properties"].(map[string]any), refreshKeys),
		fieldsOf("stages[].retry.", retry[len(retry)-1].(map[string]any)["properties"].(map[string]any), retryKeys),
		fieldsOf("stages[].resources.", stage["resources"].(map[string]any)["properties"].(map[string]any), resourceKeys))
	return page
}

// fieldsOf explains properties of a schema; those that order does not name come last.
func fieldsOf(prefix string, properties map[string]any, order []string) []options.Field {
	var out []options.Field
	for _, name := range slices.Concat(order, slices.DeleteFunc(slices.Sorted(maps.Keys(properties)), func(n string) bool { return slices.Contains(order, n) })) {
		p, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		doc, _ := p["description"].(string)
		silent := ""
		if v, ok := p["default"]; ok {
			silent = fmt.Sprint(v)
		}
		out = append(out, options.Field{Path: prefix + name, Type: typeOf(p), Default: silent, Doc: doc})
	}
	return out
}

// typeOf says in words what a schema allows.
func typeOf(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return map[string]string{"string": "text", "object": "map", "array": "list", "boolean": "true or false", "integer": "whole number"}[t] + map[string]string{"number": "number"}[t]
	case []any:
		return "text"
	}
	if s["enum"] != nil {
		return "word"
	}
	return "one of several forms"
}

func configPage() Page {
	own := options.Schema(&config.Config{})
	schema := options.Schema(&config.Config{})
	schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", "sprint config"
	schema["properties"].(map[string]any)["profiles"] = map[string]any{ //nolint:forcetypeassert // options.Schema makes one
		"type": "object", "additionalProperties": own, "description": "sections of the same options by name; --profile chooses one",
	}
	return Page{
		Name: "config", Title: "config (sprint.yaml)", Schema: schema, Fields: options.Reference(&config.Config{}),
		Text: `Where plans are run, and how it is shown; it changes no result. Strongest first: flags,
SPRINT_* variables, the section of --profile, the file of --config or sprint.yaml beside
the plan or in the working directory, the user's own file
($XDG_CONFIG_HOME/sprint/config.yaml), defaults. A sprint.yaml that is found and not
named sets neither cache, endpoints nor keys: they load code or hold trust.`,
		Example: "store: s3://bucket/prefix\nparallel: 4\nprofiles:\n  ci: {output: github, offline: true}\n",
	}
}
