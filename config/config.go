package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Config says where and how plans are run. It never changes a result.
type Config struct {
	Store     string        `yaml:"store" default:".sprint/store" doc:"Where artifacts and runs are kept: a folder or a file://, s3://, gs:// URL."`
	Executor  string        `yaml:"executor" default:"local" enum:"local" doc:"How attempts are executed."`
	Device    string        `yaml:"device" default:"auto" doc:"Narrows the device of all stages: auto, cpu, cuda, go or another PJRT name."`
	Output    string        `yaml:"output" default:"auto" enum:"auto|tty|plain|json|github" doc:"How progress is shown."`
	Cache     string        `yaml:"cache" doc:"Folder for encoders, plugins and file digests; the user's cache folder by default."`
	Parallel  int           `yaml:"parallel" default:"2" min:"1" max:"256" doc:"How many stages may run at once."`
	KeepGoing bool          `yaml:"keep_going" default:"false" doc:"Go on with stages that do not need a failed one."`
	Deadline  time.Duration `yaml:"deadline" default:"0s" min:"0s" doc:"Stop, checkpointed, after this long; 0s is never."`
	Offline   bool          `yaml:"offline" default:"false" doc:"Use only what is in the cache and the store."`
	// Endpoints are addresses that plans use by name.
	Endpoints map[string]string `yaml:"endpoints" doc:"Services that plans name, {chat: https://host/v1}; keys to them stay out of here."`
}

// Source tells LoadConfig where to look.
type Source struct {
	Flags   map[string]any // by option name; only flags that were given
	Env     []string       // "NAME=value"
	File    string         // --config; empty looks beside the plan, then in the working directory
	Profile string         // --profile; empty is none
	PlanDir string         // empty if there is no plan
}

// fileName is looked for beside the plan and in the working directory.
const fileName = "sprint.yaml"

// handed holds variables that the program sets for others and reads nowhere: a
// stage of kind command may call the program again.
var handed = []string{"SPRINT_INPUTS", "SPRINT_OUTPUTS", "SPRINT_FILES"}

// LoadConfig merges flags, SPRINT_* variables, the profile's section, the file
// and the defaults, strongest first, and says where each value came from. An
// empty variable is one that is not set. Every mistake is a *UsageError; those
// in a file carry their places.
func LoadConfig(src Source) (*Config, map[string]Origin, error) {
	c, origin, err := loadConfig(src)
	var errs Errors
	if errors.As(err, &errs) {
		err = &UsageError{Message: errs.Error(), Errors: errs}
	}
	return c, origin, err
}

func loadConfig(src Source) (*Config, map[string]Origin, error) {
	k := koanf.New(delimiter)
	origin := map[string]Origin{}
	configType := reflect.TypeFor[Config]()
	known := fieldsOf(configType)
	names := make([]string, len(known))
	defaults := map[string]any{}
	for i, f := range known {
		names[i] = f.name
		origin[f.name] = Origin{From: "default"}
		if f.hasDefault {
			v, err := parseValue(f.fallback)
			if err != nil {
				return nil, nil, err
			}
			defaults[f.name] = v
		}
	}
	cacheDir, err := os.UserCacheDir()
	if err != nil {
		cacheDir = os.TempDir()
	}
	defaults["cache"] = filepath.Join(cacheDir, "sprint")
	if err := k.Load(confmap.Provider(defaults, ""), nil); err != nil {
		return nil, nil, err
	}
	doc, err := loadConfigFile(k, origin, src, names)
	if err != nil {
		return nil, nil, err
	}
	env := map[string]any{}
	for _, kv := range src.Env {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, "SPRINT_")
		if !ok || value == "" || strings.HasPrefix(rest, "SET_") || slices.Contains(handed, name) {
			continue
		}
		option := strings.ToLower(rest)
		if !slices.Contains(names, option) {
			return nil, nil, &UsageError{Message: fmt.Sprintf("environment variable %s is unknown", name), Hint: Suggest(name, variables(names))}
		}
		env[option] = value
		if f := known[slices.Index(names, option)]; configType.Field(f.index).Type.Kind() != reflect.String {
			if env[option], err = parseValue(value); err != nil {
				return nil, nil, &UsageError{Message: fmt.Sprintf("environment variable %s: %v", name, err)}
			}
		}
		origin[option] = Origin{From: "env", Pos: Position{File: "environment variable " + name}}
	}
	if err := k.Load(confmap.Provider(env, ""), nil); err != nil {
		return nil, nil, err
	}
	for name := range src.Flags {
		origin[name] = Origin{From: "flag", Pos: Position{File: "--" + strings.ReplaceAll(name, "_", "-")}}
	}
	if err := k.Load(confmap.Provider(src.Flags, ""), nil); err != nil {
		return nil, nil, err
	}
	return decodeConfig(k, origin, doc)
}

