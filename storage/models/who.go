package models

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// Who says who calls, for a Reason: the account and run of a CI service that says so in
// its documented variables, else USER@HOST. getenv looks a variable up.
func Who(getenv func(string) string) string {
	var who string
	switch {
	case getenv("GITHUB_ACTIONS") == "true" && getenv("GITHUB_ACTOR") != "":
		who = fmt.Sprintf("%s (github %s run %s)", getenv("GITHUB_ACTOR"), getenv("GITHUB_REPOSITORY"), getenv("GITHUB_RUN_ID"))
	case getenv("GITLAB_CI") == "true" && getenv("GITLAB_USER_LOGIN") != "":
		who = fmt.Sprintf("%s (gitlab %s pipeline %s)", getenv("GITLAB_USER_LOGIN"), getenv("CI_PROJECT_PATH"), getenv("CI_PIPELINE_ID"))
	default:
		host, _ := os.Hostname() // empty if nobody knows
		who = cmp.Or(getenv("USER"), getenv("LOGNAME"), getenv("USERNAME"), fmt.Sprint("user ", os.Getuid())) + "@" + cmp.Or(host, "unknown")
	}
	return line(who, maxWho)
}

// line is a text as a Reason takes it: what would break the line is a space, what is over
// most bytes is cut.
func line(text string, most int) string {
	text = strings.Map(func(c rune) rune {
		if breaksLine(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > most {
		text = text[:strings.LastIndexFunc(text, func(rune) bool { return true })]
	}
	return text
}
