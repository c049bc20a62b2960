# Two commands matter: `make demo` and `make test`. Both set up all that they need, inside this folder.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
# The uv of this machine, or one installed into .tools.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
UV_VERSION := $(shell sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.txt)
BIN := .venv/bin
LOCKS := requirements.txt local/emulator.txt local/python-runtime.txt services/b3/requirements.txt

.PHONY: help setup demo test parity simulate chaos check lock clean

help: ## say what each command does
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  %-12s %s\n", $$1, $$2}'

demo: setup ## deploy to the local target and run A -> (B1, B2, B3) -> C on a real text
	@$(BIN)/orchestra demo

test: check ## set everything up, then lint, types and every test
	@$(BIN)/pytest

DAGS ?= 200
parity: setup ## every scenario and DAGS=200 drawn workflows on both engines, and the table; minutes
	@$(BIN)/python -m tests.parity --dags $(DAGS) $(if $(SEED),--seed $(SEED))

SEEDS ?= 50000
BASE ?= 0
simulate: setup ## the engine in SEEDS=50000 simulated worlds where everything goes wrong, from BASE=0 on; minutes
	@$(BIN)/python -m tests.simulation run --seeds $(SEEDS) --base $(BASE)

chaos: setup ## 200 runs while workers die, calls fail and the emulator goes down twice; minutes
	@$(BIN)/pytest -m chaos -rP

check: setup ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

setup: .venv/.done .orchestra/emulator/.done .orchestra/python/.done ## make .venv and the emulator's environment from the locks

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("orchestra needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; say which to use: make PYTHON=python3.12")'
	@echo "Installing uv $(UV_VERSION) into .tools"
	@$(PYTHON) -m venv .tools
	@sed -n '/^uv==/,/^[^ ]*==/p' requirements.txt | sed '$$d' > .tools/uv.txt
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .tools/uv.txt

.venv/.done: requirements.txt pyproject.toml | $(UV)
	@echo "Installing the locked packages into .venv"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

.orchestra/%/.done: | .venv/.done
	@echo "Installing $< into $(@D)"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	@touch $@
.orchestra/emulator/.done: local/emulator.txt
.orchestra/python/.done: local/python-runtime.txt

lock: | $(UV) ## compile every lock again from pyproject.toml
	$(UV) pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 --group dev pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 --group emulator -o local/emulator.txt
	$(UV) pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 --group python-runtime -c requirements.txt -o local/python-runtime.txt
	$(UV) pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 services/b3/requirements.in -o services/b3/requirements.txt

clean: ## stop the local stack and remove all that the other commands made
	@if [ -x $(BIN)/orchestra ]; then $(BIN)/orchestra local down; fi
	@rm -rf .venv .tools .orchestra
