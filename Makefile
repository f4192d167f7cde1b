# The list of commands. `make` alone prints it.
#
# What is built is kept outside the tree, so that a fresh clone does not build it again:
#   SIGNET_CACHE      where (default: the user's cache directory)
#   CARGO_TARGET_DIR  where cargo builds (default: in SIGNET_CACHE)
SHELL := /bin/bash
.DEFAULT_GOAL := help

export SIGNET_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/signet
export CARGO_TARGET_DIR ?= $(SIGNET_CACHE)/target
# A debug build with every dependency's symbols fills the disk for nothing.
export CARGO_TERM_COLOR ?= auto

CARGO := cargo
ARGS :=

# Everything that is built for daily work is selected out of the whole workspace: cargo unites features
# over what is selected, and another selection would build tokio, kube and what stands on them again.
WORKSPACE := --workspace --locked

# The suites that look harder when they have the time.
SOAK := fuzzing sealed_takeover sealed_faults sealed_outage crash

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Cargo tells a fresh file from a stale one by its time, and two checkouts that share a target
# directory share its files too: whoever comes from another checkout makes all of its files new.
.PHONY: checkout
checkout:
	@if [ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" != "$(CURDIR)" ]; then \
	    git ls-files -z -- '*.rs' '*Cargo.toml' Cargo.lock | xargs -0 touch -c; \
	    mkdir -p $(CARGO_TARGET_DIR) && echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/checkout; \
	fi

.PHONY: prepare
prepare: checkout ## build and install what the tests run against (once; kept in the cache)
	@$(CARGO) build --quiet $(WORKSPACE) --bin prepare
	@$(CARGO_TARGET_DIR)/debug/prepare

.PHONY: build
build: checkout ## build both programs for daily work
	$(CARGO) build $(WORKSPACE) --bin controller --bin kubeseal

.PHONY: release
release: checkout ## build both programs as they are shipped
	$(CARGO) build --release --package controller --package kubeseal-cli

.PHONY: demo
demo: build prepare ## the main job from end to end; ARGS=--once stops everything afterwards
	@$(CARGO) build --quiet $(WORKSPACE) --bin demo
	@$(CARGO_TARGET_DIR)/debug/demo $(ARGS)

.PHONY: lint
lint: checkout ## format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets -- --deny warnings
	@./tests/lint.sh

.PHONY: test
test: lint build prepare ## everything that a change needs: under 15 minutes when built
	$(CARGO) test $(WORKSPACE) $(ARGS)

.PHONY: soak
soak: build prepare ## what takes longer: faults, churn, take-overs, long fuzzing (40 minutes at most)
	$(CARGO) test $(WORKSPACE) --features tests/soak $(addprefix --test ,$(SOAK)) $(ARGS)

.PHONY: bench
bench: release build prepare ## measure against the incumbents, in the same run
	@$(CARGO) build --quiet --release --package tests --bin bench
	@$(CARGO_TARGET_DIR)/release/bench $(ARGS)

.PHONY: crds
crds: checkout ## write crds/yaml again from the types
	$(CARGO) run --quiet --package crds --bin generate-crds -- crds/yaml

.PHONY: sbom
sbom: ## print what is in the image, as CycloneDX
	@./deploy/sbom.py

.PHONY: deny
deny: ## licences, sources and banned crates (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources
