package config

import (
	"cmp"
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

// ownWord are the options that only their user's own word sets, each with the reason: a
// folder in which one happens to stand may be anybody's.
var ownWord = map[string]string{
	"cache":     "code is loaded from there",
	"endpoints": "texts and keys are sent there",
	"executors": "work and secrets are sent there",

	"store_key":           "it says whose records are believed",
	"store_keys_accepted": "it says whose records are believed",
	"model_keys":          "it says whose models answer",
	"model_keys_revoked":  "it says whose models answer",
}

// configFile is a config file that was read.
type configFile struct {
	path  string
	from  string // the Origin.From of its values
	found bool   // it is used because it lay there
	doc   *strictyaml.Document
	top   *strictyaml.Map
}

// configFiles puts config files into values, weakest first.
type configFiles struct {
	fields []options.Field
	values *options.Values
	user   string // path of the user's own file
	read   []*configFile
	errs   diagnostic.Errors
	broken bool // profiles of a file are not known
}

// load merges the user's own file and the one that is named or found, then the sections of
// the profile in the same order.
func (r *configFiles) load(src Source) error {
	if err := r.open(src); err != nil {
		return err
	}
	for _, f := range r.read {
		r.section(f, f.top, "", f.from)
	}
	var known []string
	for _, f := range r.read {
		known = append(known, r.profiles(f, src.Profile)...)
	}
	if src.Profile != "" && !slices.Contains(known, src.Profile) && !r.broken {
		return r.noProfile(src.Profile, known)
	}
	return r.errs.OrNil()
}

func (r *configFiles) noProfile(profile string, known []string) error {
	if len(r.read) == 0 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--profile %s: there is no %s with profiles", profile, fileName), Hint: "put one beside the plan, or name it with --config"}
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no profile %q", r.read[len(r.read)-1].path, profile), Hint: diagnostic.Suggest(profile, known)}
}

// open reads the user's own file if it is there, and the one that is named, else the one
// beside the plan, else the one in the working directory.
func (r *configFiles) open(src Source) error {
	if src.User != "" {
		if _, err := r.openThere(&configFile{path: src.User, from: "user file"}); err != nil {
			return err
		}
	}
	if src.File != "" {
		data, err := strictyaml.ReadFile(src.File)
		if err != nil {
			return &diagnostic.UsageError{Message: fmt.Sprintf("--config %s: %v", src.File, cause(err))}
		}
		return r.parse(&configFile{path: src.File, from: "file"}, data)
	}
	for _, path := range []string{filepath.Join(src.PlanDir, fileName), fileName} {
		ok, err := r.openThere(&configFile{path: path, from: "file", found: true})
		if ok && src.Found != nil {
			src.Found(path)
		}
		if ok || err != nil {
			return err
		}
	}
	return nil
}

// openThere reads a file; ok is false if it is not there.
func (r *configFiles) openThere(f *configFile) (ok bool, err error) {
	data, err := strictyaml.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, diagnostic.Errors{{Pos: diagnostic.Position{File: f.path}, Message: fmt.Sprintf("cannot read the config: %v", cause(err))}}
	}
	return true, r.parse(f, data)
}

// parse keeps a file as one of those read.
func (r *configFiles) parse(f *configFile, data []byte) error {
	var errs diagnostic.Errors
	if f.doc, errs = strictyaml.Parse(f.path, data); len(errs) > 0 {
		return errs
	}
	if f.doc.Root.Value == nil {
		f.doc.Root.Value = &strictyaml.Map{}
	}
	var ok bool
	if f.top, ok = f.doc.Root.Value.(*strictyaml.Map); !ok {
		return diagnostic.Errors{f.doc.ErrorAt(f.doc.Root.Pos, "", "want a map, this is "+strictyaml.TypeName(f.doc.Root.Value), "")}
	}
	r.read = append(r.read, f)
	return nil
}

