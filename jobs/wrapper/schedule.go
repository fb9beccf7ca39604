package wrapper

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/stages"
)

// Unit is a file of a schedule.
type Unit struct {
	Name string // of the file, where its service looks for it by that
	Data []byte
}

// scheduler is a service that refreshes a plan from time to time.
type scheduler struct {
	service
	// here says that it is this machine: plan and store are reached by their paths.
	here  bool
	units func(Options) ([]Unit, error)
}

func schedulers() []scheduler {
	one := func(name string, write func(Options) ([]byte, error)) func(Options) ([]Unit, error) {
		return func(o Options) ([]Unit, error) {
			data, err := write(o)
			return []Unit{{name, data}}, err
		}
	}
	return []scheduler{
		{service: service{name: "systemd"}, here: true, units: systemd},
		{service: service{name: "cron"}, here: true, units: one("crontab", cron)},
		{service: service{name: "github", cpu: true}, units: one("refresh.yml", github)},
		{service: service{name: "gitlab"}, units: one(".gitlab-ci.yml", gitlab)},
		{service: service{name: "kubernetes", clones: true}, units: one("cronjob.yaml", kubernetes)},
	}
}

// ScheduleNames lists the services that Schedule knows.
func ScheduleNames() []string {
	var out []string
	for _, s := range schedulers() {
		out = append(out, s.name)
	}
	return out
}

// pace is how often a plan is refreshed, in the words of cron and of systemd. The hour is
// one of few people, the minute one at which few timers fire.
type pace struct{ name, cron, calendar string }

func paces() []pace {
	return []pace{
		{"month", "17 5 1 * *", "*-*-01 05:17:00"},
		{"week", "17 5 * * 1", "Mon *-*-* 05:17:00"},
		{"day", "17 5 * * *", "*-*-* 05:17:00"},
	}
}

// Paces lists what Options.Every may be.
func Paces() []string {
	var out []string
	for _, p := range paces() {
		out = append(out, p.name)
	}
	return out
}

// pace is that of the options, which Schedule checked.
func (o Options) pace() pace {
	return paces()[slices.Index(Paces(), o.Every)]
}

// Here reports whether a service is this machine, which fetches no release.
func Here(name string) bool {
	return slices.ContainsFunc(schedulers(), func(s scheduler) bool { return s.name == name && s.here })
}

// Schedule is the files by which a service refreshes a plan once in a month, a week or a
// day. What cannot work there is refused with what to change.
func Schedule(name string, o Options) ([]Unit, error) {
	i := slices.IndexFunc(schedulers(), func(s scheduler) bool { return s.name == name })
	if i < 0 {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--for %s: the services are %s", name, strings.Join(ScheduleNames(), ", ")), Hint: diagnostic.Meant(name, ScheduleNames())}
	}
	if !slices.Contains(Paces(), o.Every) {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--every %s: no timer can be written for that", o.Every), Hint: diagnostic.Suggest(o.Every, Paces())}
	}
	s := schedulers()[i]
	if err := s.refuseSchedule(o); err != nil {
		return nil, err
	}
	if !s.here {
		o.Secrets = append(storeSecrets(o.Store), o.Secrets...)
	}
	slices.Sort(o.Secrets)
	o.Secrets = slices.Compact(o.Secrets)
	return s.units(o)
}

func (s scheduler) refuseSchedule(o Options) error {
	if !s.here {
		return s.refuse(o)
	}
	if err := o.refuseSecrets(); err != nil {
		return err
	}
	if o.Minutes < leastMinutes {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%d minutes leave none for the run", o.Minutes), Hint: fmt.Sprintf("--minutes is %d or more", leastMinutes)}
	}
	for _, name := range o.Secrets {
		if !variable.MatchString(name) {
			return &diagnostic.UsageError{Message: fmt.Sprintf("the plan reads a secret from env:%s, which is no name of a variable", name), Hint: "name it by letters, digits and _"}
		}
	}
	switch {
	case unprintable(o.Plan + o.Name + o.Store + o.Folder + o.Program + strings.Join(o.Overrides, "")):
		return &diagnostic.UsageError{Message: "the plan's path or name, the store, the folder or an override has a control character, or one that cannot be seen", Hint: "rename it"}
	case o.Plan == "-":
		return &diagnostic.UsageError{Message: s.name + " does not find a plan from standard input", Hint: "write it into a file"}
	case strings.HasPrefix(o.Plan, "-"):
		return &diagnostic.UsageError{Message: "the plan " + o.Plan + " would be taken for an option", Hint: "name it as ./" + o.Plan}
	case s.name == "cron" && strings.Contains(strings.Join(append([]string{o.Plan, o.Store, o.Folder, o.Program}, o.Overrides...), " "), `\%`):
		return &diagnostic.UsageError{Message: `a crontab has no way to write \% of a path`, Hint: "rename it, or take another service"}
	case !path.IsAbs(o.Folder) || !path.IsAbs(o.Program):
		return &diagnostic.UsageError{Message: s.name + " needs the whole paths of the folder and of the program, of a Unix", Hint: "take another service"}
	}
	return nil
}

