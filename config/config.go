package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Config says where and how plans are run. It never changes a result.
type Config struct {
	Store     string        `yaml:"store" default:".sprint/store" doc:"where artifacts and runs are kept: a folder or a file://, s3://, gs:// URL"`
	Executor  string        `yaml:"executor" default:"local" enum:"local" doc:"how attempts are executed"`
	Device    string        `yaml:"device" default:"auto" doc:"narrows the device of all stages: auto, cpu, cuda, go or another PJRT name"`
	Output    string        `yaml:"output" default:"auto" enum:"auto|tty|plain|json|github" doc:"how progress is shown"`
	Cache     string        `yaml:"cache" doc:"folder for encoders, plugins and file digests; the user's cache folder by default"`
	Parallel  int           `yaml:"parallel" default:"2" min:"1" max:"256" doc:"how many stages may run at once"`
	KeepGoing bool          `yaml:"keep_going" default:"false" doc:"go on with stages that do not need a failed one"`
	Deadline  time.Duration `yaml:"deadline" default:"0s" min:"0s" doc:"stop, checkpointed, after this long; 0s is never"`
	Offline   bool          `yaml:"offline" default:"false" doc:"use only what is in the cache and the store"`
	// Endpoints are addresses that plans use by name.
	Endpoints map[string]string `yaml:"endpoints" doc:"services that plans name, {chat: https://host/v1}; keys to them stay out of here"`
}

// Source tells LoadConfig where to look.
type Source struct {
	Flags   map[string]any // by option name; only flags that were given
	Env     []string       // "NAME=value"
	File    string         // --config; empty looks beside the plan, then in the working directory
	Profile string         // --profile; empty is none
	PlanDir string         // empty if there is no plan
}

// handed holds variables that the program sets for others and reads nowhere: a
// stage of kind command may call the program again.
var handed = []string{"SPRINT_INPUTS", "SPRINT_OUTPUTS", "SPRINT_FILES"}

// LoadConfig merges flags, SPRINT_* variables, the profile's section, the file
// and the defaults, strongest first, and says where each value came from. An
// empty variable is one that is not set. The cache's path is made absolute: one
// of the file stands for a folder beside the file, any other for one in the
// working directory. Every mistake is a *diagnostic.UsageError; those in a file
// say their places.
func LoadConfig(src Source) (*Config, map[string]options.Origin, error) {
	c, origin, err := loadConfig(src)
	if errs, ok := errors.AsType[diagnostic.Errors](err); ok {
		err = &diagnostic.UsageError{Message: errs.Error()}
	}
	return c, origin, err
}

func loadConfig(src Source) (*Config, map[string]options.Origin, error) {
	values := options.NewValues("", diagnostic.Position{})
	file := &configFile{fields: options.Reference(&Config{}), values: values}
	if err := values.Add(options.Layer{From: "default", Raw: map[string]any{"cache": defaultCache()}}); err != nil {
		return nil, nil, err
	}
	if err := file.load(src); err != nil {
		return nil, nil, err
	}
	env, err := environmentLayer(src.Env, file.fields)
	if err != nil {
		return nil, nil, err
	}
	flags := options.NewLayer("flag", "")
	for name, v := range src.Flags {
		flags.Set([]string{name}, v, diagnostic.Position{File: "--" + strings.ReplaceAll(name, "_", "-")})
	}
	for _, layer := range []*options.Layer{env, flags} {
		if err := values.Add(*layer); err != nil {
			return nil, nil, err
		}
	}
	origin := map[string]options.Origin{}
	for _, f := range file.fields {
		origin[f.Path] = values.Origin(f.Path)
	}
	decoder := options.Decoder{ErrorAt: file.doc.ErrorAt}
	var out Config
	if _, err = decoder.Decode(values, &out); err != nil || out.Cache == "" {
		return &out, origin, err
	}
	// The loader of a device's library takes a relative path for a name.
	if out.Cache, err = filepath.Abs(out.Cache); err != nil {
		return nil, nil, &diagnostic.UsageError{Message: fmt.Sprintf("the folder of --cache cannot be told: %v", err), Hint: "give its absolute path"}
	}
	return &out, origin, nil
}

// defaultCache is in the user's cache folder.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "sprint")
}

// environmentLayer reads the SPRINT_* variables that are options. A text is taken
// as it is; other values are YAML.
func environmentLayer(env []string, fields []options.Field) (*options.Layer, error) {
	layer := options.NewLayer("env", "")
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, "SPRINT_")
		if !ok || value == "" || strings.HasPrefix(name, setPrefix) || slices.Contains(handed, name) {
			continue
		}
		i := slices.IndexFunc(fields, func(f options.Field) bool { return f.Path == strings.ToLower(rest) })
		if i < 0 {
			known := strings.Fields("SPRINT_" + strings.ToUpper(strings.Join(names(fields), " SPRINT_")))
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s is unknown", name), Hint: diagnostic.Suggest(name, known)}
		}
		var v any = value
		if fields[i].Type != "text" {
			var err error
			if v, err = strictyaml.ParseValue(value); err != nil {
				return nil, &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s: %v", name, err)}
			}
		}
		layer.Set([]string{fields[i].Path}, v, diagnostic.Position{File: "environment variable " + name})
	}
	return layer, nil
}