// errorAt makes an error at a place, with the line of the file that has it.
func (r *configFiles) errorAt(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
	var doc *strictyaml.Document
	for _, f := range r.read {
		if f.path == pos.File {
			doc = f.doc
		}
	}
	return doc.ErrorAt(pos, path, message, hint)
}

// section merges a map of options, the file's own at the path "" or a profile's.
// Relative folders in it start beside the file.
func (r *configFiles) section(f *configFile, m *strictyaml.Map, path, from string) {
	layer := options.NewLayer(from, "")
	for _, key := range m.Keys {
		if path == "" && key == "profiles" {
			continue
		}
		if !slices.Contains(names(r.fields), key) {
			r.errs = append(r.errs, f.doc.ErrorAt(m.KeyPos[key], strictyaml.Join(path, key), "unknown key", diagnostic.Suggest(key, names(r.fields))))
			continue
		}
		v := m.Items[key].Plain()
		if v == nil {
			continue // a key whose value is commented out
		}
		if why, own := ownWord[key]; own && f.found {
			r.errs = append(r.errs, f.doc.ErrorAt(m.KeyPos[key], strictyaml.Join(path, key), "a file that nobody named cannot set this: "+why, r.elsewhere(key, f.path)))
			continue
		}
		switch text, isText := v.(string); {
		case isText && (key == "store" || key == "cache") && !strings.Contains(text, "://"):
			v = f.beside(text)
		case key == "store_key" || key == "store_keys_accepted":
			v = f.keysBeside(v)
		case key == "model_keys":
			v = f.pathsBeside(v)
		}
		layer.Set([]string{key}, v, m.Items[key].Pos)
		if key == "executors" {
			m.Items[key].Places(key, layer.Pos)
		}
	}
	if err := r.values.Add(*layer); err != nil {
		r.errs = append(r.errs, f.doc.ErrorAt(f.doc.Root.Pos, path, err.Error(), ""))
	}
}

// beside is the path of a file that the config file names.
func (f *configFile) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.path), path)
}

// pathsBeside are the paths of a list, or of one text that stands for it, beside the
// config file.
func (f *configFile) pathsBeside(v any) any {
	switch v := v.(type) {
	case string:
		return f.beside(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = f.pathsBeside(x)
		}
		return out
	}
	return v
}

// keysBeside is a reference to a key, or a list of them, with the paths in it beside
// the config file.
func (f *configFile) keysBeside(v any) any {
	switch v := v.(type) {
	case string:
		if path, ok := strings.CutPrefix(v, "file:"); ok {
			return "file:" + f.beside(path)
		}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = f.keysBeside(x)
		}
		return out
	}
	return v
}

// elsewhere says where an option of ownWord can be set.
func (r *configFiles) elsewhere(key, path string) string {
	flag := ""
	if key == "cache" {
		flag = "--cache or "
	}
	return fmt.Sprintf("put it into %s, use %sSPRINT_%s, or name this file: --config %s", cmp.Or(r.user, "the user's own config"), flag, strings.ToUpper(key), path)
}

// profiles merges the section of a profile and returns the names of all.
func (r *configFiles) profiles(f *configFile, profile string) []string {
	node := f.top.Items["profiles"]
	if node == nil {
		return nil
	}
	m, ok := node.Value.(*strictyaml.Map)
	if !ok {
		r.broken = true
		r.errs = append(r.errs, f.doc.ErrorAt(node.Pos, "profiles", "want a map of profiles, this is "+strictyaml.TypeName(node.Value), ""))
		return nil
	}
	for _, name := range m.Keys {
		section, ok := m.Items[name].Value.(*strictyaml.Map)
		if !ok {
			r.errs = append(r.errs, f.doc.ErrorAt(m.Items[name].Pos, "profiles."+name, "want a map, this is "+strictyaml.TypeName(m.Items[name].Value), ""))
			continue
		}
		if name == profile {
			r.section(f, section, "profiles."+name, "profile "+profile)
		}
	}
	return m.Keys
}
