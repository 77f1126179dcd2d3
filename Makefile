# All targets share one virtual environment, which is set up once.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Number of processes that run the tests, on one thread each.
WORKERS ?= 2
PYTEST := $(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PIP := $(RUN) -m pip --disable-pip-version-check -qq

# Named after the content of all files that define the environment: a change sets it up again.
STAMP := $(VENV)/.stamp-$(shell { pwd; cat requirements/pinned.txt pyproject.toml setup.py; } | cksum | cut -d ' ' -f 1)
# Exists while a set-up runs. If it is left over, a set-up was interrupted, and pip would regard
# half-written packages as installed.
UNFINISHED := $(VENV)/.unfinished

.PHONY: help env test test-fast demo bench docs lint clean

help:
	@echo 'make env        set up $(VENV) (every target below does that if needed)'
	@echo 'make test       lint, then run all tests in two processes (WORKERS=4: in four)'
	@echo 'make test-fast  run all tests but the slow ones: about a minute'
	@echo 'make demo       distil a small ViT on 5,000 MNIST digits, from data to table'
	@echo 'make bench      time a training step, the data pipeline and the measures (some minutes)'
	@echo 'make docs       build the documentation in docs/_build/html'
	@echo 'make lint       run ruff, mypy, import-linter and hadolint'
	@echo 'make clean      remove caches and build output; keeps $(VENV), data, work_dirs'
	@echo 'Another Python (3.11 or newer): make PYTHON=python3.12 test'

env: $(STAMP)

$(STAMP):
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "make: wanted Python 3.11 or newer, found no '$(PYTHON)'; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: wanted Python 3.11 or newer, found $$('$(PYTHON)' --version 2>&1) as '$(PYTHON)'; name another: make PYTHON=python3.11" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: wanted Python with venv and ensurepip, found '$(PYTHON)' without; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ]; then \
	  echo '==> removing $(VENV), whose set-up was interrupted'; rm -rf $(VENV); fi
	@echo "==> creating $(VENV) with $$('$(PYTHON)' --version)"
	@mkdir -p $(VENV) && touch $(UNFINISHED) && rm -f $(VENV)/.stamp-*
	@'$(PYTHON)' -m venv $(VENV)
	@echo '==> installing requirements/pinned.txt (a minute or more)'
	@$(PIP) install -r requirements/pinned.txt
	@echo '==> installing mmvitkd as a link to this folder'
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm $(UNFINISHED) && touch $@

test: lint
	@echo '==> pytest'
	@$(PYTEST)

test-fast: env
	@echo '==> pytest -m "not slow"'
	@$(PYTEST) -m 'not slow'

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
	@find . -name $(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
