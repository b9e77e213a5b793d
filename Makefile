# Every target sets up what it needs: Python 3.11+, make and a package registry are enough.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test ways conformance chaos security check format bench build clean

VENV := .venv
BIN := $(VENV)/bin
SERVERS := tests/servers
BENCHMARKS := startup engine durable face hub sandbox ollama routing
ARGS ?=

# A shim that stands for no interpreter does not count as uv, nor does an unrelated active environment.
UV ?= $(shell uv --version >/dev/null 2>&1 && echo uv)
unexport VIRTUAL_ENV
unexport PYTHONPATH
# The tests start hundreds of processes, each of which would compile all of the sources again.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := $(VENV)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$name && break; done)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/runtime.stamp ## run the main job: a host submits a workflow over stdio
	@$(BIN)/gleitzeit demo

# tests/core holds checks to a CPU time, which somebody busy on the other core would spoil.
test: $(VENV)/dev.stamp node ## run the tests (ARGS="-k name" for some of them)
	@$(BIN)/python -m pytest $(or $(ARGS),tests/core)
ifeq ($(ARGS),)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/core
endif

ways: $(VENV)/dev.stamp ## test over every transport, in every era, and each command in a new Python (`test` takes some ways)
	@GLEITZEIT_WAYS=full $(BIN)/python -m pytest -n 2 $(or $(ARGS),tests/cli tests/client tests/conformance tests/examples tests/frame tests/hosts tests/mcp_server tests/providers/mcp tests/spec)

conformance: $(VENV)/dev.stamp node ## run the suites of the protocol's authors, and say what each scenario came to
	@$(BIN)/python -m tests.conformance.report $(ARGS)

chaos: $(VENV)/dev.stamp ## kill, stop and starve real processes at full length (`test` does it at a smaller size)
	@GLEITZEIT_CHAOS=full $(BIN)/python -m pytest tests/chaos $(ARGS)

security: $(VENV)/dev.stamp ## try to get out of the sandbox of every tier, and show what each holds
	@$(BIN)/python -m tests.security.table $(ARGS)
	@GLEITZEIT_SECURITY=full $(BIN)/python -m pytest -q -n 2 tests/providers/python/worker tests/providers/python/stdio/test_attacks.py

check: $(VENV)/dev.stamp ## format, lint, types, imports, sizes
	@if [ -n "$(UV)" ]; then $(UV) lock --check --quiet || { echo "uv.lock does not fit pyproject.toml: run uv lock"; exit 1; }; fi
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python -m pytest -q tests/frame/test_ratchet.py

format: $(VENV)/dev.stamp ## rewrite the sources as `check` wants them
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format --quiet

bench: $(VENV)/dev.stamp ## measure, side by side with the least that could do the same and with other engines
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name </dev/null || exit 1; done

build: $(VENV)/dev.stamp ## build the sdist and the wheel into dist/
	@$(BIN)/python -m hatchling build

clean: ## remove what the other targets made
	rm -rf $(VENV) .bench dist build $(SERVERS)/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# One environment, filled twice: what runs, and what tests and checks. Repeated only when these files change.
$(VENV)/runtime.stamp: pyproject.toml uv.lock
	@echo "Setting up $(VENV) with $(or $(UV),pip)"
ifneq ($(UV),)
	@$(UV) sync --frozen --inexact --no-default-groups --quiet
else
	@$(MAKE) --no-print-directory --quiet $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable .
endif
	@touch $@

$(VENV)/dev.stamp: pyproject.toml uv.lock
	@echo "Setting up $(VENV) with $(or $(UV),pip), for tests and checks"
ifneq ($(UV),)
	@$(UV) sync --frozen --quiet
else
	@$(MAKE) --no-print-directory --quiet $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable . --group dev
endif
	@touch $(VENV)/runtime.stamp $@

# Only reached without uv. pip reads dependency groups since 25.1, and Python 3.11 brings an older one.
$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Gleitzeit needs Python 3.11 or newer: install it, or uv, or call make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) could not make a virtual environment: install its venv module (Debian: python3-venv), or uv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" || { rm -rf $(VENV); exit 1; }

# Real MCP servers and the conformance suite from npm, for the tests alone; and a newer Node for it, where there is none.
.PHONY: node
node:
	@if ! [ -f $(SERVERS)/package-lock.json ]; then :; \
	elif ! npm --version >/dev/null 2>&1 || ! node --version >/dev/null 2>&1; then \
		echo "Node or npm is missing: the tests that use npm servers are skipped"; \
	elif ! [ $(SERVERS)/node_modules/.package-lock.json -nt $(SERVERS)/package-lock.json ]; then \
		npm ci --prefix $(SERVERS) $$(node -p 'process.versions.node.split(".")[0] >= 22 ? "--omit=optional" : ""') --no-audit --no-fund --no-update-notifier --loglevel=error && touch $(SERVERS)/node_modules/.package-lock.json; fi