// names are those of options.
func names(fields []options.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Path
	}
	return out
}

// fileName is looked for beside the plan and in the working directory.
const fileName = "sprint.yaml"

// configFile is a config file that is being read.
type configFile struct {
	path   string
	doc    *strictyaml.Document // nil without a file
	fields []options.Field
	values *options.Values // receives what the file says
	errs   diagnostic.Errors
}

// load finds and loads the file, then the profile's section over it. There is
// no document if there is no file.
func (f *configFile) load(src Source) error {
	path, data, err := findConfig(src)
	if err != nil {
		return err
	}
	if path == "" {
		if src.Profile != "" {
			return &diagnostic.UsageError{Message: fmt.Sprintf("--profile %s: there is no %s with profiles", src.Profile, fileName), Hint: "put one beside the plan, or name it with --config"}
		}
		return nil
	}
	f.path = path
	f.doc, f.errs = strictyaml.Parse(path, data)
	if len(f.errs) > 0 {
		return f.errs.OrNil()
	}
	if f.doc.Root.Value == nil {
		f.doc.Root.Value = &strictyaml.Map{}
	}
	top, ok := f.doc.Root.Value.(*strictyaml.Map)
	if !ok {
		return diagnostic.Errors{f.doc.ErrorAt(f.doc.Root.Pos, "", "want a map, this is "+strictyaml.TypeName(f.doc.Root.Value), "")}
	}
	f.section(top, "", "file")
	profiles, ok := f.profiles(top, src.Profile)
	if ok && src.Profile != "" && !slices.Contains(profiles, src.Profile) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no profile %q", path, src.Profile), Hint: diagnostic.Suggest(src.Profile, profiles)}
	}
	return f.errs.OrNil()
}

func (f *configFile) fail(pos diagnostic.Position, path, message, hint string) {
	f.errs = append(f.errs, f.doc.ErrorAt(pos, path, message, hint))
}

// section merges a map of options, the file's own at the path "" or a profile's.
// Relative folders in it start beside the file.
func (f *configFile) section(m *strictyaml.Map, path, from string) {
	layer := options.NewLayer(from, "")
	for _, key := range m.Keys {
		if path == "" && key == "profiles" {
			continue
		}
		if !slices.Contains(names(f.fields), key) {
			f.fail(m.KeyPos[key], strictyaml.Join(path, key), "unknown key", diagnostic.Suggest(key, names(f.fields)))
			continue
		}
		v := m.Items[key].Plain()
		if v == nil {
			continue // a key whose value is commented out
		}
		if text, isText := v.(string); isText && (key == "store" || key == "cache") && !strings.Contains(text, "://") && !filepath.IsAbs(text) {
			v = filepath.Join(filepath.Dir(f.path), text)
		}
		layer.Set([]string{key}, v, m.Items[key].Pos)
	}
	if err := f.values.Add(*layer); err != nil {
		f.fail(f.doc.Root.Pos, path, err.Error(), "")
	}
}

// profiles merges the section of a profile and returns the names of all; ok is
// false if they are no map.
func (f *configFile) profiles(top *strictyaml.Map, profile string) (names []string, ok bool) {
	node := top.Items["profiles"]
	if node == nil {
		return nil, true
	}
	m, ok := node.Value.(*strictyaml.Map)
	if !ok {
		f.fail(node.Pos, "profiles", "want a map of profiles, this is "+strictyaml.TypeName(node.Value), "")
		return nil, false
	}
	for _, name := range m.Keys {
		section, ok := m.Items[name].Value.(*strictyaml.Map)
		if !ok {
			f.fail(m.Items[name].Pos, "profiles."+name, "want a map, this is "+strictyaml.TypeName(m.Items[name].Value), "")
			continue
		}
		if name == profile {
			f.section(section, "profiles."+name, "profile "+profile)
		}
	}
	return m.Keys, true
}

// findConfig reads the file that is named, else the one beside the plan, else
// the one in the working directory; file is empty if there is none.
func findConfig(src Source) (file string, data []byte, err error) {
	if src.File != "" {
		data, err := strictyaml.ReadFile(src.File)
		if err != nil {
			return "", nil, &diagnostic.UsageError{Message: fmt.Sprintf("--config %s: %v", src.File, cause(err))}
		}
		return src.File, data, nil
	}
	for _, p := range []string{filepath.Join(src.PlanDir, fileName), fileName} {
		data, err := strictyaml.ReadFile(p)
		if err == nil {
			return p, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, diagnostic.Errors{{Pos: diagnostic.Position{File: p}, Message: fmt.Sprintf("cannot read the config: %v", cause(err))}}
		}
	}
	return "", nil, nil
}
