package start

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/jobs/wrapper"
)

func scheduleCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var service, folder string
	var o wrapper.Options
	cmd := &cobra.Command{
		Use: "schedule [PLAN] --for SERVICE", Short: "Write the file by which a timer refreshes a plan every month", Args: cobra.MaximumNArgs(1),
		Long: `Write to standard output the file by which a service refreshes a plan (sprint refresh) once
in a month, a week or a day: the units of a timer of systemd, a line of a crontab, a workflow
of GitHub, a pipeline of GitLab, or a CronJob of Kubernetes. Several files have a line with
the name of each before it; --folder writes them under these names instead.

systemd and cron run this program in this folder, on this store. A challenger that was refused
(code 10 of sprint refresh) is no failure of the job; every other code is one. Elsewhere a release of sprint
is fetched, its digest checked, and the store must be one that outlives the machine: run it at
the root of the repository that holds the plan. Secrets are named, never written.`,
		Example: "  sprint schedule plan.yaml --for systemd\n  sprint schedule plan.yaml --for github --store gs://news/sprint --release v0.1.0 > refresh.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := describe(a, cmd, args, &f, &o)
			if err != nil {
				return err
			}
			if o.Repo != "" && service != "kubernetes" {
				return &diagnostic.UsageError{Message: "--repo is for kubernetes alone: elsewhere the plan's files are there", Hint: "leave out --repo"}
			}
			if cmd.Flags().Changed("release") && wrapper.Here(service) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("--release is for services elsewhere: %s runs this program, %s", service, app.Version()), Hint: "leave out --release"}
			}
			if o.Folder, err = os.Getwd(); err != nil {
				return err
			}
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			units, err := wrapper.Schedule(service, o)
			if err == nil {
				err = refresh.Check(g)
			}
			if err != nil {
				return err
			}
			if folder != "" {
				return writeUnits(a, folder, units)
			}
			return printUnits(a, units)
		},
	}
	f.Add(cmd)
	cmd.Flags().StringVar(&service, "for", "", "service: "+strings.Join(wrapper.ScheduleNames(), ", "))
	cmd.Flags().StringVar(&o.Every, "every", "month", "how often: "+strings.Join(wrapper.Paces(), ", "))
	cmd.Flags().StringVar(&folder, "folder", "", "write the files into this folder, which must exist")
	cmd.Flags().StringVar(&o.Release, "release", "", "version of sprint that is fetched elsewhere; this one's by default")
	cmd.Flags().StringVar(&o.Repo, "repo", "", "where kubernetes clones the plan and its files from")
	cmd.Flags().IntVar(&o.Minutes, "minutes", 240, "time for all, after which the service ends it; the refresh checkpoints and ends 10 minutes before")
	_ = cmd.MarkFlagRequired("for")
	return cmd
}

// printUnits prints one file as it is, and several each behind a line with its name.
func printUnits(a *app.App, units []wrapper.Unit) error {
	for i, u := range units {
		if len(units) > 1 {
			if i > 0 {
				fmt.Fprintln(a.Stdout)
			}
			fmt.Fprintf(a.Stdout, "# %s\n", u.Name)
		}
		if _, err := a.Data().Write(u.Data); err != nil {
			return err
		}
	}
	return nil
}

// writeUnits writes files into a folder. One that is there already is somebody's.
func writeUnits(a *app.App, folder string, units []wrapper.Unit) error {
	for _, u := range units {
		path := filepath.Join(folder, u.Name)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			return &diagnostic.UsageError{Message: path + " exists already", Hint: "remove it, or name another folder"}
		}
		if err != nil {
			return atomicfile.Failure(err)
		}
		_, err = file.Write(u.Data)
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return atomicfile.Failure(err)
		}
		fmt.Fprintln(a.Stdout, path)
	}
	return nil
}
