package wrapper_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/wrapper"
)

// scheduled are the options of a plan whose names need quoting wherever that is done.
func scheduled() wrapper.Options {
	o := options()
	o.Name, o.Every, o.Folder, o.Program = "daily_news", "month", "/srv/100% new's", "/usr/bin/true"
	return o
}

// TestScheduleGolden: each service's files are as they were read and found right.
func TestScheduleGolden(t *testing.T) {
	for _, name := range wrapper.ScheduleNames() {
		units, err := wrapper.Schedule(name, scheduled())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range units {
			path := filepath.Join("testdata", "schedule", name+"-"+strings.TrimPrefix(u.Name, "."))
			if *update {
				if err := os.WriteFile(path, u.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || string(u.Data) != string(want) {
				t.Errorf("%s (%v):\n%s", path, err, u.Data)
			}
		}
	}
}

// TestSystemd: systemd itself takes both units, and fires the timer on the first of each
// month.
func TestSystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" && runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		t.Skip(err) // only Linux with systemd has it
	}
	for _, every := range wrapper.Paces() {
		o := scheduled()
		o.Every, o.Folder = every, t.TempDir()
		units, err := wrapper.Schedule("systemd", o)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		args := []string{"--user", "verify"}
		for _, u := range units {
			path := filepath.Join(dir, u.Name)
			if err := os.WriteFile(path, u.Data, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
		verify := exec.Command("systemd-analyze", args...)
		verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "HOME="+t.TempDir())
		out, err := verify.CombinedOutput()
		if err != nil || strings.Contains(string(out), dir) {
			t.Errorf("%s: %v: %s\n%s\n%s", every, err, out, units[0].Data, units[1].Data)
		}
		calendar := regexp.MustCompile(`OnCalendar=(.*)`).FindSubmatch(units[1].Data)
		out, err = exec.Command("systemd-analyze", "calendar", "--iterations=2", "--base-time=2026-01-15", string(calendar[1])).CombinedOutput()
		if want := map[string]string{"month": "2026-02-01 05:17:00", "week": "2026-01-19 05:17:00", "day": "2026-01-15 05:17:00"}[every]; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: no %s in %s", every, err, want, out)
		}
	}
}