// variables spells options as variables of the environment.
func variables(options []string) []string {
	out := make([]string, len(options))
	for i, o := range options {
		out[i] = "SPRINT_" + strings.ToUpper(o)
	}
	return out
}

// loadConfigFile finds and loads the file, then the profile's section over it.
// It returns no document if there is no file.
func loadConfigFile(k *koanf.Koanf, origin map[string]Origin, src Source, names []string) (*document, error) {
	file, data, err := findConfig(src)
	if err != nil {
		return nil, err
	}
	if file == "" {
		if src.Profile != "" {
			return nil, &UsageError{Message: fmt.Sprintf("--profile %s: there is no %s with profiles", src.Profile, fileName), Hint: "put one beside the plan, or name it with --config"}
		}
		return nil, nil
	}
	doc, errs := parseDocument(file, data)
	if len(errs) > 0 {
		return nil, errs.OrNil()
	}
	if doc.root.value == nil {
		doc.root.value = &mapping{}
	}
	top, ok := doc.root.value.(*mapping)
	if !ok {
		return nil, Errors{doc.on(doc.root.pos, "", "want a map, this is "+typeName(doc.root.value), "")}
	}
	take := func(m *mapping, path string) {
		layer := map[string]any{}
		for _, key := range m.keys {
			if path == "" && key == "profiles" {
				continue
			}
			if !slices.Contains(names, key) {
				errs = append(errs, doc.on(m.keyPos[key], join(path, key), "unknown key", Suggest(key, names)))
				continue
			}
			v := m.items[key].plain()
			if v == nil {
				continue // a key whose value is commented out
			}
			if text, isText := v.(string); isText && (key == "store" || key == "cache") && !strings.Contains(text, "://") && !filepath.IsAbs(text) {
				v = filepath.Join(filepath.Dir(file), text)
			}
			layer[key] = v
			origin[key] = Origin{From: "file", Pos: m.items[key].pos}
			if path != "" {
				origin[key] = Origin{From: "profile " + src.Profile, Pos: m.items[key].pos}
			}
		}
		if err := k.Load(confmap.Provider(layer, ""), nil); err != nil {
			errs = append(errs, doc.on(doc.root.pos, path, err.Error(), ""))
		}
	}
	take(top, "")
	var profiles []string
	if it := top.get("profiles"); it != nil {
		m, ok := it.value.(*mapping)
		if !ok {
			errs = append(errs, doc.on(it.pos, "profiles", "want a map of profiles, this is "+typeName(it.value), ""))
			return nil, errs.OrNil()
		}
		profiles = m.keys
		for _, name := range m.keys {
			section, ok := m.items[name].value.(*mapping)
			if !ok {
				errs = append(errs, doc.on(m.items[name].pos, "profiles."+name, "want a map, this is "+typeName(m.items[name].value), ""))
				continue
			}
			if name == src.Profile {
				take(section, "profiles."+name)
			}
		}
	}
	if src.Profile != "" && !slices.Contains(profiles, src.Profile) {
		return nil, &UsageError{Message: fmt.Sprintf("%s has no profile %q", file, src.Profile), Hint: Suggest(src.Profile, profiles)}
	}
	return doc, errs.OrNil()
}

func findConfig(src Source) (file string, data []byte, err error) {
	if src.File != "" {
		data, err := readSource(src.File)
		if err != nil {
			return "", nil, &UsageError{Message: fmt.Sprintf("--config %s: %v", src.File, cause(err))}
		}
		return src.File, data, nil
	}
	places := []string{fileName}
	if src.PlanDir != "" {
		places = []string{filepath.Join(src.PlanDir, fileName), fileName}
	}
	for _, p := range places {
		data, err := readSource(p)
		if err == nil {
			return p, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, Errors{{Pos: Position{File: p}, Message: fmt.Sprintf("cannot read the config: %v", cause(err))}}
		}
	}
	return "", nil, nil
}

// decodeConfig checks types and ranges with the same code as a stage's options.
func decodeConfig(k *koanf.Koanf, origin map[string]Origin, doc *document) (*Config, map[string]Origin, error) {
	s := &stageOptions{k: k, origin: origin, base: map[string]string{}, places: map[string]Position{}}
	for name, o := range origin {
		s.places[name] = o.Pos
	}
	c := &Options{plan: &Plan{doc: doc}, stages: map[string]*stageOptions{"": s}}
	d := &decoder{c: c, s: s, out: Decoded{Keyed: map[string]any{}, All: map[string]any{}, Origin: map[string]Origin{}}}
	var out Config
	d.structure(reflect.ValueOf(&out).Elem(), k.Raw(), "", "", d.out.Keyed, d.out.All)
	for _, e := range d.errs {
		e.Path = strings.TrimPrefix(e.Path, "stages..with.")
	}
	return &out, origin, d.errs.OrNil()
}
