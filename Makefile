SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run emoji test test-all smoke wheel lint fmt type docs serve notebooks release \
  address bench bench-peers

# A Python 3.11 or later that creates the environment. With PYTHON=python3.13, and a .venv of another
# version, the environment is .venv-3.13.
VENV := .venv
ifdef PYTHON
  override PYTHON := $(or $(shell .ci/find_python $(PYTHON)),$(error PYTHON=$(PYTHON) is not found))
  VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  ifeq ($(wildcard .venv/lib/python$(VERSION)),)
    VENV := $(if $(wildcard .venv/bin/python),.venv-$(VERSION),.venv)
  endif
else
  PYTHON := $(or $(shell .ci/find_python python3.11),$(shell .ci/find_python))
endif
PY := $(VENV)/bin/python
# Two worker processes; the tests of a file run in one process and share compiled fixtures.
PYTEST_ARGS ?= -n 2 --dist loadfile --durations=10 --cov=seq2seq_jax --cov-report= --cov-fail-under=90
RUN := runs/g2p
# None of these is in the dictionary.
WORDS := chatbot tokenizer unfriend autocorrect emoji quidditch

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Installs into $(VENV) and shows what pip downloads. Python compiles a module when it is first imported.
PIP_INSTALL = set -o pipefail; $(PY) -m pip install --no-compile --disable-pip-version-check --editable
PROGRESS = awk '/^ *(Downloading|Installing collected)/ { print substr($$0, 1, 79); fflush() }'

install: $(VENV)/.installed  ## create .venv with everything that running and testing need

$(VENV)/.installed: setup.cfg setup.py pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo 'Installing everything for development into $(VENV): 1.4 GB on disk, about 3 minutes'
	@$(PIP_INSTALL) '.[g2p,images,tfds,search,serve,test,dev]' | $(PROGRESS)
	@touch $(VENV)/.installed-smoke $(VENV)/.installed-run $@

# What `make run` needs.
$(VENV)/.installed-run: setup.cfg setup.py pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo 'Installing JAX and what training needs into $(VENV): 0.9 GB on disk, about 1 minute'
	@$(PIP_INSTALL) '.[g2p]' | $(PROGRESS)
	@touch $@

run: $(VENV)/.installed-run  ## train a model that pronounces English words, evaluate it, run it on new words
	$(PY) main.py --config=configs/g2p.py --workdir=$(RUN)
	$(PY) main.py --mode=eval --workdir=$(RUN) --config.inference.beam_search.beam_width=5 \
	  --config.input_pipeline_dev.params.split=test
	$(PY) main.py --mode=infer --workdir=$(RUN) --config.inference.beam_search.beam_width=5 \
	  $(WORDS) | paste <(printf '%s\n' $(WORDS)) -
	@echo
	@echo 'Next:'
	@echo '  . .venv/bin/activate'
	@echo '  seq2seq-jax infer --workdir=$(RUN)           # type words, read their phones'
	@echo '  seq2seq-jax errors --workdir=$(RUN)          # what the model gets wrong'
	@echo '  seq2seq-jax attention --workdir=$(RUN) --output=attention psychologist'
	@echo 'docs/own_data.md describes how to train on your own data.'

# experiments/emoji/README.md says where the images and the network come from. Needs npm.
EMOJI = $(shell $(PY) -c 'from seq2seq_jax.utils.cache_dir import cache_dir; print(cache_dir("emoji"))')
NEAREST = $(PY) -m experiments.emoji.nearest_neighbour

emoji: install  ## train a model that names the emoji of one vendor, and test it on another's
	$(PY) -m experiments.emoji.fetch
	$(PY) main.py --config=experiments/emoji/config.py --workdir=runs/emoji
	$(PY) main.py --mode=eval --workdir=runs/emoji \
	  --config.input_pipeline_dev.params.captions=$(EMOJI)/test.tsv
	@echo "Baseline, the name of the most similar image, compared by pixels:"
	$(NEAREST)
	@for block in mixed2 mixed3 mixed4; do echo "Compared by the features of $$block:"; \
	  $(NEAREST) --block=$$block; done

test: install  ## run the tests
	$(PY) -m pytest $(PYTEST_ARGS)

test-all: $(VENV)/.installed-all  ## run all tests, including slow ones, with all trackers
	$(PY) -m pytest $(PYTEST_ARGS) -m 'slow or not slow'

# Weights & Biases, MLflow and the datasets of HuggingFace: 200 MB, without which their tests skip.
$(VENV)/.installed-all: $(VENV)/.installed
	@$(PIP_INSTALL) '.[datasets,mlflow,wandb]' | $(PROGRESS)
	@touch $@

# The environment of a Python for this target has the extras g2p and test only.
SMOKE := tests/test_first_step.py tests/test_wheel.py tests/config tests/ops tests/storage \
  tests/commands/test_configuration.py tests/utils

smoke: $(VENV)/.installed-smoke  ## run a quick part of the tests, as in make smoke PYTHON=python3.13
	$(PY) -m pytest -n 2 --dist loadfile $(SMOKE)

$(VENV)/.installed-smoke: setup.cfg setup.py pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) '.[g2p,test]' | $(PROGRESS)
	@touch $@

wheel: install  ## build the wheel in dist/
	rm -rf build dist
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build
	@ls dist/*.whl

release: wheel  ## build and check what a release publishes, and name it; nothing is published
	$(PY) -m twine check --strict dist/*.whl
	@$(PY) -m docs.release check

# ADDRESS is the new address of the repository, as in ADDRESS=https://github.com/NAME/seq2seq-jax.
address: install  ## write the address of the repository into all files that contain it
	@$(PY) -m docs.release address $(ADDRESS)

lint: install  ## check style and terms
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) tests/check_terms.py

fmt: install  ## format the code, and fix what ruff can fix
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

type: install  ## check types
	$(PY) -m mypy

# The site links to the repository once that has an address.
READ_ADDRESS = from seq2seq_jax.utils.installation import *; print(REPOSITORY * PUBLISHED)
SITE = SITE_REPOSITORY="$$($(PY) -c '$(READ_ADDRESS)')" $(PY) -m

docs: $(VENV)/.installed-docs  ## build the documentation in site/, and reject broken links
	$(SITE) zensical build --clean --strict
	@rm -f site/*.py

serve: $(VENV)/.installed-docs  ## serve the documentation with search at http://localhost:8000
	$(SITE) zensical serve

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PY) -m pip install --quiet --editable '.[docs]'
	touch $@

# NOTEBOOKS selects notebooks, as in NOTEBOOKS="attention captions"; the default is all.
notebooks: install  ## execute the notebooks and store their outputs
	$(PY) notebooks/execute.py $(NOTEBOOKS)

# BENCH holds options, as in BENCH="--cases A,B --threads 1,2 --seconds 5".
bench: install  ## measure speed and memory of training and decoding
	@$(PY) -m benchmarks speed $(BENCH)

bench-peers: install  ## the same, interleaved with OpenNMT-py, JoeyNMT, fairseq and PyTorch
	@$(PY) -m benchmarks install
	@$(PY) -m benchmarks speed --cases A,B,C,R --peers all --rounds 3 $(BENCH)
