# Thin targets over cargo and the binary `odd`. `make` lists them.

.DEFAULT_GOAL := help
.PHONY: help setup ui build up down test coverage soak lint release install bench bench-servers image images images-fast clean

# A fresh rustup installation is found before the shell was started anew.
export PATH := $(PATH):$(HOME)/.cargo/bin

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
ODD := $(TARGET_DIR)/debug/odd

# `up`, `test` and `lint` share one profile and one set of features, so that nothing is compiled twice.
FEATURES := --features odd/failpoints

# The lines that count: not those of what only tests use. A program that was killed in the middle of writing what it ran is left out.
COVERED := --failure-mode all --ignore-filename-regex '(^|/)testkit/'

# What is built to be used knows its commit and the date of that. `build`, `test` and `lint` do not, so that a commit compiles nothing anew.
WITH_COMMIT := ODD_COMMIT=$$(./scripts/commit.sh) ODD_COMMIT_DATE=$$(./scripts/commit.sh --date)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Check for what a build needs (installs a C compiler where it may)
	@./scripts/setup.sh

build: setup ui
	cargo build --locked -p odd $(FEATURES)

up: build ## Build and start the observatory, print where to look
	$(ODD) up

down: ## Stop the observatory, keep its data
	@if [ -x $(ODD) ]; then $(ODD) down; else echo "nothing is built, so nothing was started from here"; fi

test: ## Run every test (set-up included: compiler, Node.js, Docker engine, images)
	@./scripts/setup.sh --tests
	@./scripts/ui.sh --test
	cargo test --locked --workspace $(FEATURES) --no-fail-fast
	@ODD_TEST_BINARY=$(ODD) node --test --test-reporter=spec scripts/tests/*.test.mjs

coverage: ## Run the tests of Rust, write which lines they run, hold that to .ci/coverage (needs cargo-llvm-cov)
	@./scripts/setup.sh --tests
	@./scripts/ui.sh
	cargo llvm-cov --locked --workspace $(FEATURES) --no-report
	cargo llvm-cov report --locked $(COVERED) --html --output-dir $(TARGET_DIR)/coverage
	cargo llvm-cov report --locked $(COVERED) --json --summary-only --output-path $(TARGET_DIR)/coverage/summary.json
	@node scripts/coverage.mjs $(TARGET_DIR)/coverage/summary.json $$(git show HEAD^1:.ci/coverage 2>/dev/null)

SEEDS ?= 5
soak: ## Break every part under load, each in SEEDS ways (5), and print the table of faults
	@./scripts/setup.sh --tests
	@./scripts/ui.sh
	ODD_SOAK_SEEDS=$(SEEDS) cargo test --locked --workspace $(FEATURES) --test faults -- --nocapture --test-threads 1

lint: setup ## Check formatting and lints
	@./scripts/ui.sh --lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets $(FEATURES) -- -D warnings

ui: ## Build the page of the web role, where Node.js is there (the targets above do)
	@./scripts/ui.sh

release: setup ui ## Build the optimised binary
	$(WITH_COMMIT) cargo build --locked --release -p odd
	@echo "the binary is $(TARGET_DIR)/release/odd"

install: setup ui ## Install `odd` for this user
	$(WITH_COMMIT) cargo install --path cli --locked

bench: release ## Measure on an instance of its own, removed afterwards
	./scripts/bench.sh $(TARGET_DIR)/release/odd

bench-servers: release ## Measure with every role a process of its own, on real servers in containers
	@./scripts/docker.sh
	./scripts/bench-servers.sh $(TARGET_DIR)/release/odd

image: setup ui ## Build the image of the roles, a static binary and nothing else, and test it
	@./scripts/docker.sh
	@./scripts/image.sh

images: ## Build the servers' images from Debian packages, for machines without an image registry
	@./scripts/docker.sh
	@./scripts/images.sh

images-fast: ## The same for the MongoDB stand-in with its compiled server, for measurements (ten minutes)
	@./scripts/docker.sh
	@./scripts/images.sh --fast

clean: down ## Stop the observatory and remove what was built (data stays)
	cargo clean
