package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Config says where and how plans are run. It never changes a result, except that the end
// of MaxCost may end a training early, which its record says.
type Config struct {
	Store string `yaml:"store" default:".sprint/store" doc:"where artifacts and runs are kept: a folder or a file://, s3://, gs:// URL"`
	// StoreKey is a reference: the config is no place for a secret.
	StoreKey string `yaml:"store_key" secret:"true" doc:"the key that signs the store's records, env:NAME or file:PATH; with it none is believed that it did not sign"`
	// StoreKeysAccepted keep runners at work while the key is changed.
	StoreKeysAccepted []string `yaml:"store_keys_accepted" secret:"true" doc:"further keys whose records are believed, while store_key is changed: [env:NAME, file:PATH]"`
	// ModelKeys are trusted: whoever sets them says whose models answer.
	ModelKeys []string `yaml:"model_keys" doc:"files of public keys, [release.pub]; classify, serve, promote, rollback, refresh and the stages of plans refuse a model that none of them signed, mirrors do not show it, and models verify demands it; a plan's classify may demand one of its own too"`
	// ModelKeysRevoked outlive the files: an ID is told of releases that are out there.
	ModelKeysRevoked []string `yaml:"model_keys_revoked" doc:"IDs of keys that are trusted no more, beside model_keys; models verify tells them"`

	Executor  string        `yaml:"executor" default:"auto" doc:"where attempts are executed: auto is by the demands of each stage; local, the name of an executor, or STAGE=NAME,STAGE=NAME"`
	Device    string        `yaml:"device" default:"auto" doc:"narrows the device of all stages: auto, cpu, cuda or go"`
	Output    string        `yaml:"output" default:"auto" enum:"auto|tty|plain|json|github" doc:"how progress is shown"`
	Cache     string        `yaml:"cache" doc:"folder for encoders, plugins and file digests; the user's cache folder by default"`
	Parallel  int           `yaml:"parallel" default:"2" min:"1" max:"256" doc:"how many stages may run at once"`
	KeepGoing bool          `yaml:"keep_going" default:"false" doc:"go on with stages that do not need a failed one"`
	Deadline  time.Duration `yaml:"deadline" default:"0s" min:"0s" doc:"stop, checkpointed, after this long; 0s is never"`
	MaxCost   money.Price   `yaml:"max_cost" doc:"what a run may cost, 5 or 5 EUR: machines by their price_per_hour and paid labels; unset is no limit, and the page of executors says how it ends"`
	Offline   bool          `yaml:"offline" default:"false" doc:"use only what is in the cache and the store"`
	// Endpoints are addresses that plans use by name.
	Endpoints map[string]string `yaml:"endpoints" doc:"services that plans name, {chat: https://host/v1}; keys to them stay out of here"`
	// Executors are places elsewhere by the names that --executor takes.
	Executors map[string]map[string]any `yaml:"executors" doc:"places elsewhere, {gpu: {kind: ssh, hosts: [gpu1]}}; a stage goes to the first that offers what it demands; README has an example"`

	executors executorValues
}

// Source tells LoadConfig where to look.
type Source struct {
	Flags   map[string]any // by option name; only flags that were given
	Env     []string       // "NAME=value"
	File    string         // --config; empty looks beside the plan, then in the working directory
	Profile string         // --profile; empty is none
	PlanDir string         // empty if there is no plan
	User    string         // the user's own file, which need not be there; empty is none
	// Found is told of a file that is used because it lay beside the plan or in the
	// working directory; nil is not.
	Found func(path string)
}

// handed holds variables that the program sets for others and reads nowhere: a
// stage of kind command may call the program again.
var handed = []string{"SPRINT_INPUTS", "SPRINT_OUTPUTS", "SPRINT_FILES", "SPRINT_JOB", "SPRINT_PROGRAM_DIR", "SPRINT_PROGRAM_URL"}

// LoadConfig merges flags, SPRINT_* variables, the profile's section, the file, the
// user's own file and the defaults, strongest first, and says where each value came
// from. An empty variable is one that is not set. A file that is found and not named
// sets neither cache, endpoints, executors nor keys. The cache's path is made absolute: one of a file
// stands for a folder beside the file, any other for one in the working directory.
// Every mistake is a *diagnostic.UsageError; those in a file say their places.
func LoadConfig(src Source) (*Config, map[string]options.Origin, error) {
	c, origin, err := loadConfig(src)
	if errs, ok := errors.AsType[diagnostic.Errors](err); ok {
		err = &diagnostic.UsageError{Message: errs.Error()}
	}
	return c, origin, err
}

func loadConfig(src Source) (*Config, map[string]options.Origin, error) {
	values := options.NewValues("", diagnostic.Position{})
	files := &configFiles{fields: options.Reference(&Config{}), values: values, user: src.User}
	if err := values.Add(options.Layer{From: "default", Raw: map[string]any{"cache": defaultCache()}}); err != nil {
		return nil, nil, err
	}
	if err := files.load(src); err != nil {
		return nil, nil, err
	}
	env, err := environmentLayer(src.Env, files.fields)
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
	for _, f := range files.fields {
		origin[f.Path] = values.Origin(f.Path)
	}
	decoder := options.Decoder{ErrorAt: files.errorAt}
	out := Config{executors: executorValues{values: values, errorAt: files.errorAt}}
	for _, f := range files.read {
		out.executors.files = append(out.executors.files, f.path)
	}
	if _, err = decoder.Decode(values, &out); err != nil {
		return &out, origin, err
	}
	if !slices.Contains(devices, out.Device) {
		o := origin["device"]
		return &out, origin, diagnostic.Errors{files.errorAt(o.Pos, "device", fmt.Sprintf("%q is not one of %s", out.Device, strings.Join(devices, ", ")), suggestDevice(out.Device))}
	}
	if err := checkEndpoints(out.Endpoints); err != nil || out.Cache == "" {
		return &out, origin, err
	}
	// The loader of a device's library takes a relative path for a name.
	if out.Cache, err = filepath.Abs(out.Cache); err != nil {
		return nil, nil, &diagnostic.UsageError{Message: fmt.Sprintf("the folder of --cache cannot be told: %v", err), Hint: "give its absolute path"}
	}
	return &out, origin, nil
}

// devices are the words for a device.
var devices = []string{"auto", "cpu", "cuda", "go"}

// suggestDevice is what was meant by a word that is no device.
func suggestDevice(word string) string {
	switch strings.ToLower(word) {
	case "gpu", "nvidia", "xla:gpu", "cuda:0", "cuda12", "cuda13":
		return `did you mean "cuda"?`
	}
	return diagnostic.Suggest(word, devices)
}

// checkEndpoints refuses addresses that hold a key, which would be stored with runs. It
// shows none.
func checkEndpoints(endpoints map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		if u, err := url.Parse(endpoints[name]); err != nil || u.User != nil {
			return &diagnostic.UsageError{
				Message: fmt.Sprintf("the address of endpoint %s holds a user or a password, or is none", name),
				Hint:    "write https://host/v1; the plan refers to the key: set http.key of its stage to env:NAME, and the variable NAME to the key",
			}
		}
	}
	return nil
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
