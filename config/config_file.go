package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

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
	places := []string{fileName}
	if src.PlanDir != "" {
		places = []string{filepath.Join(src.PlanDir, fileName), fileName}
	}
	for _, p := range places {
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
