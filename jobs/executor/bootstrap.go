package executor

import (
	"fmt"
	"strings"
)

// The variables through which a job's script is told where its program is.
const (
	// EnvProgramURL holds an address to read the program from.
	EnvProgramURL = "SPRINT_PROGRAM_URL"
	// EnvProgramDir holds the folder that keeps programs by digest; the default is
	// the user's cache.
	EnvProgramDir = "SPRINT_PROGRAM_DIR"
)

// Script is a line for a POSIX shell that becomes the job's worker: it takes the program
// of that digest from the folder EnvProgramDir, or fetches it from the address
// EnvProgramURL, and refuses one whose digest differs. The line holds no secret.
func (j *Job) Script() string {
	return j.Program.fits() + fmt.Sprintf(bootstrap, Quote(j.Program.Digest)) + Quote(j.Argv...)
}

// fits is a line that ends where the program cannot run: a shell takes one of another
// platform for a script, and complains of its syntax.
func (p Program) fits() string {
	here, known := map[string]string{"linux/amd64": "Linux x86_64", "linux/arm64": "Linux aarch64"}[p.Platform]
	if !known {
		return ""
	}
	return fmt.Sprintf(`[ "$(uname -sm)" = '%s' ] || { echo "sprint: this machine is $(uname -sm), and the program is for %s" >&2; exit 4; }; `, here, p.Platform)
}

// bootstrap ends with the worker's arguments. A program is checked each time before
// it is run: others may write to the folder. It is renamed into its place whole, as
// two jobs may fetch it at once. The first process of a container gets no signal that it
// does not ask for: asked to end while it fetches, it starts no worker, which would not know.
const bootstrap = `set -eu; [ $$ != 1 ] || trap 'exit 75' TERM; d=%s; dir="${SPRINT_PROGRAM_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sprint/programs}"; p="$dir/$d"; ` +
	`ok() { [ "$(sha256sum <"$1" 2>/dev/null | cut -d" " -f1)" = "$d" ]; }; ` +
	`if ! { [ -f "$p" ] && ok "$p"; }; then ` +
	`[ -n "${SPRINT_PROGRAM_URL:-}" ] || { echo "sprint: the program $d is not in $dir, and no address of it is given" >&2; exit 4; }; ` +
	`mkdir -p "$dir"; t="$p.$$.new"; trap 'rm -f "$t"' EXIT; ` +
	`if command -v curl >/dev/null; then printf 'url = "%%s"\n' "$SPRINT_PROGRAM_URL" | curl -fsSL --retry 3 -o "$t" -K -; ` +
	`elif command -v wget >/dev/null; then printf '%%s\n' "$SPRINT_PROGRAM_URL" | wget -q -O "$t" -i -; ` +
	`elif command -v python3 >/dev/null; then python3 -c 'import os,shutil,sys,urllib.request as u; shutil.copyfileobj(u.urlopen(os.environ["SPRINT_PROGRAM_URL"]), open(sys.argv[1],"wb"))' "$t"; ` +
	`else echo "sprint: no curl, wget or python3 to fetch the program with" >&2; exit 4; fi || { echo "sprint: the program cannot be fetched" >&2; exit 4; }; ` +
	`ok "$t" || { echo "sprint: what was fetched is not the program $d" >&2; exit 9; }; ` +
	`chmod 700 "$t"; mv -f "$t" "$p"; trap - EXIT; fi; unset SPRINT_PROGRAM_URL; exec "$p" `

// Quote writes words for a POSIX shell.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
