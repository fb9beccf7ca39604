#!/usr/bin/env bash
# Runs a plan, again while it ends interrupted, and ends with sprint's own code. A signal
# reaches sprint, which makes its checkpoint; then the plan is not run again.
set -euo pipefail

plan="${INPUT_PLAN:-plan.yaml}"
case "$plan" in -*) plan="./$plan" ;; esac
words=(run "$plan" -o github "--result=${INPUT_RESULT:-result.json}")
[ -z "${INPUT_STORE:-}" ] || words+=("--store=$INPUT_STORE")
[ -z "${INPUT_DEADLINE:-}" ] || words+=("--deadline=$INPUT_DEADLINE")
[ -z "${INPUT_JUNIT:-}" ] || words+=("--junit=$INPUT_JUNIT")

attempts="${INPUT_ATTEMPTS:-3}"
if ! [[ "$attempts" =~ ^[1-9][0-9]?$ ]]; then
  echo "::error::attempts is a number from 1 to 99" >&2
  exit 2
fi
# A deadline that was reached is the end for this machine, whatever time is left to it.
[ -z "${INPUT_DEADLINE:-}" ] || attempts=1

child="" stopped=""
stop() {
  stopped+=x
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
}
trap stop INT TERM

code=75
for ((n = 1; n <= attempts && code == 75; n++)); do
  [ -z "$stopped" ] || break
  sprint "${words[@]}" &
  child=$!
  # One that came before this shell knew its child has reached nobody yet.
  [ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null || true
  # A signal ends wait with a code of its own, at times a wait later; the next gives the child's.
  while
    seen="$stopped" code=0
    wait "$child" || code=$?
    [ "$seen" != "$stopped" ] || { [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; }
  do :; done
  # bash knows no code of a child that ended as a signal came, and one that was not yet
  # listening has none: both were interrupted.
  [ -z "$stopped" ] || case "$code" in 127 | -1 | 130 | 143) code=75 ;; esac
  child=""
done
exit "$code"
