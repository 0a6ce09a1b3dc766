SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run emoji test test-all lint fmt type docs serve notebooks bench bench-peers

# A Python 3.11 or later that creates the environment.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
# Two worker processes; the tests of a file run in one process and share compiled fixtures.
PYTEST_ARGS ?= -n 2 --dist loadfile --durations=10 --cov=seq2seq_jax --cov-report= --cov-fail-under=90
RUN := runs/g2p
# None of these is in the dictionary.
WORDS := chatbot tokenizer unfriend autocorrect emoji quidditch

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Installs into .venv and shows what pip downloads. Python compiles a module when it is first imported.
PIP_INSTALL = $(PY) -m pip install --no-compile --disable-pip-version-check --editable
PROGRESS = awk '/^ *(Downloading|Installing collected)/ { print substr($$0, 1, 79); fflush() }'

install: .venv/.installed  ## create .venv with everything that running and testing need

.venv/.installed: setup.cfg pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo 'Installing everything for development into .venv: 1.4 GB on disk, about 3 minutes'
	@$(PIP_INSTALL) '.[g2p,images,tfds,search,test,dev]' | $(PROGRESS)
	@touch .venv/.installed-run $@

# What `make run` needs.
.venv/.installed-run: setup.cfg pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo 'Installing JAX and what training needs into .venv: 0.9 GB on disk, about 1 minute'
	@$(PIP_INSTALL) '.[g2p]' | $(PROGRESS)
	@touch $@

run: .venv/.installed-run  ## train a model that pronounces English words, evaluate it, run it on new words
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

test-all: install  ## run all tests, including slow ones
	$(PY) -m pytest $(PYTEST_ARGS) -m 'slow or not slow'

lint: install  ## check style and terms
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) tests/check_terms.py

fmt: install  ## format the code, and fix what ruff can fix
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

type: install  ## check types
	$(PY) -m mypy

docs: .venv/.installed-docs  ## build the documentation in site/, and reject broken links
	$(PY) -m zensical build --clean --strict
	@rm -f site/*_page.py

serve: .venv/.installed-docs  ## serve the documentation with search at http://localhost:8000
	$(PY) -m zensical serve

.venv/.installed-docs: .venv/.installed
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
