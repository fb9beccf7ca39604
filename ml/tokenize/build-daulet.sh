#!/usr/bin/env bash
# Builds libtokenizers.a for `-tags daulet` and runs the comparison of both engines.
#
#   ml/tokenize/build-daulet.sh FOLDER
#
# FOLDER takes the archive (50 MB) and cargo's work; the second time it is quick.
# Needs cargo and a C++ compiler, about 4 CPU-minutes. The crate comes from the
# same module version as the Go code, which checks that its symbols match; its
# one dependency that is fetched by git is replaced by the published release.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: build-daulet.sh FOLDER}"
out=$(cd "$1" && pwd)
cd "$here"
if [ ! -f "$out/libtokenizers.a" ]; then
	go mod download github.com/daulet/tokenizers # a module has no folder before
	module=$(go list -m -f '{{.Dir}}' github.com/daulet/tokenizers)
	rm -rf "$out/crate"
	cp -r "$module/crates/tokenizers" "$out/crate"
	chmod -R u+w "$out/crate"
	sed -i.orig 's#^tiktoken-rs = .*#tiktoken-rs = "=0.9.1"#' "$out/crate/Cargo.toml"
	(cd "$out/crate" && cargo generate-lockfile)
	CARGO_TARGET_DIR="$out/target" cargo build --release --manifest-path "$out/crate/Cargo.toml"
	cp "$out/target/release/libtokenizers_ffi.a" "$out/libtokenizers.a.new"
	mv "$out/libtokenizers.a.new" "$out/libtokenizers.a"
fi
echo "export CGO_LDFLAGS=-L$out"
CGO_LDFLAGS="-L$out" go test -tags daulet -count=1 .
