# All targets share one virtual environment, which is set up once; each of `make test-matrix` has
# its own.
PYTHON ?= python3
VENV := .venv
REQUIREMENTS := requirements/pinned.txt
# The oldest Python that these run on, 3.N.
MINOR := 11
RUN := $(VENV)/bin/python
# Number of processes that run the tests, on one thread each.
WORKERS ?= 2
PYTEST_OPTIONS := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST := $(RUN) -m pytest $(PYTEST_OPTIONS)
PIP := $(RUN) -m pip --disable-pip-version-check -qq

# Named after the content of all files that define the environment: a change sets it up again.
STAMP := $(VENV)/.stamp-$(shell { pwd; cat $(REQUIREMENTS) pyproject.toml setup.py; } | cksum | cut -d ' ' -f 1)
# Exists while a set-up runs. If it is left over, a set-up was interrupted, and pip would regard
# half-written packages as installed.
UNFINISHED := $(VENV)/.unfinished

.PHONY: help env test test-fast test-matrix test-oldest test-newest demo bench docs lint clean

help:
	@echo 'make env        set up $(VENV) (every target below does that if needed)'
	@echo 'make test       lint, then run all tests in two processes (WORKERS=4: in four)'
	@echo 'make test-fast  run all tests but the slow ones: two to three minutes'
	@echo 'make test-matrix  run the core of the tests with the oldest and the newest versions of all'
	@echo '                packages, in two more environments of 6 GB each (test-oldest, test-newest)'
	@echo 'make demo       distil a small ViT on 5,000 MNIST digits, from data to table'
	@echo 'make bench      time a training step, the data pipeline and the measures (some minutes)'
	@echo 'make docs       build the documentation in docs/_build/html'
	@echo 'make lint       run ruff, mypy, import-linter and hadolint'
	@echo 'make clean      remove caches and build output; keeps .venv*, data, work_dirs'
	@echo 'Another Python (3.11 or newer; 3.10 for the matrix): make PYTHON=python3.12 test'

env: $(STAMP)

$(STAMP):
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "make: wanted Python 3.$(MINOR) or newer, found no '$(PYTHON)'; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, $(MINOR)))' || { \
	  echo "make: wanted Python 3.$(MINOR) or newer, found $$('$(PYTHON)' --version 2>&1) as '$(PYTHON)'; name another: make PYTHON=python3.$(MINOR)" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: wanted Python with venv and ensurepip, found '$(PYTHON)' without; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ]; then \
	  echo '==> removing $(VENV), whose set-up was interrupted'; rm -rf $(VENV); fi
	@echo "==> creating $(VENV) with $$('$(PYTHON)' --version)"
	@mkdir -p $(VENV) && touch $(UNFINISHED) && rm -f $(VENV)/.stamp-*
	@'$(PYTHON)' -m venv $(VENV)
	@echo '==> installing $(REQUIREMENTS) (a minute or more)'
	@$(PIP) install -r $(REQUIREMENTS)
	@echo '==> installing mmvitkd as a link to this folder'
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm $(UNFINISHED) && touch $@

test: lint
	@echo '==> pytest'
	@$(PYTEST)

test-fast: env
	@echo '==> pytest -m "not slow"'
	@$(PYTEST) -m 'not slow'

test-matrix: test-oldest test-newest

test-oldest test-newest: test-%:
	@$(MAKE) --no-print-directory --silent env VENV=.venv-$* REQUIREMENTS=requirements/$*.txt MINOR=10
	@echo '==> pytest -m core, with requirements/$*.txt'
	@.venv-$*/bin/python -m pytest $(PYTEST_OPTIONS) -m core

demo: env
	@echo '==> tools/demo.py'
	@$(RUN) tools/demo.py

bench: env
	@echo '==> benchmarks/train_step.py'
	@$(RUN) benchmarks/train_step.py --iterations 7 --warm-up 2 --candidates \
	  baseline baseline-again mmrazor timm-logits ours ours-bf16-teacher ours-fast
	@echo '==> benchmarks/train_step.py --first-block'
	@$(RUN) benchmarks/train_step.py --first-block --iterations 7 --warm-up 2 --candidates \
	  alone-again ours
	@echo '==> benchmarks/data_pipeline.py'
	@$(RUN) benchmarks/data_pipeline.py
	@echo '==> benchmarks/analysis.py'
	@$(RUN) benchmarks/analysis.py --rounds 3
	@echo '==> benchmarks/sep_hook.py'
	@$(RUN) benchmarks/sep_hook.py --num-images 64 --steps 3

docs: env
	@echo '==> sphinx-build'
	@$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo 'docs/_build/html/index.html'

lint: env
	@echo '==> ruff check'
	@$(RUN) -m ruff check .
	@echo '==> ruff format --check'
	@$(RUN) -m ruff format --check .
	@echo '==> mypy'
	@$(RUN) -m mypy
	@echo '==> lint-imports'
	@$(VENV)/bin/lint-imports
	@echo '==> hadolint'
	@$(VENV)/bin/hadolint Dockerfile

clean:
	@echo '==> removing caches and build output'
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .dist_test docs/_build
	@find . -name '.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +
