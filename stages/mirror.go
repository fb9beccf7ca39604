package stages

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages/redact"
)

// Mirrored is implemented by options structs whose stage publishes a model that registries
// of other makers shall show too. The stage itself asks none of them: whoever runs the plan
// does, after the run, so that a registry which is down fails no stage.
type Mirrored interface {
	// Mirrors says which model, and where.
	Mirrors() (model string, targets []Mirror)
}

// Mirror is a registry of another maker that shows a published model.
type Mirror struct {
	To      string        `yaml:"to" required:"true" key:"-" doc:"where the model is shown too: oci://HOST/REPOSITORY, mlflow://HOST[:PORT][/PATH] or hf://OWNER/NAME; command://NAME is a program that does whatever there is to do"`
	User    string        `yaml:"user" default:"" key:"-" doc:"account there, where a password goes with one"`
	Secret  string        `yaml:"secret" default:"" secret:"true" key:"-" doc:"reference to the password or token, env:NAME or file:PATH; none is sent without it"`
	Plain   bool          `yaml:"plain" default:"false" key:"-" doc:"speak http in place of https"`
	Timeout time.Duration `yaml:"timeout" default:"10m" min:"1s" max:"24h" key:"-" doc:"time for one try, after which the mirror is behind until the next"`
	// A command has a name of its own: whoever changes a word of it does not have it told all anew.
	Command []string          `yaml:"command" key:"-" doc:"of command://NAME: program and arguments, run in the plan's folder once for each alias that names another release than the program was told, with model, version, alias, digest, run, store and metrics as JSON on standard input; told again where it failed, or was killed before that was noted"`
	Env     []string          `yaml:"env" key:"-" doc:"of command://NAME: names of variables to pass on, beside PATH, HOME, LANG and TMPDIR"`
	Secrets map[string]string `yaml:"secrets" secret:"true" key:"-" doc:"of command://NAME: variables whose value is a reference, env:NAME or file:PATH; never logged"`
}

// mirrorPath is the path of a repository.
var mirrorPath = regexp.MustCompile(`^(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)

// hubName is an owner or a repository of the Hugging Face hub.
var hubName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

// commandName is what a plan calls a command; variableName is a variable of its environment.
var (
	commandName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// MirrorKind is a kind of registry that can be a mirror.
type MirrorKind struct {
	Scheme string // of its addresses
	Form   string // of its addresses, as a plan writes them
	// Told is whether it is a program that is told, by command, env and secrets; any other is
	// asked, by user, secret and plain.
	Told bool
	fits func(*url.URL) bool
}

// MirrorKinds are all of them, in the order in which plans are told of them.
func MirrorKinds() []MirrorKind {
	return []MirrorKind{
		{"oci", "oci://HOST/REPOSITORY", false, func(u *url.URL) bool { return mirrorPath.MatchString(u.Path) }},
		{"mlflow", "mlflow://HOST[:PORT][/PATH]", false, func(*url.URL) bool { return true }},
		{"hf", "hf://OWNER/NAME", false, func(u *url.URL) bool {
			return hubName.MatchString(u.Host) && hubName.MatchString(strings.TrimPrefix(u.Path, "/"))
		}},
		{"command", "command://NAME", true, func(u *url.URL) bool { return commandName.MatchString(u.Host) && u.Path == "" }},
	}
}

// mirrorKind is that of an address; false if no kind has such ones.
func mirrorKind(u *url.URL) (MirrorKind, bool) {
	all := MirrorKinds()
	at := slices.IndexFunc(all, func(k MirrorKind) bool { return k.Scheme == u.Scheme && k.fits(u) })
	if at < 0 {
		return MirrorKind{}, false
	}
	return all[at], true
}

// Address is where the mirror is: its scheme is the kind, its path has no slash at the end.
func (m Mirror) Address() (*url.URL, error) {
	u, err := url.Parse(m.To)
	if err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && u.Opaque == "" {
		u.Path = strings.TrimSuffix(u.Path, "/")
		if _, ok := mirrorKind(u); ok {
			return u, nil
		}
	}
	return nil, fmt.Errorf("%.120q is no registry that can be a mirror", redact.Address(m.To))
}

// mirrorForms are the addresses that a mirror can have, as a sentence lists them.
func mirrorForms() string {
	var forms []string
	for _, k := range MirrorKinds() {
		forms = append(forms, k.Form)
	}
	last := len(forms) - 1
	return strings.Join(forms[:last], ", ") + " or " + forms[last]
}

// CheckMirrors tells what is wrong with the mirrors that an option lists.
func CheckMirrors(option string, all []Mirror) []Problem {
	var out Problems
	seen := map[string]bool{}
	for i, m := range all {
		each := fmt.Sprintf("%s.%d", option, i)
		option := each + ".to"
		u, err := m.Address()
		if err != nil {
			out.If(true, option, "write "+mirrorForms()+"; a password goes into secret, by reference", "%v", err)
			continue
		}
		out.If(seen[u.String()], option, "name each mirror once", "%s is a mirror twice", u)
		seen[u.String()] = true
		if k, _ := mirrorKind(u); k.Told {
			out = append(out, m.checkCommand(each)...)
			continue
		}
		out.If(len(m.Command)+len(m.Env)+len(m.Secrets) > 0, option, "they are of command://NAME", "%s takes no command, env or secrets", u)
	}
	return out
}

// checkCommand tells what is wrong with a mirror that is a command; option is the mirror.
func (m Mirror) checkCommand(option string) []Problem {
	var out Problems
	out.If(len(m.Command) == 0 || m.Command[0] == "", option+".to", "for example command: [python3, tell.py]", "%s has no command", m.To)
	out.If(m.User != "" || m.Secret != "" || m.Plain, option+".to", "write secrets: {TOKEN: env:TOKEN}", "%s takes no user, secret or plain", m.To)
	for _, name := range m.Env {
		out.If(!variableName.MatchString(name), option+".env", "env lists names only", "%q is no variable name", name)
	}
	for name := range m.Secrets {
		out.If(!variableName.MatchString(name), option+".secrets", "secrets: {NAME: env:NAME}", "%q is no variable name", name)
	}
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Message, b.Message) })
	return out
}
