package ssh

import (
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// script is a line for a host's login shell, whichever that is: a POSIX shell that runs
// a text with arguments. The first is the folder of everything.
func (p *Provider) script(text string, args ...string) string {
	return executor.Quote(append([]string{"sh", "-c", prelude + strings.TrimSpace(text), "sprint", p.Folder}, args...)...)
}

// prelude goes to the folder, which is the user's alone, and knows how to find the
// processes of a job: those of its session, and those that have its name in their
// environment, wherever they went. A shell that reads /proc by itself reads it byte by byte.
// Of a line of stat the numbers behind the session count too: the name of a program, which
// it chooses, has no room for these.
const prelude = `umask 077; cd "$HOME" && mkdir -p "$1/jobs" "$1/programs" "$1/slots" && cd "$1" || exit 4
lacks() { echo "there is no $1 here: install util-linux, coreutils and grep" >&2; exit 4; }
for tool in setsid flock sha256sum grep; do command -v $tool >/dev/null || lacks $tool; done
processes() {
	read -r sid rest 2>/dev/null <"jobs/$1/pid" || sid=none
	grep -lsE "^[0-9]+ \(.*\) [^ZX] [0-9]+ [0-9]+ $sid -?[0-9]+ -?[0-9]+ [0-9]+ [0-9]+ [0-9]+ [0-9]+ " /proc/[0-9]*/stat | cut -d/ -f3
	grep -lszxF "SPRINT_JOB=$1" /proc/[0-9]*/environ | cut -d/ -f3
}
read -r boot </proc/sys/kernel/random/boot_id
same() { read -r sid at 2>/dev/null <"jobs/$1/pid" && [ "$at" = "$boot" ]; }
`

// findScript says whether a job and a program are here, and how many jobs are.
const findScript = `
there=0; [ -d "jobs/$2" ] && there=1
program=0; [ -f "programs/$3" ] && program=1
busy=0; for j in jobs/*/pid; do [ -f "$j" ] && [ ! -f "${j%pid}exit" ] && busy=$((busy+1)); done
echo "there $there program $program busy $busy"
`

// copyScript takes a program from standard input. The worker's own line checks it again.
const copyScript = `
[ -f "programs/$2" ] && [ "$(sha256sum <"programs/$2" | cut -d' ' -f1)" = "$2" ] && { echo there; exit; }
t="programs/$2.$$"; trap 'rm -f "$t"' EXIT
cat >"$t" || exit 5
[ "$(sha256sum <"$t" | cut -d' ' -f1)" = "$2" ] || { echo "the bytes that came are not the program"; exit; }
chmod 700 "$t" && mv -f "$t" "programs/$2" && trap - EXIT && echo copied
`

// startScript starts a job: its folder is made by one of several that try. It takes the
// variables from standard input before anything is made. Of the jobs that wait for a slot one
// looks, which holds slots/next; the others sleep in its lock, and hear a signal all the same.
// A signal may come before the shell knows its child, and ends a wait for it, at times the
// one after, with a code of its own. Of a child that ended meanwhile the next wait may know
// no code any more, and one that dies of the signal was not listening yet: both were
// interrupted.
const startScript = `
lines=$(cat) && eval "$lines" || exit 4
mkdir "jobs/$2" 2>/dev/null || { [ -d "jobs/$2" ] && { echo there; exit; }; mkdir "jobs/$2" || exit 4; }
SPRINT_JOB=$2 SPRINT_PROGRAM_DIR=$PWD/programs; export SPRINT_JOB SPRINT_PROGRAM_DIR
printf '%s' "$3" >"jobs/$2/line"
setsid sh -c '
	job=$1; echo "$$ $(cat /proc/sys/kernel/random/boot_id)" >"$job/pid.new" && mv "$job/pid.new" "$job/pid"
	ended() { echo "$1" >"$job/exit.new" && mv "$job/exit.new" "$job/exit"; exit; }
	trap "ended 75" TERM
	slot=; : >"$job/queued"
	exec 8>slots/next; flock 8 & wait $!
	until [ -n "$slot" ]; do
		n=0
		while [ $n -lt "$2" ]; do
			exec 9>"slots/$n"
			if flock -n 9; then slot=$n; break; fi
			n=$((n+1))
		done
		[ -n "$slot" ] || { exec 9>&-; sleep 0.05; }
	done
	exec 8>&-
	if [ "$3" -gt 0 ]; then CUDA_VISIBLE_DEVICES=$slot; export CUDA_VISIBLE_DEVICES; fi
	rm -f "$job/queued"; : >"$job/running"
	asked= child=
	trap "asked=x\$asked; [ -z \"\$child\" ] || kill -TERM \$child" TERM
	sh -c "$(cat "$job/line")" &
	child=$!
	[ -z "$asked" ] || kill -TERM $child
	code=75
	while seen=$asked; wait $child; now=$?; [ "$seen" != "$asked" ] || { [ $now -gt 128 ] && kill -0 $child 2>/dev/null; }; do
		case $now in 127|-1|143) ;; *) code=$now ;; esac
	done
	case $asked:$now in x*:127|x*:-1|x*:143) ;; *) code=$now ;; esac
	ended $code
' sprint-job "jobs/$2" "$4" "$5" </dev/null >"jobs/$2/log" 2>&1 &
n=0; until [ -f "jobs/$2/pid" ]; do n=$((n+1)); [ $n -lt 100 ] || { cat "jobs/$2/log" >&2; exit 4; }; sleep 0.02; done
echo started
`

// watchScript prints how a job goes on: each change, and the last word again every few
// seconds, so that it ends when nobody reads. A kill by the kernel for want of memory is
// told from another by the job's group of control, where it has one. Looks become fewer: each
// is a process, and a host may have many jobs that wait. A folder without a
// process a minute after it was made is that of a start which was cut off.
const watchScript = `
last=; n=0; looks=0; pause=0.1
say() { if [ "$1" != "$last" ] || [ $n -ge 20 ]; then echo "$1" || exit; last=$1; n=0; fi; n=$((n+1)); }
while :; do
	if [ ! -d "jobs/$2" ]; then echo gone; exit; fi
	if [ -f "jobs/$2/exit" ]; then echo "ended $(cat "jobs/$2/exit")"; exit; fi
	if [ -f "jobs/$2/pid" ]; then
		if ! same "$2"; then echo rebooted; exit; fi
		if ! kill -0 "$sid" 2>/dev/null; then
			[ -f "jobs/$2/exit" ] && continue
			echo killed; exit
		fi
	elif [ -n "$(find "jobs/$2" -maxdepth 0 -mmin +1 2>/dev/null)" ] && [ ! -f "jobs/$2/pid" ]; then
		echo killed; exit
	fi
	if [ -f "jobs/$2/running" ]; then say running; else say queued; fi
	sleep $pause; looks=$((looks+1)); [ $looks -lt 50 ] || pause=0.3
done
`

// cancelScript ends a job: asked first, killed after so many tenths of a second. It says
// gone when nothing of it runs, and else which processes are left. Those of a job whose
// folder was removed by hand are found by their environment.
const cancelScript = `
left() { if same "$2"; then processes "$2"; else grep -lszxF "SPRINT_JOB=$2" /proc/[0-9]*/environ | cut -d/ -f3; fi; }
if [ "$3" -gt 0 ] && same "$2" && [ ! -f "jobs/$2/exit" ]; then
	kill -TERM "$sid" 2>/dev/null
	n=0; while [ $n -lt "$3" ] && [ ! -f "jobs/$2/exit" ] && kill -0 "$sid" 2>/dev/null; do sleep 0.1; n=$((n+1)); done
fi
n=0
while :; do
	p=$(left "$@" | sort -u); [ -n "$p" ] || break
	kill -KILL $p 2>/dev/null
	n=$((n+1)); [ $n -lt 100 ] || { echo $p; exit; }
	sleep 0.05
done
rm -rf "jobs/$2"; echo gone
`

// logScript prints the end of what a job printed.
const logScript = `tail -c 65536 "jobs/$2/log" 2>/dev/null || :`

// probeScript says what the host has.
const probeScript = `
echo "platform $(uname -s) $(uname -m)"
echo "disk $(df -Pk . | awk 'NR==2{print $4}')"
echo "memory $(awk '/^MemTotal/{print $2}' /proc/meminfo)"
echo "cores $(getconf _NPROCESSORS_ONLN)"
echo "libc $(getconf GNU_LIBC_VERSION 2>/dev/null)"
echo "clock $(date +%s)"
if command -v nvidia-smi >/dev/null; then nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | sed 's/^/gpu /'; fi
`
