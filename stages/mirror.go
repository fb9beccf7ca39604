package stages

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
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

// Address is where the mirror is: its scheme is the kind, its path has no slash at the end.
func (m Mirror) Address() (*url.URL, bool) {
	u, err := url.Parse(m.To)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, false
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	switch u.Scheme {
	case "oci":
		return u, mirrorPath.MatchString(u.Path)
	case "mlflow":
		return u, true
	case "command":
		return u, commandName.MatchString(u.Host) && u.Path == ""
	case "hf":
		return u, hubName.MatchString(u.Host) && hubName.MatchString(strings.TrimPrefix(u.Path, "/"))
	}
	return nil, false
}

// CheckMirrors tells what is wrong with the mirrors that an option lists.
func CheckMirrors(option string, all []Mirror) []Problem {
	var out Problems
	seen := map[string]bool{}
	for i, m := range all {
		each := fmt.Sprintf("%s.%d", option, i)
		option := each + ".to"
		u, ok := m.Address()
		if !ok {
			out.If(true, option, "write oci://HOST/REPOSITORY, mlflow://HOST[:PORT][/PATH], hf://OWNER/NAME or command://NAME; a password goes into secret, by reference", "%.120q is no registry that can be a mirror", withoutUser(m.To))
			continue
		}
		out.If(seen[u.String()], option, "name each mirror once", "%s is a mirror twice", u)
		seen[u.String()] = true
		if u.Scheme == "command" {
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

// withoutUser is an address without what stands before its host, which may be a password.
func withoutUser(address string) string {
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			return scheme + "://" + rest[at+1:]
		}
	}
	return address
}
