# Netra: `make run` serves it, `make test` tests it. Both set themselves up; `make help` lists the rest.

VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8000
HOST ?= 127.0.0.1
ARGS ?=
# How many tests run in parallel; 0 runs them one by one in this process (for a debugger). The default is one more than
# a small machine has processors, because tests with real servers spend most of their time waiting.
JOBS ?= 3
# Compiled modules are kept, whatever the environment sets: tests start hundreds of processes, and without compiled
# modules each of them would spend more than half of its start compiling its libraries.
unexport PYTHONDONTWRITEBYTECODE
# The first Python on the path that is new enough; set PYTHON=… for another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Complete lock files need no resolver; hashes are checked, and the index is whatever pip is configured for. Compiling
# is left to the first import: most of what is installed is never imported, and it is half of the time.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-compile --require-hashes
UV_VERSION := 0.13.9
UV_COMPILE := $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --fork-strategy fewest \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

# The extras of the embedded project. Not openai-agents: nothing here needs it, and its package is named `agents`.
EMBEDDED := api cli login oidc opentelemetry postgres project pydantic-ai redis schemas server

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test lint bench staging chaos site versions dist format lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup  ## install, create development users, serve on 127.0.0.1:$PORT (8000)
	@$(PY) manage.py dev_setup --url http://$(HOST):$(PORT)/
	@LOG_FORMAT=$${LOG_FORMAT:-text} exec $(PY) manage.py serve --reload --host $(HOST) --port $(PORT)

test: setup-dev  ## install, run every test except chaos, site and versions, print coverage (ARGS="…" goes to pytest)
	@sh scripts/ensure-chromium.sh
	@sh scripts/ensure-nginx.sh
	$(PY) -m pytest --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder --cov --cov-report=term \
		-m "not chaos and not site and not versions" $(ARGS)

lint: setup-dev  ## style, types, import contracts, migrations, system checks
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING

bench: setup-dev  ## compare Netra with other servers (ARGS="--rounds 1 --seconds 2 --only netra,daphne_mem")
	$(PY) -m benchmarks.run $(ARGS)

staging: setup-dev  ## PostgreSQL, Valkey, two servers, two workers and a load balancer on loopback (PORT=…)
	@exec $(PY) deploy/staging/start.py

chaos: setup-dev  ## inject faults into a staging of its own, under load; takes a quarter of an hour (ARGS="--only Valkey")
	$(PY) tests/chaos/run.py $(ARGS)

site: setup-dev  ## add Netra to a new project by following the how-to, and remove it; takes minutes (ARGS="-k serve")
	@sh scripts/ensure-chromium.sh
	$(PY) -m pytest tests/adoption --numprocesses 0 $(ARGS)

versions: setup-dev  ## test the wheel with every version of Python and Django; takes minutes and needs an index (ARGS="-k lowest")
	NETRA_TEST_VERSIONS=all $(PY) -m pytest tests/versions --numprocesses 0 $(ARGS)

dist: setup-dev  ## build the wheel and the source archive into dist/
	@rm -rf dist
	@$(PY) scripts/build_dist.py dist >/dev/null
	@ls dist/*

format: setup-dev  ## format the code
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

lock: $(PY)  ## resolve pyproject.toml again into requirements/ (ARGS="--upgrade" for newer versions)
	$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV_COMPILE) $(EMBEDDED:%=--extra %) $(ARGS) --output-file requirements/runtime.txt
	$(UV_COMPILE) $(EMBEDDED:%=--extra %) --extra langgraph --group dev --constraint requirements/runtime.txt $(ARGS) --output-file requirements/dev.txt

clean:  ## remove the environment and caches, keep var/ (database, keys, users)
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache test-results

setup: $(VENV)/.runtime  ## only create .venv, for running
setup-dev: $(VENV)/.dev  ## only create .venv, for development

$(PY):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Netra needs Python 3.11 or newer and found none. Install it, or name it: make run PYTHON=/path/to/python3" >&2; \
		exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# Stamps: an environment is created once, and again when its lock file changes.
$(VENV)/.runtime: requirements/runtime.txt | $(PY)
	@echo "Installing packages (once)"
	@$(PIP_INSTALL) --requirement requirements/runtime.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(PY)
	@echo "Installing packages for development (once)"
	@$(PIP_INSTALL) --requirement requirements/dev.txt
	@touch $(VENV)/.runtime $@
