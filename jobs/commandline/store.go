package commandline

import (
	"regexp"
	"strings"
)

var (
	inProse   = regexp.MustCompile("`" + `sprint [a-z]` + "[^`\n]*`")
	onItsLine = regexp.MustCompile(`(?m)^ *sprint [a-z].*$`)
	// storeless are the lines that ask no store, or say which.
	storeless = regexp.MustCompile(`^sprint (init|help|validate|schema|version|completion)\b|--(store|install|help)\b`)
)

// OnStore gives each command line of a text, between backquotes or on a line of its
// own, the flag --store with a value, unless it needs no store or names one. Without a
// value the text stays as it is.
func OnStore(text, store string) string {
	if store == "" {
		return text
	}
	flag := " --store " + Quote(store)
	with := func(line, end string) string {
		if storeless.MatchString(strings.Trim(line, "` ")) {
			return line
		}
		return strings.TrimSuffix(line, end) + flag + end
	}
	text = inProse.ReplaceAllStringFunc(text, func(line string) string { return with(line, "`") })
	return onItsLine.ReplaceAllStringFunc(text, func(line string) string { return with(line, "") })
}
