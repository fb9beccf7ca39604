#!/usr/bin/env bash
# Installs a release of sprint for the steps that follow, its archive compared with a digest.
set -euo pipefail

if ! [[ "$INPUT_RELEASE" =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
  echo "::error::the release is named like v0.1.0" >&2
  exit 2
fi
case "$(uname -s)/$(uname -m)" in
  Linux/x86_64) platform=linux_amd64 ;;
  Linux/aarch64) platform=linux_arm64 ;;
  Darwin/arm64) platform=darwin_arm64 ;;
  *) echo "::error::there is no release for $(uname -s)/$(uname -m)" >&2; exit 4 ;;
esac
name="sprint_${INPUT_RELEASE}_$platform"
folder="${RUNNER_TEMP:-/tmp}/sprint-$INPUT_RELEASE"
mkdir -p "$folder"
cd "$folder"
from="https://github.com/sprint-ml/sprint/releases/download/$INPUT_RELEASE"
curl -fsSL --retry 3 -o "$name.tar.gz" "$from/$name.tar.gz"
if [ -n "${INPUT_SHA256:-}" ]; then
  printf '%s  %s\n' "$INPUT_SHA256" "$name.tar.gz" > expected
else
  curl -fsSL --retry 3 -o SHA256SUMS "$from/SHA256SUMS"
  grep -F "  $name.tar.gz" SHA256SUMS > expected
fi
sha256sum --check --strict expected
tar -xzf "$name.tar.gz"
echo "$folder/$name" >> "$GITHUB_PATH"