// TestSystemdFolder: a folder whose name ends as a line that goes on does leaves the next line
// as it is, and is the folder.
func TestSystemdFolder(t *testing.T) {
	for _, end := range []string{`\`, " "} {
		o := scheduled()
		o.Folder = "/srv/news" + end
		units, err := wrapper.Schedule("systemd", o)
		if err != nil || !strings.Contains(string(units[0].Data), "\nWorkingDirectory=/srv/news"+end+"/\nEnvironmentFile=") {
			t.Errorf("%v:\n%s", err, units[0].Data)
		}
	}
}

// cronField reports whether a field of a crontab holds a number: * or the number itself,
// which is all that we write.
func cronField(t *testing.T, field string, low, high, n int) bool {
	t.Helper()
	if field == "*" {
		return true
	}
	x, err := strconv.Atoi(field)
	if err != nil || x < low || x > high {
		t.Fatalf("a field of cron is %q", field)
	}
	return x == n
}

// TestCron: the line fires as often as it should in a year, and what cron hands to the
// shell runs the program in its folder, with the variables, whatever their names hold.
func TestCron(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither cron nor its paths")
	}
	for every, times := range map[string]int{"month": 12, "week": 52, "day": 365} {
		o := scheduled()
		dir := filepath.Join(t.TempDir(), "100% new's")
		home := t.TempDir()
		o.Every, o.Folder, o.Program = every, dir, filepath.Join(dir, "a program")
		for _, folder := range []string{dir, filepath.Join(home, ".config/sprint")} {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		write := func(path, text string, mode os.FileMode) {
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
		}
		write(o.Program, "#!/bin/sh\necho \"$PWD|$*|$CHAT_KEY\"\n", 0o700)
		write(filepath.Join(home, ".config/sprint/sprint-daily-news.env"), "CHAT_KEY='a b'\n", 0o600)
		units, err := wrapper.Schedule("cron", o)
		if err != nil {
			t.Fatal(err)
		}
		var line string
		for l := range strings.Lines(string(units[0].Data)) {
			if !strings.HasPrefix(l, "#") {
				line += l
			}
		}
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
		if len(fields) != 6 || strings.Contains(fields[5], "\n") {
			t.Fatalf("%s: %q", every, line)
		}
		fired := 0
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(time.Minute) {
			if cronField(t, fields[0], 0, 59, at.Minute()) && cronField(t, fields[1], 0, 23, at.Hour()) && cronField(t, fields[2], 1, 31, at.Day()) &&
				cronField(t, fields[3], 1, 12, int(at.Month())) && cronField(t, fields[4], 0, 7, int(at.Weekday())) {
				fired++
			}
		}
		if fired != times {
			t.Errorf("%s: %d times in a year, want %d", every, fired, times)
		}
		if regexp.MustCompile(`(^|[^\\])%`).MatchString(fields[5]) {
			t.Errorf("%s: cron would cut %q", every, fields[5])
		}
		cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(fields[5], `\%`, "%"))
		cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
		out, err := cmd.CombinedOutput()
		log, _ := os.ReadFile(filepath.Join(dir, "sprint-daily-news.log"))
		if want := dir + "|refresh news/plan.yaml --store s3://bucket/news --deadline 50m|a b\n"; err != nil || string(log) != want {
			t.Errorf("%s: %v %s: %q, want %q", every, err, out, log, want)
		}
	}
}

// TestCronJob: the CronJob has the fields that batch/v1 demands, and what it restricts
// them to.
func TestCronJob(t *testing.T) {
	o := scheduled()
	o.Name, o.Device = strings.Repeat("a_long_name", 5), "cuda"
	units, err := wrapper.Schedule("kubernetes", o)
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       struct {
			Schedule, ConcurrencyPolicy string
			StartingDeadlineSeconds     int `yaml:"startingDeadlineSeconds"`
			JobTemplate                 struct {
				Spec struct {
					BackoffLimit          int            `yaml:"backoffLimit"`
					ActiveDeadlineSeconds int            `yaml:"activeDeadlineSeconds"`
					PodFailurePolicy      map[string]any `yaml:"podFailurePolicy"`
					Template              struct {
						Spec struct {
							RestartPolicy                string `yaml:"restartPolicy"`
							AutomountServiceAccountToken bool   `yaml:"automountServiceAccountToken"`
							Containers                   []struct {
								Name, Image   string
								Command, Args []string
								Env           []map[string]any
								Resources     map[string]any
							}
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(units[0].Data), "concurrencyPolicy", "concurrencypolicy")), &job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	if job.APIVersion != "batch/v1" || job.Kind != "CronJob" || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$`).MatchString(job.Metadata.Name) ||
		pod.RestartPolicy != "Never" || job.Spec.JobTemplate.Spec.ActiveDeadlineSeconds != 3600 || len(pod.Containers) != 1 || len(pod.Containers[0].Env) != 4 || pod.Containers[0].Resources == nil {
		t.Errorf("%+v", job)
	}
	// What is no variable of ours comes to the shell as it was, however Kubernetes reads it.
	o.Plan = "a$(AWS_SECRET_ACCESS_KEY)$$b.yaml"
	units, err = wrapper.Schedule("kubernetes", o)
	if err != nil || !strings.Contains(string(units[0].Data), "sprint refresh 'a$$(AWS_SECRET_ACCESS_KEY)$$$$b.yaml'") {
		t.Errorf("%v:\n%s", err, units[0].Data)
	}
	if runtime.GOOS == "windows" {
		return // its bash, where there is one, is another's
	}
	if out, err := exec.Command("bash", "-n", "-c", pod.Containers[0].Args[0]).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestScheduleRefuses: what cannot work is a mistake of usage that says what to change.
func TestScheduleRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		service string
		change  func(*wrapper.Options)
	}{
		"the services are systemd, cron, github, gitlab, kubernetes": {"nope", func(*wrapper.Options) {}},
		"--every fortnight":                {"cron", func(o *wrapper.Options) { o.Every = "fortnight" }},
		"goes with the machine of github":  {"github", func(o *wrapper.Options) { o.Store = "/tmp/store" }},
		"has no files of the plan":         {"kubernetes", func(o *wrapper.Options) { o.Repo = "" }},
		"has a control character":          {"systemd", func(o *wrapper.Options) { o.Folder = "/a\nExecStart=/b" }},
		"does not find a plan":             {"cron", func(o *wrapper.Options) { o.Plan = "-" }},
		"one that cannot be seen":          {"cron", func(o *wrapper.Options) { o.Folder = "/a\u2028b" }},
		"for an option":                    {"systemd", func(o *wrapper.Options) { o.Plan = "--store=x" }},
		`has no way to write \%`:           {"cron", func(o *wrapper.Options) { o.Folder = `/a\%b` }},
		"no name of a variable":            {"systemd", func(o *wrapper.Options) { o.Secrets = []string{"A b"} }},
		"store holds a user or a password": {"systemd", func(o *wrapper.Options) { o.Store = "s3://AKIA:s3cret@bucket" }},
		"5 minutes leave none for the run": {"cron", func(o *wrapper.Options) { o.Minutes = 5 }},
	} {
		o := scheduled()
		c.change(&o)
		_, err := wrapper.Schedule(c.service, o)
		if usage, ok := errors.AsType[*diagnostic.UsageError](err); !ok || !strings.Contains(usage.Message, want) || usage.Hint == "" && c.service != "nope" {
			t.Errorf("%s: %v, want %q and a hint", c.service, err, want)
		}
	}
}
