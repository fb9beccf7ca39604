package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// meant are words that people try, by the command that does it.
var meant = map[string][]string{
	"runs":          {"list", "ls", "history", "ps"},
	"validate":      {"test", "check", "lint", "verify"},
	"run":           {"start", "exec", "train", "resume", "continue", "up"},
	"classify":      {"predict", "infer", "ask"},
	"plan":          {"dry-run", "diff-plan", "preview"},
	"status":        {"show", "info"},
	"logs":          {"log", "tail"},
	"artifacts":     {"get", "cat", "download"},
	"cancel":        {"stop", "kill", "abort"},
	"leftovers":     {"orphans", "jobs"},
	"gc":            {"prune", "clean", "cleanup"},
	"init":          {"new", "create"},
	"graph":         {"dag", "dot"},
	"explain":       {"why"},
	"config":        {"settings", "env"},
	"label-preview": {"label", "rules"},
}

// unknownCommand is what cobra says of a word that is no command.
var unknownCommand = regexp.MustCompile(`^unknown command "(.*)" for "(.*)"`)

// usageOf words what cobra finds wrong with a call; nil if err is no such thing. cmd is
// the command that was called.
func usageOf(root, cmd *cobra.Command, err error) error {
	if m := unknownCommand.FindStringSubmatch(err.Error()); m != nil {
		of, _, findErr := root.Find(strings.Fields(m[2])[1:])
		if findErr != nil {
			of = root
		}
		if !of.HasAvailableSubCommands() {
			return &diagnostic.UsageError{Message: fmt.Sprintf("%s takes no %q", of.CommandPath(), m[1]), Hint: "usage: " + of.UseLine()}
		}
		return noCommand(of, m[1])
	}
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "accepts "), strings.HasPrefix(text, "requires "):
		return &diagnostic.UsageError{Message: argumentsOf(cmd, text), Hint: "usage: " + cmd.UseLine()}
	case strings.HasPrefix(text, "required flag"):
		missing := []string{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
				missing = append(missing, fmt.Sprintf("--%s (%s)", f.Name, f.Usage))
			}
		})
		return &diagnostic.UsageError{Message: cmd.CommandPath() + " needs " + strings.Join(missing, " and "), Hint: "usage: " + cmd.UseLine()}
	}
	return nil
}

// argumentsOf says how many arguments there should have been.
func argumentsOf(cmd *cobra.Command, cobraSays string) string {
	_, takes, _ := strings.Cut(cmd.Use, " ")
	if strings.HasSuffix(cobraSays, "received 0") {
		return fmt.Sprintf("%s needs %s", cmd.CommandPath(), takes)
	}
	return fmt.Sprintf("%s takes %s: it %s", cmd.CommandPath(), takes, strings.ReplaceAll(cobraSays, "arg(s)", "arguments"))
}

// noCommand refuses a word that is no command of a command.
func noCommand(of *cobra.Command, word string) error {
	for name, words := range meant {
		for _, w := range words {
			if c, _, err := of.Find([]string{name}); err == nil && c != of && strings.EqualFold(w, word) {
				return noCommandBut(of, word, c)
			}
		}
	}
	var known []string
	for _, c := range of.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	for _, name := range known {
		if len(word) > 1 && strings.HasPrefix(name, word) || diagnostic.Suggest(word, []string{name}) == fmt.Sprintf("did you mean %q?", name) {
			c, _, _ := of.Find([]string{name})
			return noCommandBut(of, word, c)
		}
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no command %q", of.CommandPath(), word), Hint: fmt.Sprintf("`%s --help` lists them", of.CommandPath())}
}

func noCommandBut(of *cobra.Command, word string, c *cobra.Command) error {
	return &diagnostic.UsageError{
		Message: fmt.Sprintf("%s has no command %q", of.CommandPath(), word),
		Hint:    fmt.Sprintf("did you mean `%s`? (%s)", c.CommandPath(), c.Short),
	}
}

// wrongFlag words what is wrong with a flag.
func wrongFlag(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("`%s --help` lists the flags", cmd.CommandPath())
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no flag -%s", cmd.CommandPath(), unknown.GetSpecifiedName()), Hint: hint}
		}
		if near := nearFlag(cmd, name); near != "" {
			hint = fmt.Sprintf("did you mean %s? (%s)", near, cmd.Flag(strings.TrimPrefix(near, "--")).Usage)
		}
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s has no flag %s", cmd.CommandPath(), name), Hint: hint}
	case errors.As(err, &value):
		f := value.GetFlag()
		return &diagnostic.UsageError{Message: fmt.Sprintf("--%s %s: want %s", f.Name, value.GetValue(), wanted(f.Value.Type())), Hint: f.Usage}
	case errors.As(err, &missing):
		f := missing.GetFlag()
		return &diagnostic.UsageError{Message: fmt.Sprintf("--%s needs a value", f.Name), Hint: f.Usage}
	}
	return &diagnostic.UsageError{Message: err.Error(), Hint: hint}
}

// nearFlag is the flag of a command that was meant, empty if none is like it.
func nearFlag(cmd *cobra.Command, name string) string {
	var known []string
	near := ""
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		known = append(known, "--"+f.Name)
		if near == "" && len(name) > 4 && strings.HasPrefix("--"+f.Name, name) {
			near = "--" + f.Name
		}
	})
	if near == "" {
		if _, err := fmt.Sscanf(diagnostic.Suggest(name, known), "did you mean %q?", &near); err != nil {
			return ""
		}
	}
	return near
}

// wanted names the values of a type of flags.
func wanted(kind string) string {
	switch kind {
	case "int":
		return "a whole number"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration such as 90s or 2h"
	}
	return "another value"
}

// groups are the headings of --help, in the order of a user's day.
var groups = []struct {
	id, title string
	commands  string
}{
	{"start", "Start:", "init validate plan run retry refresh render schedule"},
	{"look", "Look:", "status runs logs explain graph report diff trace artifacts"},
	{"models", "Models:", "models classify serve promote rollback"},
	{"labels", "Labels:", "label-preview review"},
	{"care", "Care:", "doctor gc store unlock cancel leftovers"},
	{"program", "This program:", "config schema completion version help"},
}

// group puts the commands under their headings.
func group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range strings.Fields(g.commands) {
			if c, _, err := root.Find([]string{name}); err == nil && c != root {
				c.GroupID = g.id
			}
		}
	}
}

// helpCommand is cobra's, but for words that are no command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			of, _, err := root.Find(args)
			var names []string
			if err == nil {
				for _, c := range of.Commands() {
					if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), toComplete) {
						names = append(names, c.Name()+"\t"+c.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return noCommand(c, rest[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}
