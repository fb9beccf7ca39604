package taxonomy

// field is a key of a map in a taxonomy file. Its form is one of those that formSchema
// knows.
type field struct{ name, form, doc string }

// The keys of each map, in the order in which they are explained. The parser takes
// exactly these.
var (
	fileFields = []field{
		{"categories", "categories", "what a text can be about"},
		{"labels", "labels", "how many categories a text has: multi, the default, any number; single, one or none"},
		{"negation", "negation", "words that undo a rule's words behind them: no fire"},
		{"strict", "truth", "warnings are errors; false by default"},
	}
	negationFields = []field{
		{"words", "words", "words that negate, such as no, not, without; required"},
		{"not", "words", "phrases that look like a negation and are none, such as not only"},
		{"within", "within", "how many words behind one of them a hit is undone, in the same clause; 3 by default"},
	}
	categoryFields = []field{
		{"name", "name", "its name in columns and answers: a-z, 0-9 and _, beginning with a letter; required"},
		{"doc", "text", "what it is about, in a sentence; an encoder that labels reads it, and so does a chat model"},
		{"tags", "words", "what a text of the category may be in particular"},
		{"negatable", "truth", "whether a negation undoes its rules; true by default"},
		{"rules", "rules", "what makes a text belong to it; the strongest rule that fires decides. By language, {sv: [...], en: [...]}, a rule fires on texts of its language alone, those of mul on all"},
	}
	ruleFields = []field{
		{"id", "text", "its name in reports and keys; rule-N by default"},
		{"tag", "text", "the tag that it gives, one of the category's"},
		{"weight", "weight", "how strongly it speaks for the category, above 0 to 1; below 0 to -1 against it; 1 by default"},
		{"words", "words", "words, or phrases, that stand alone: fire is not in fireworks"},
		{"phrases", "words", "the same as words"},
		{"prefixes", "words", "beginnings of words: elect is in elections"},
		{"suffixes", "words", "ends of words: quake is in earthquake"},
		{"compounds", "words", "beginnings or ends of words, with at least three letters beside them: brand is in storbrand"},
		{"parts", "words", "the same anywhere in a word"},
		{"not", "forms", "voids the rule if it is anywhere in the text"},
		{"except", "forms", "voids the hits that it overlaps: fire, except [fire sale]"},
		{"negatable", "truth", "whether a negation undoes it; as its category by default"},
	}
	formFields = []field{
		{"words", "words", "as in a rule"}, {"prefixes", "words", "as in a rule"}, {"suffixes", "words", "as in a rule"},
		{"compounds", "words", "as in a rule"}, {"parts", "words", "as in a rule"},
	}
)

// keys are the names of fields.
func keys(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// Example is a taxonomy with all that is common in one.
const Example = `negation: {words: [no, not, without], not: [not only], within: 3}
categories:
  - name: emergencies
    doc: Fires, floods, accidents and those who help.
    tags: [fire, flood]
    rules:
      - {id: fire, tag: fire, words: [fire, blaze, house on fire], suffixes: [fires], except: [fire sale]}
      - {id: flood, tag: flood, prefixes: [flood], weight: 0.8}
      - {id: drill, words: [drill, exercise], weight: -0.5}
  - name: sports
    rules:
      - {words: [goal, cup, coach], not: [coffee cup]}
`

// Schema is the JSON Schema (draft 2020-12) of a taxonomy file. It is made of the keys
// that the parser takes.
func Schema() map[string]any {
	s := object(fileFields, "categories")
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", "taxonomy of sprint"
	return s
}

func object(fields []field, required ...any) map[string]any {
	properties := map[string]any{}
	for _, f := range fields {
		s := formSchema(f.form)
		s["description"] = f.doc
		properties[f.name] = s
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func formSchema(form string) map[string]any {
	switch form {
	case "categories":
		return map[string]any{"type": "array", "minItems": 1, "items": object(categoryFields, "name")}
	case "rules":
		list := map[string]any{"type": "array", "items": object(ruleFields)}
		by := map[string]any{"type": "object", "minProperties": 1, "propertyNames": map[string]any{"pattern": languagePattern}, "additionalProperties": list}
		return map[string]any{"anyOf": []any{list, by}}
	case "negation":
		return object(negationFields, "words")
	case "forms":
		words := formSchema("words")
		return map[string]any{"anyOf": []any{words, object(formFields)}}
	case "words":
		text := map[string]any{"type": []any{"string", "number"}}
		return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}
	case "labels":
		return map[string]any{"enum": []any{"multi", "single"}}
	case "truth":
		return map[string]any{"type": "boolean"}
	case "within":
		return map[string]any{"type": "integer", "minimum": 1, "maximum": maxWithin}
	case "weight":
		return map[string]any{"type": "number", "minimum": -1, "maximum": 1, "not": map[string]any{"const": 0}}
	case "name":
		return map[string]any{"type": "string", "pattern": categoryPattern}
	}
	return map[string]any{"type": []any{"string", "number"}}
}

// Doc explains a taxonomy file.
const Doc = `Categories, the tags that a text of each may carry, and the rules that label texts: one
file, shared by label, train, verify and classify. Case does not matter, accents do; a
word is a run of letters and digits and stands for itself alone: list other forms beside
it, or what they begin with as prefixes. Of the rules of a category that fire the
strongest decides; one with a weight below 0 speaks against it. Rules may stand by
language, as primary subtags of BCP 47 (sv, no, fi): a row's language is that of its
column language, else what its letters say, and a row of a language without rules gets no
label from them.`

// Key explains one key of a taxonomy file.
type Key struct {
	Path string // dotted; [] is an item of a list
	Type string // in words
	Doc  string
}

// Keys are all keys of a taxonomy file, outer ones first.
func Keys() []Key {
	var out []Key
	for _, part := range []struct {
		prefix string
		fields []field
	}{{"", fileFields}, {"negation.", negationFields}, {"categories[].", categoryFields}, {"categories[].rules[].", ruleFields}} {
		for _, f := range part.fields {
			out = append(out, Key{part.prefix + f.name, formWord(f.form), f.doc})
		}
	}
	return out
}

// formWord is what a form is called.
func formWord(form string) string {
	switch form {
	case "words":
		return "a word or a list"
	case "forms":
		return "a list, or a map of words, prefixes, suffixes, compounds and parts"
	case "truth":
		return "true or false"
	case "labels":
		return "multi or single"
	case "within", "weight":
		return "number"
	case "categories":
		return "list of maps"
	case "rules":
		return "list of maps, or a map of such lists by language"
	case "negation":
		return "map"
	}
	return "text"
}
