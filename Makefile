# What a stranger, a contributor and the CI call. Everything lives in .venv; PYTHON=... chooses the interpreter.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

enough := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3 python; do $$p -c '$(enough)' 2>/dev/null && echo $$p && break; done)
venv := .venv
bin := $(venv)/bin
pip := $(bin)/python -m pip --disable-pip-version-check

.PHONY: help demo web wheel test test-slow works check format catalog docs clean

help:  ## the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 16

demo: $(venv)/demo  ## install, then pictures of digits to proven LiteRT and ONNX files and a report (under 10 minutes)
	$(bin)/mobilevision build sample:digits --recipe quick --to litert,onnx --out demo

web: $(venv)/demo  ## bring the runtimes that `mobilevision demo` runs files in, and axe-core for tests (needs npm)
	$(bin)/python -m mobilevision.pages.demo.runtime
	$(bin)/python tests/axe.py

wheel: web  ## the package with the browser's runtimes inside, into dist/
	$(pip) wheel --quiet --no-deps --wheel-dir dist .

test: $(venv)/dev  ## the fast tests (under 6 minutes)
	$(bin)/python -m pytest -v

test-slow: $(venv)/dev  ## the heavy tests (under 45 minutes)
	$(bin)/python -m pytest -v -m slow --durations=20

works: $(venv)/dev  ## every family, task, format and precision as a small network, kept for docs/works.md (over an hour)
	$(bin)/python -m pytest -v -m matrix --works docs/works_tests.json

check: $(venv)/dev  ## formatting, lint, types
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy

format: $(venv)/dev  ## put the code in form
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

catalog: $(venv)/dev  ## write what `mobilevision list` reads, after a change of the zoo
	$(bin)/python -m mobilevision.zoo.families

docs: $(venv)/dev  ## the pages, into docs/_build/html; a warning is an error
	$(bin)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:  ## remove what make made
	rm -rf $(venv) demo dist docs/_build docs/_api

# Editable, so that what runs is always the checkout; each stamp is renewed when the dependencies change.
$(venv)/demo: pyproject.toml | $(bin)/python
	$(pip) install --quiet --editable '.[litert,onnx,samples]'
	@touch $@

$(venv)/dev: pyproject.toml | $(bin)/python
	$(pip) install --quiet --editable '.[dev]'
	@touch $@ $(venv)/demo

$(bin)/python:
	@$(or $(PYTHON),false) -c '$(enough)' || \
		{ echo "mobilevision needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(venv)
