# Two commands do all their own set-up on a fresh Debian machine: make demo, make test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test test-opensearch opensearch-node lint exam bench docs packages down clean

help:
	@echo "make demo   the nightly pipeline on a made-up business, on this machine; ENGINE=redshift on an emulated one"
	@echo "make test   the tests, on real servers that they start and stop themselves; ONLY=tests/test_load.py runs some"
	@echo "make test-opensearch   the search tests on a real OpenSearch node, which needs Java"
	@echo "make lint   ruff and mypy"
	@echo "make docs   the documentation as a site, in site/"
	@echo "make bench  the same work by this and by other tools, side by side; ONLY=\"small redis\" runs some"
	@echo "make down   stop what make demo started; its data stays in var/"
	@echo "make clean  stop it and delete its data and the virtual environment"

# ENGINE=redshift puts an emulated Redshift in front of the stack's Postgres; it belongs to the tests.
ENGINE ?= postgres
DEMO.postgres := $(BIN)/etl
DEMO.redshift := $(BIN)/python -m tests.redshift.demo
EXTRA.postgres := .demo
EXTRA.redshift := .dev

demo: $(VENV)/$(EXTRA.$(ENGINE)) packages
	@$(DEMO.$(ENGINE)) up
	@$(DEMO.$(ENGINE)) init
	@$(DEMO.$(ENGINE)) demo seed
	@$(DEMO.$(ENGINE)) demo night

test: $(VENV)/.dev packages
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "not exam" $(ONLY)

exam: $(VENV)/.dev packages
	$(BIN)/python -m pytest -n 4 --dist loadfile

# On a real OpenSearch node, which runs on the machine's Java and is not on PyPI.
test-opensearch: opensearch-node packages
	OPENSEARCH_NODE=1 $(BIN)/python -m pytest tests/test_elasticsearch.py

opensearch-node: $(VENV)/.dev
	@if ! command -v mvn >/dev/null; then \
	    if [ "$$(id -u)" != 0 ]; then \
	        echo "Run this once, then try again:  sudo apt-get install -y --no-install-recommends maven" >&2; exit 2; fi; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends maven >/dev/null; \
	fi
	@timeout 180 $(BIN)/python -m tests.opensearch_node

# All contests, or those of ONLY="lineitem refresh".
bench: $(VENV)/.bench packages
	$(call apt_install,bench.programs)
	@$(BIN)/python -m bench $(ONLY)

docs: $(VENV)/.dev
	$(BIN)/zensical build --strict

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy etl tasks demo

# What PyPI does not have. Root gets it installed; anybody else is told the one line to run.
define apt_install
	@missing=$$($(BIN)/python -c 'from $(1) import missing_packages; print(*missing_packages())'); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
	    echo "These packages are missing: $$missing. Run this once, then try again:" >&2; \
	    echo "  sudo apt-get install -y --no-install-recommends $$missing" >&2; exit 2; \
	fi
endef

packages: $(VENV)/.demo
	$(call apt_install,etl.stack)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed" >&2; exit 2; }
	@if ! $(PYTHON) -m venv $(VENV) 2>/dev/null; then \
	    rm -rf $(VENV); \
	    if [ "$$(id -u)" != 0 ]; then \
	        echo "Run this once, then try again:  sudo apt-get install -y python3-venv" >&2; exit 2; fi; \
	    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	fi
	@touch $(VENV)/.made-by-make

$(VENV)/.%: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing .[$*]: the first time this takes a while"
	@$(BIN)/pip install --quiet --disable-pip-version-check --root-user-action ignore -e '.[$*]'
	@touch $@

STACK = $(if $(wildcard var/redshift),$(DEMO.redshift),$(DEMO.postgres))

down:
	@if [ -x $(BIN)/etl ]; then $(STACK) down; fi

clean:
	@if [ -x $(BIN)/etl ]; then $(STACK) clean; fi
	@if [ -e $(VENV)/.made-by-make ]; then rm -rf $(VENV) turnstile_etl.egg-info; fi
