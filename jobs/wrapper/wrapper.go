// Package wrapper writes the file by which another service runs a plan: a workflow of
// GitHub, a pipeline of GitLab, a task of dstack, a notebook for Colab; or by which one
// refreshes it from time to time: these, a timer of systemd or cron, a CronJob of
// Kubernetes. On another machine each fetches one release of sprint, checks its digest, and
// runs the plan on a store that outlives the machine. Secrets stand in it by name alone.
//
// wrapper.go is what all share; ci.go, dstack.go and colab.go hold services, schedule.go
// what refreshes. A new one is such a file, and an entry in services or schedulers.
package wrapper

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/storage"
)

// Options say what is wrapped.
type Options struct {
	// Plan is the plan's path from the root of its repository, Name its name.
	Plan, Name string
	// Store is the URL of the store, on S3 or GCS.
	Store string
	// Release is the version of sprint that is fetched, such as v0.1.0.
	Release string
	// Repo is where a machine without the plan's files clones them from.
	Repo string
	// Overrides are the words of --set and --values, by which the plan was described.
	Overrides []string
	// Secrets are the variables that the plan reads secrets from.
	Secrets []string
	// Device is the one that the plan demands most of: cpu, cuda, or auto.
	Device string
	// Minutes is the time for all.
	Minutes int
	// Every is how often a schedule refreshes the plan, one of Paces; empty runs it.
	Every string
	// Folder and Program are, of a schedule of this machine, where it is run and what runs.
	Folder, Program string
}

// service is a place that runs what is wrapped.
type service struct {
	name string
	// clones says that the machine has no files of the plan.
	clones bool
	// cpu says that its machines have no GPU.
	cpu   bool
	write func(Options) ([]byte, error)
}

func services() []service {
	return []service{
		{name: "github", cpu: true, write: github},
		{name: "gitlab", write: gitlab},
		{name: "dstack", write: dstack},
		{name: "colab", clones: true, write: colab},
	}
}

// Names lists the services.
func Names() []string {
	var out []string
	for _, s := range services() {
		out = append(out, s.name)
	}
	return out
}

// Time that the run leaves to the service for the end, and the least for all.
const (
	graceMinutes = 10
	leastMinutes = 20
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var release = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// File is the file by which a service runs a plan. What cannot work there is refused with
// what to change.
func File(name string, o Options) ([]byte, error) {
	i := slices.IndexFunc(services(), func(s service) bool { return s.name == name })
	if i < 0 {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--for %s: the services are %s", name, strings.Join(Names(), ", ")), Hint: diagnostic.Meant(name, Names())}
	}
	s := services()[i]
	if err := s.refuse(o); err != nil {
		return nil, err
	}
	o.Secrets = append(storeSecrets(o.Store), o.Secrets...)
	slices.Sort(o.Secrets)
	o.Secrets = slices.Compact(o.Secrets)
	return s.write(o)
}

func (s service) refuse(o Options) error {
	usage := func(hint, format string, args ...any) error {
		return &diagnostic.UsageError{Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	for _, name := range o.Secrets {
		if !variable.MatchString(name) {
			return usage("name it by letters, digits and _", "the plan reads a secret from env:%s, which is no name of a variable", name)
		}
	}
	if err := o.refuseSecrets(); err != nil {
		return err
	}
	switch text := o.Plan + o.Name + o.Store + o.Repo + strings.Join(o.Overrides, ""); {
	case unprintable(text):
		return usage("rename it", "the plan's path or name, the store, the repository or an override has a control character, or one that cannot be seen")
	case strings.Contains(text, "${{"):
		return usage("rename it", "the plan's path or name, the store, the repository or an override has ${{, which services replace before a shell reads it")
	case strings.HasPrefix(o.Plan, "-") && o.Plan != "-":
		return usage("name it as ./"+o.Plan, "the plan %s would be taken for an option", o.Plan)
	case !strings.HasPrefix(o.Store, "s3://") && !strings.HasPrefix(o.Store, "gs://"):
		return usage("name one that outlives it: --store s3://BUCKET/PREFIX or gs://BUCKET/PREFIX", "the store %s goes with the machine of %s", o.Store, s.name)
	case !filepath.IsLocal(filepath.FromSlash(o.Plan)) || o.Plan == "-":
		return usage("go to the root of the plan's repository and name the plan from there", "%s does not find the plan by %s", s.name, o.Plan)
	case o.farValues() != "":
		return usage("name one of the plan's repository, from its root", "%s does not find the values by %s", s.name, o.farValues())
	case !release.MatchString(o.Release):
		return usage("name a release: --release v0.1.0", "%s fetches a release of sprint, and %q is none", s.name, o.Release)
	case s.cpu && o.Device == "cuda":
		return usage("set resources.device of that stage to auto, or render for "+strings.Join(slices.DeleteFunc(Names(), func(n string) bool { return n == s.name }), ", "), "the plan demands device cuda, and the machines of %s have no GPU", s.name)
	case s.clones && o.Repo == "":
		return usage("say where it is cloned from: --repo https://host/owner/name", "a machine of %s has no files of the plan", s.name)
	case o.Minutes < leastMinutes:
		return usage(fmt.Sprintf("--minutes is %d or more", leastMinutes), "%d minutes leave none for the run", o.Minutes)
	}
	return nil
}

// refuseSecrets refuses addresses with a secret in them: what is written is committed, shown
// and kept. The user of ssh is none.
func (o Options) refuseSecrets() error {
	scheme, rest, _ := strings.Cut(o.Repo, "://")
	host, _, _ := strings.Cut(rest, "@")
	switch {
	case storage.HasUserInfo(o.Store):
		return &diagnostic.UsageError{Message: "the address of the store holds a user or a password, which would stand in the file", Hint: "leave it out: the keys of a store come from the environment there, by name"}
	case storage.HasUserInfo(o.Repo) && (scheme != "ssh" || strings.Contains(host, ":")):
		return &diagnostic.UsageError{Message: "the address of the repository holds a user or a password, which would stand in the file", Hint: "leave it out, and give the machine git's credentials as that service keeps them"}
	}
	return nil
}

// farValues is the first file of --values that is not below the folder; empty if all are.
func (o Options) farValues() string {
	for i, word := range o.Overrides {
		if i > 0 && o.Overrides[i-1] == "--values" && !filepath.IsLocal(filepath.FromSlash(word)) {
			return word
		}
	}
	return ""
}

// unprintable reports whether a text has what does not show. Some of it, such as the line
// separator of Unicode, ends a line of YAML, and with it a comment or a script.
func unprintable(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

// storeSecrets are the variables that open a store.
func storeSecrets(url string) []string {
	if strings.HasPrefix(url, "gs://") {
		return []string{googleCredentials}
	}
	return []string{"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"}
}

// googleCredentials is the variable with the content of a key file.
const googleCredentials = "GOOGLE_CREDENTIALS"

// install are the shell's lines that fetch sprint into the working directory, checked.
func (o Options) install() []string {
	base := "https://github.com/sprint-ml/sprint/releases/download/" + o.Release
	folder := "sprint_" + o.Release + "_linux_amd64"
	return []string{
		"curl -fsSL --remote-name-all " + base + "/" + folder + ".tar.gz " + base + "/SHA256SUMS",
		"sha256sum --check --strict --ignore-missing SHA256SUMS",
		"tar -xzf " + folder + ".tar.gz",
		`export PATH="$PWD/` + folder + `:$PATH"`,
	}
}

// credentials are the lines that put a key into the file where its library looks for it.
func (o Options) credentials() []string {
	if !slices.Contains(o.Secrets, googleCredentials) {
		return nil
	}
	return []string{
		`export GOOGLE_APPLICATION_CREDENTIALS="$(mktemp)"`,
		`printf %s "$` + googleCredentials + `" > "$GOOGLE_APPLICATION_CREDENTIALS"`,
	}
}

// run is the command line that runs the plan. It takes the place of its shell: services
// signal that alone, which would end without a word to the run.
func (o Options) run(output string) string {
	deadline := fmt.Sprintf("%dm", o.Minutes-graceMinutes)
	return "exec " + commandline.Of("run", o.Plan).With(o.Overrides...).Flag("store", o.Store).With("-o", output).Flag("deadline", deadline).String()
}

// head is the comment of a file.
func (o Options) head(service string) string {
	maker, does := "sprint render", "runs"
	if o.Every != "" {
		maker, does = "sprint schedule", "refreshes"
	}
	return fmt.Sprintf("# Made by `%s --for %s`: %s the plan %s on the store %s.\n# It needs these secrets there, by name: %s.\n", maker, service, does, o.Plan, o.Store, strings.Join(o.Secrets, ", "))
}
