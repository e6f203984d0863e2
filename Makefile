# Blemish's front door. `make demo` and `make test` set everything up first; nothing else is needed.

BLEMISH := .venv/bin/blemish
PYTEST := .venv/bin/python -m pytest
# Tests that run within Blender; those beside it start commands of this Python, which a Blender program has not.
BESIDE_BLENDER := $(addprefix tests/blender_addon/,ui/learn/test_environment.py ui/learn/test_learn.py \
	ui/learn/test_installing.py ui/dataset/test_render_run.py ui/dataset/test_own_scene.py own_scene/test_dataset.py \
	workers/test_render.py)
IN_BLENDER := $(filter-out $(BESIDE_BLENDER),$(wildcard tests/blender_addon/ui/test_*.py tests/blender_addon/ui/*/test_*.py)) \
	tests/blender_addon/test_hostile.py \
	$(addprefix tests/blender_addon/own_scene/,test_frames.py test_objects.py test_variation.py test_resting.py) \
	$(addprefix tests/blender_addon/rendering/,test_passes.py test_lights.py)

.PHONY: help setup own-environment demo pictures test test-slow test-gpu fuzz test-blender test-blender-versions lint \
	docs benchmark catalogue contact-sheet extension page-libraries lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: own-environment .venv/.ready  ## Create .venv with the locked dependencies and install missing system libraries

.venv/.ready: requirements.lock pyproject.toml tools/setup
	@tools/setup

own-environment:  # though another checkout's .venv may be as new as it has to be
	@tools/setup --check

demo: setup  ## Render a dataset, train an inspector on it, judge it, and write the report
	$(BLEMISH) demo --out out/demo

pictures: setup  ## Make the pictures of README.md anew
	.venv/bin/python tools/pictures.py

test: setup lint  ## Check style and types, then run the tests
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow and not window" -n auto --dist loadfile

test-slow: setup  ## Run the tests that take minutes
	$(PYTEST) -m "slow and not window"

test-gpu: setup  ## Run the tests that need a graphics card
	$(PYTEST) -m gpu tests

fuzz: setup  ## Spoil 100,000 files for every reader with hypothesis, and with atheris where it is installed; hours
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.fuzz.run

test-faults: setup  ## Kill, crowd and damage every writer and count what is lost; KILLS=100 CALLS=0 FLIPS=1000 ONLY=
	OMP_NUM_THREADS=1 $(PYTEST) tests/faults --kills $(or $(KILLS),100) --calls $(or $(CALLS),0) \
		--flips $(or $(FLIPS),1000) $(and $(ONLY),-k "$(ONLY)")

test-blender: setup  ## Work the panel in the window of Debian's Blender 3.4; pictures of it in out/test-blender
	@tools/blenders
	OMP_NUM_THREADS=1 $(PYTEST) tests/blender_addon/window -m window

test-blender-versions: setup  ## Run Blender's tests in 3.4, 4.2, 4.5, 5.0 and 5.2, and what compares them
	@tools/blenders
	@for python in .blenders/bpy-*/bin/python .venv/bin/python; do \
		$$python -c 'import bpy; print("Blender", bpy.app.version_string)' && \
		OMP_NUM_THREADS=1 $$python -m pytest $(IN_BLENDER) -p no:cacheprovider && \
		{ [ ! -e $$(dirname $$python)/python3.11 ] || \
		OMP_NUM_THREADS=1 $$python -m pytest $(BESIDE_BLENDER) -p no:cacheprovider; } || exit 1; done
	@! command -v blender >/dev/null || { blender --version | head -n 1; \
		PYTHONPATH=$(CURDIR)/.venv/lib/python3.11/site-packages:$(CURDIR) OMP_NUM_THREADS=1 \
		blender --background --factory-startup --python-use-system-env --python tests/blender_addon/inside.py -- \
		$(IN_BLENDER); }
	OMP_NUM_THREADS=1 $(PYTEST) tests/blender_addon/test_versions.py tests/blender_addon/test_extension.py

docs: setup  ## Build the site of docs/ with the reference of all public names into out/docs
	.venv/bin/python -m sphinx -q -W --keep-going -b html docs out/docs

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

benchmark: setup  ## Measure speed and memory beside the alternatives
	@for script in $$(grep -l '"--quick"' benchmarks/*.py); do .venv/bin/python $$script --quick || exit 1; done

catalogue: setup  ## Write what follows from the catalogue: the panel's schema.json and docs/catalogue.md
	.venv/bin/python -m blender_addon.ui.schema
	.venv/bin/python tools/contact_sheet.py --page

contact-sheet: setup  ## Render every kind of part, finish, defect and impurity for docs/catalogue.md
	.venv/bin/python tools/contact_sheet.py

extension: setup  ## Pack the add-on for Blender's installer into dist/, with the libraries it needs
	@.venv/bin/python tools/extension.py

page-libraries:  ## Make anew what the page on a dataset is built on, by npm, from tools/page_libraries
	cd tools/page_libraries && npm ci --ignore-scripts && node build.js ../../scenes/gallery/page

lock:  ## Resolve the dependencies of pyproject.toml anew into requirements.lock
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes -q \
		-o requirements.lock

clean:  ## Remove the environment and everything that was made
	rm -rf .venv out build dist *.egg-info
