# Blemish's front door. `make demo` and `make test` set everything up first; nothing else is needed.

BLEMISH := .venv/bin/blemish
PYTEST := .venv/bin/python -m pytest

.PHONY: help setup demo pictures test test-slow lint benchmark contact-sheet lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## Create .venv with the locked dependencies and install missing system libraries

.venv/.ready: requirements.lock pyproject.toml tools/setup
	@tools/setup

demo: setup  ## Render a dataset, train an inspector on it, judge it, and write the report
	$(BLEMISH) demo --out out/demo

pictures: setup  ## Make the pictures of README.md anew
	.venv/bin/python tools/pictures.py

test: setup lint  ## Check style and types, then run the tests
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow" -n auto --dist loadfile

test-slow: setup  ## Run the tests that take minutes
	$(PYTEST) -m slow

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

benchmark: setup  ## Measure speed and memory beside the alternatives
	@for script in benchmarks/[a-z]*.py; do \
		[ $$script = benchmarks/common.py ] || .venv/bin/python $$script --quick || exit 1; done

contact-sheet: setup  ## Render every kind of part, finish, defect and impurity for docs/catalogue.md
	.venv/bin/python tools/contact_sheet.py

lock:  ## Resolve the dependencies of pyproject.toml anew into requirements.lock
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes -q \
		-o requirements.lock

clean:  ## Remove the environment and everything that was made
	rm -rf .venv out build dist *.egg-info
