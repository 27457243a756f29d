# Gatehouse: `make run` serves it, `make test` passes every test. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Passed on to the server (`make run ARGS="--config my.yaml"`) or to pytest (`make test-api
# ARGS="-k keys"`).
ARGS ?=

# One build folder a purpose: a release, a debug or a core build never throws away another's work.
RELEASE := .build
TEST := .build-test
CORE := .build-core
BENCH := .build-bench
WEB := .build-web
BINARY := $(RELEASE)/release/gatehouse

# build-id ties the binary to its debug symbols. Symbols that nothing looks up at run time are not
# exported: 3 MB less. Addresses are bound at the start and then read-only.
LINKER := --build-id --no-export-dynamic -z now

# What the binary is made of. Folders are listed too: theirs is the time that changes when a file
# is removed.
SOURCES := Package.swift tools/web-assets tools/web-assets.txt $(shell find Sources web)

# The binary that the API tests start; GATEHOUSE_BINARY=… tests another, such as a release.
GATEHOUSE_BINARY ?= $(CURDIR)/$(TEST)/debug/gatehouse
export GATEHOUSE_BINARY
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest Tests/api -o cache_dir=$(CURDIR)/.cache/pytest
PYTEST_BROWSER := $(VENV)/bin/python -m pytest Tests/browser -o pythonpath=Tests/api \
	-o cache_dir=$(CURDIR)/.cache/pytest-browser
REQUIREMENTS := Tests/api/requirements.txt

# Not spelt $(MAKE) in a recipe: make runs every line with that word even under `make -n`, and the
# whole of `make test` is one such line.
AGAIN := $(MAKE) --no-print-directory

# $(call stage,NAME,COMMAND): runs a command of `make test` and says how long it took.
define stage
	echo "== $(1)"; at=$$SECONDS; \
	$(2) || { echo "== $(1): FAILED after $$((SECONDS - at)) s"; exit 1; }; \
	echo "== $(1): $$((SECONDS - at)) s";
endef

.PHONY: help run build test test-core test-api test-browser screenshots soak bench-gate \
	bench-admit deb test-deb tested-binary lint format assets packages clean

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(BINARY) ## Builds a release and serves on SQLite, nothing to set up (ARGS="…")
	@exec $(BINARY) serve $(ARGS)

build: $(BINARY) ## Builds the release: .build/release/gatehouse

# The touch: a build that changes nothing in the binary leaves its time as it was, and make would
# build again at every call.
$(BINARY): $(SOURCES) | packages
	@tools/web-assets
	swift build -c release --product gatehouse --static-swift-stdlib --scratch-path $(RELEASE) \
		$(addprefix -Xlinker ,$(LINKER))
	@touch $@

deb: $(BINARY) ## Packages the release for Debian: dist/gatehouse_….deb
	@tools/system-packages deb
	tools/package-deb $(BINARY)

# XCTest is off because no test here uses it, and its "Executed 0 tests" reads like an alarm.
test: ## Installs what is missing, then runs every test; the last line is the time it took
	@$(call stage,system packages,tools/system-packages test) \
	$(call stage,style,$(AGAIN) lint) \
	$(call stage,web assets,tools/web-assets) \
	$(call stage,build,swift build --build-tests --scratch-path $(TEST)) \
	$(call stage,Swift tests,tools/with-postgres \
		swift test --skip-build --disable-xctest --scratch-path $(TEST)) \
	$(call stage,API tests,$(AGAIN) test-api) \
	$(call stage,browser tests,$(AGAIN) test-browser) \
	echo "== all passed in $$SECONDS s"

test-core: ## Runs the tests of Domain and Store alone, without the HTTP stack
	GATEHOUSE_ROOMS=core tools/with-postgres \
		swift test --disable-xctest --scratch-path $(CORE)

test-api: tested-binary $(VENV)/made-from.txt ## Runs the API tests (Python) on the debug build
	tools/with-postgres $(PYTEST) -m "not soak" $(ARGS)

test-browser: tested-binary $(VENV)/made-from.txt ## Runs the console's tests in a real browser
	$(PYTEST_BROWSER) $(ARGS)

screenshots: tested-binary $(VENV)/made-from.txt ## Pictures of every page, in .cache/screenshots
	PYTHONPATH=Tests/api $(VENV)/bin/python Tests/browser/screenshots.py .cache/screenshots

soak: tested-binary $(VENV)/made-from.txt ## Runs the long API tests, which `make test` leaves out
	tools/with-postgres $(PYTEST) -m "soak and not deb" $(ARGS)
	$(AGAIN) test-deb

test-deb: export GATEHOUSE_BINARY := $(CURDIR)/$(BINARY)
test-deb: $(BINARY) $(VENV)/made-from.txt ## Installs, upgrades, purges the package in a chroot
	@tools/system-packages test-deb
	$(PYTEST) -m deb $(ARGS)

tested-binary:
	@[[ -x $$GATEHOUSE_BINARY ]] \
		|| { echo "There is no $$GATEHOUSE_BINARY; 'make test' builds it." >&2; exit 1; }

# Named after its last step, so that an install cut short is done again.
$(VENV)/made-from.txt: $(REQUIREMENTS)
	@if cmp --silent $< $@; then touch $@; exit; fi; \
	rm -rf $(VENV); \
	python3 -m venv $(VENV); \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes --requirement $<; \
	cp $< $@

bench-gate: $(BINARY) ## What the gate costs, beside a bare NIO answer and the framework's hello
	@tools/system-packages bench
	swift build -c release --package-path Benchmarks --scratch-path $(BENCH)
	python3 Benchmarks/gate.py $(ARGS)

bench-admit: ## Nanoseconds and allocations of one warm decision
	GATEHOUSE_ROOMS=core swift run -c release --scratch-path $(CORE)-release AdmitBenchmark

lint: $(VENV)/made-from.txt ## Checks the style of the Swift files and of the console
	swift format lint --strict --parallel --recursive Sources Tests Package.swift
	cd web && ../$(VENV)/bin/biome ci --error-on-warnings .

format: $(VENV)/made-from.txt ## Puts them into that style
	swift format --in-place --parallel --recursive Sources Tests Package.swift
	cd web && ../$(VENV)/bin/biome check --write .

assets: ## Makes what browsers load: .build-web, which every build puts into the binary
	@tools/web-assets

packages: ## Installs the system packages that a build needs
	@tools/system-packages

clean: ## Removes everything built; data/ stays
	rm -rf $(RELEASE) $(TEST) $(CORE) $(CORE)-release $(BENCH) $(WEB) $(VENV) .cache dist