// unit is the name of what runs a plan, for units and objects.
func (o Options) unit() string { return "sprint-" + strings.ReplaceAll(o.Name, "_", "-") }

// refresh is the command line that refreshes the plan.
func (o Options) refresh() commandline.Line {
	deadline := fmt.Sprintf("%dm", o.Minutes-graceMinutes)
	return commandline.Of("refresh", o.Plan).With(o.Overrides...).Flag("store", o.Store).Flag("deadline", deadline)
}

// listens are the lines of a shell that keep a signal for the refresh, and none where a run
// takes the shell's place. The first process of a pod gets no signal that it does not ask for.
func (o Options) listens() []string {
	if o.Every == "" {
		return nil
	}
	return []string{
		"child= stopped=",
		`trap 'stopped=x$stopped; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' INT TERM`,
	}
}

// awaited are the lines of bash that do a command, which gets the signals, and put its code
// into the variable code.
func awaited(command string) []string {
	return []string{
		fmt.Sprintf(`[ -z "$stopped" ] || exit %d`, stages.CodeInterrupted),
		command + " & child=$!",
		"# A signal that came before the shell knew its child has reached nobody yet.",
		`[ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null || true`,
		"# One ends wait with a code of its own, at times a wait later; the child checkpoints, and the next gives its code.",
		`while seen="$stopped" code=0; wait "$child" || code=$?; [ "$seen" != "$stopped" ] || { [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; }; do :; done`,
		"# bash knows no code of a child that ended as a signal came: it was interrupted.",
		fmt.Sprintf(`[ -z "$stopped" ] || case "$code" in 127 | -1 | 130 | 143) code=%d ;; esac`, stages.CodeInterrupted),
	}
}

// settled are the lines of a shell that follow the refresh, whose code is in the variable
// code: a challenger that was refused is a refresh that did its work, and says so.
func settled(notice string) []string {
	return []string{
		fmt.Sprintf(`if [ "$code" = %d ]; then`, stages.CodePublish),
		`  echo "` + notice + `the challenger was refused and the champion stays: the report says why"`,
		"  code=0",
		"fi",
		`exit "$code"`,
	}
}

// secretsFile is where units of this machine read their variables, below the user's config.
func (o Options) secretsFile() string { return ".config/sprint/" + o.unit() + ".env" }

// headHere is the comment of a file of this machine.
func (o Options) headHere(service, use string) string {
	out := fmt.Sprintf("# Made by `sprint schedule --for %s`: refreshes the plan %s every %s.\n# %s\n", service, o.Plan, o.Every, use)
	if len(o.Secrets) > 0 {
		out += fmt.Sprintf("# %s, in your home, has a line NAME=VALUE of each of: %s.\n", o.secretsFile(), strings.Join(o.Secrets, ", "))
	}
	return out
}

// systemd is a service and its timer, of the user.
func systemd(o Options) ([]Unit, error) {
	var b strings.Builder
	b.WriteString(o.headHere("systemd", fmt.Sprintf("Put both into ~/.config/systemd/user, then: systemctl --user enable --now %s.timer", o.unit())))
	fmt.Fprintf(&b, "[Unit]\nDescription=Refresh the model of the plan %s\n\n", specifiers(o.Name))
	fmt.Fprintf(&b, "[Service]\nType=oneshot\nWorkingDirectory=%s\n", specifiers(systemdFolder(o.Folder)))
	if len(o.Secrets) > 0 {
		fmt.Fprintf(&b, "EnvironmentFile=%%h/%s\n", o.secretsFile())
	}
	words := []string{systemdWord(o.Program)}
	for _, w := range o.refresh().Words() {
		words = append(words, systemdWord(w))
	}
	// The first signal lets it checkpoint; a challenger that was refused is no failed unit.
	fmt.Fprintf(&b, "ExecStart=%s\nSuccessExitStatus=%d\nTimeoutStartSec=%dmin\nTimeoutStopSec=%dmin\nNice=10\n", strings.Join(words, " "), stages.CodePublish, o.Minutes, graceMinutes)
	timer := fmt.Sprintf("[Unit]\nDescription=Refresh the model of the plan %s every %s\n\n[Timer]\nOnCalendar=%s\nRandomizedDelaySec=30min\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n", specifiers(o.Name), o.Every, o.pace().calendar)
	return []Unit{{o.unit() + ".service", []byte(b.String())}, {o.unit() + ".timer", []byte(timer)}}, nil
}

