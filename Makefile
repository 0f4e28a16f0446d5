# `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PORT ?= 8000
# Elsewhere for a checkout that cannot be written to: make demo VENV=/elsewhere/venv DATA_DIR=/elsewhere/demo GATEWAY_WEB=off
VENV := .venv
BIN := $(VENV)/bin
# By the environment's Python, not by their first line, which names the path that the checkout had.
RUN := $(BIN)/python $(BIN)/
# npm wants one, and some users have none.
ifeq ($(HOME),)
export HOME := $(shell home=~; test -w "$$home" && echo "$$home" || echo "$(abspath $(VENV))")
endif
# The first Python that is new enough; `make demo PYTHON=/path/to/python3` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo test check fmt schema docs pages bench bench-peers lock psql clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo pages ## Set up everything and serve the demo (PORT=8123 for another port, RESET=1 for new data, DATA_DIR=… for another place)
	@exec $(RUN)gateway demo --port $(PORT) $(if $(RESET),--reset) $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

test: $(VENV)/.dev pages ## Set up everything and pass the whole suite (ARGS="-k heatmap" to choose)
	$(RUN)pytest -n auto $(ARGS)

check: $(VENV)/.dev $(VENV)/.node ## Formatting, lint, types, import contracts, migration lint, freshness of printed files, the pages' sources
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(RUN)mypy
	$(RUN)lint-imports
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
	@exec $(RUN)gateway psql $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

clean: ## Remove the environment, the built pages, npm's packages and the demo's data
	rm -rf $(VENV) .demo gateway/web web/src/generated.ts web/node_modules tests/clients/node_modules bench/peers/*/node_modules tests/rest_compat/clients/node_modules

# Of a checkout that was moved or copied the commands are of its old place, and so is where they find the gateway.
ifneq ($(shell cat $(VENV)/made-for 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.demo
endif

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found. Install one, or: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }

# Without the pages: those are built by themselves, whenever their sources change.
$(VENV)/.demo: pyproject.toml constraints.txt | python
	@$(PYTHON) environment.py $(VENV) demo
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@$(PYTHON) environment.py $(VENV) dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@$(PYTHON) environment.py $(VENV) bench
	@touch $@

# The machine's Node where it is new enough, else one from PyPI.
$(VENV)/.node: $(VENV)/.demo
	@$(BIN)/python web/build.py node >/dev/null 2>&1 || $(PYTHON) environment.py $(VENV) node
	@touch $@

.PHONY: screenshots
screenshots: $(VENV)/.dev pages ## Write pictures of the pages, with Chromium, into screenshots/
	$(BIN)/python -m tests.pages.screenshots screenshots
