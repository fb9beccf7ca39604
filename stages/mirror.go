package stages

import (
	"fmt"
	"net/url"
	"regexp"
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
	To      string        `yaml:"to" required:"true" key:"-" doc:"where the model is shown too: oci://HOST/REPOSITORY, mlflow://HOST[:PORT][/PATH] or hf://OWNER/NAME"`
	User    string        `yaml:"user" default:"" key:"-" doc:"account there, where a password goes with one"`
	Secret  string        `yaml:"secret" default:"" secret:"true" key:"-" doc:"reference to the password or token, env:NAME or file:PATH; none is sent without it"`
	Plain   bool          `yaml:"plain" default:"false" key:"-" doc:"speak http in place of https"`
	Timeout time.Duration `yaml:"timeout" default:"10m" min:"1s" max:"24h" key:"-" doc:"time for one try, after which the mirror is behind until the next"`
}

// mirrorPath is the path of a repository.
var mirrorPath = regexp.MustCompile(`^(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)

// hubName is an owner or a repository of the Hugging Face hub.
var hubName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

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
		option := fmt.Sprintf("%s.%d.to", option, i)
		u, ok := m.Address()
		if !ok {
			out.If(true, option, "write oci://HOST/REPOSITORY, mlflow://HOST[:PORT][/PATH] or hf://OWNER/NAME; a password goes into secret, by reference", "%.120q is no registry that can be a mirror", withoutUser(m.To))
			continue
		}
		out.If(seen[u.String()], option, "name each mirror once", "%s is a mirror twice", u)
		seen[u.String()] = true
	}
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