// specifiers hides what systemd would replace in a value.
func specifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// systemdFolder is a folder at the end of a line, where a space would be lost, and a backslash
// would take the next line with it.
func systemdFolder(path string) string {
	if strings.HasSuffix(path, " ") || strings.HasSuffix(path, `\`) {
		return path + "/"
	}
	return path
}

// systemdWord is one word of ExecStart.
func systemdWord(word string) string {
	word = strings.ReplaceAll(specifiers(word), "$", "$$")
	if word != "" && !strings.ContainsAny(word, " \t\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// cron is a line of a crontab.
func cron(o Options) ([]byte, error) {
	command := "cd " + commandline.Quote(o.Folder) + " && "
	if len(o.Secrets) > 0 {
		command += `set -a && . "$HOME/` + o.secretsFile() + `" && `
	}
	program := strings.TrimPrefix(o.refresh().String(), "sprint")
	command += commandline.Quote(o.Program) + program + " >> " + o.unit() + ".log 2>&1"
	// In a crontab % ends the command.
	return []byte(o.headHere("cron", "Add it to your crontab: crontab -e") + o.pace().cron + " " + strings.ReplaceAll(command, "%", `\%`) + "\n"), nil
}

// kubernetes is a CronJob.
func kubernetes(o Options) ([]byte, error) {
	var b strings.Builder
	name := o.unit()
	if len(name) > 52 { // a job's name has 11 more
		name = strings.TrimRight(name[:52], "-")
	}
	b.WriteString(o.head("kubernetes"))
	fmt.Fprintf(&b, "# kubectl create secret generic %s --from-literal=NAME=VALUE ... makes them there.\n", name)
	fmt.Fprintf(&b, "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: %s\nspec:\n  schedule: %s\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 86400\n", name, strconv.Quote(o.pace().cron))
	// What a refresh cannot mend by itself is not tried again.
	fmt.Fprintf(&b, "  jobTemplate:\n    spec:\n      backoffLimit: 3\n      activeDeadlineSeconds: %d\n      podFailurePolicy:\n        rules:\n          - action: FailJob\n            onExitCodes: {containerName: sprint, operator: In, values: [2, 3, 5, 9, 10, 11]}\n", o.Minutes*60)
	b.WriteString("      template:\n        spec:\n          restartPolicy: Never\n          terminationGracePeriodSeconds: 150 # two minutes for a checkpoint, as on other places\n          automountServiceAccountToken: false\n          containers:\n            - name: sprint\n              image: python:3.13-slim-bookworm\n")
	b.WriteString("              env:\n")
	for _, secret := range o.Secrets {
		fmt.Fprintf(&b, "                - {name: %s, valueFrom: {secretKeyRef: {name: %s, key: %s}}}\n", secret, name, secret)
	}
	if o.Device == "cuda" {
		b.WriteString("              resources: {limits: {nvidia.com/gpu: 1}}\n")
	}
	b.WriteString("              command: [bash, -euo, pipefail, -c]\n              args:\n                - |\n")
	lines(&b, "                  ", o.listens(), []string{"apt-get update -q", "apt-get install -qy --no-install-recommends ca-certificates curl git"}, o.install(), o.credentials(), []string{
		podText("git clone --depth 1 -- " + commandline.Quote(o.Repo) + " plan"), "cd plan",
	}, awaited(podText(o.refresh().String())), settled(""))
	return []byte(b.String()), nil
}

// podText is a text of args in which Kubernetes puts no variable: $(NAME) it would replace
// before a shell reads it, in quotes too.
func podText(text string) string { return strings.ReplaceAll(text, "$", "$$") }
