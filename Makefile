# `make` alone lists what can be made.
PYTHON ?= python3
BIN := .venv/bin
CUDA ?= 12
SOURCES := lenet tests benchmarks experiments docs

.DEFAULT_GOAL := help
.PHONY: help sweep test test-long test-extras test-all test-lowest test-latest test-gpu screenshots reliability bench bench-gpu experiment experiments experiments-report docs pictures lint types clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: pyproject.toml
	@echo "Making .venv and installing (MLflow is large: this takes a minute or two) …"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

.venv-extras/installed: pyproject.toml
	@echo "Making .venv-extras and installing, Ray too (this takes a minute or two) …"
	$(PYTHON) -m venv .venv-extras
	.venv-extras/bin/pip install --quiet --disable-pip-version-check --editable '.[test,optuna,ray,slurm]' 'psycopg[binary]' 'cupy-cuda12x>=14' playwright
	touch $@

# An environment for each CUDA: CuPy's packages for two of them are in each other's way, and so are PyTorch's libraries.
GPU := .venv-cuda$(CUDA)
TORCH_FOR_12 := torch>=2.4,<2.11
TORCH_FOR_13 := torch>=2.11

$(GPU)/installed: pyproject.toml
	$(PYTHON) -m venv $(GPU)
	$(GPU)/bin/pip install --quiet --disable-pip-version-check --editable '.[test,cuda$(CUDA)]'
	touch $@

sweep: .venv/installed ## train twice, at two learning rates, on the digits that come with the install
	$(BIN)/python -m lenet.run optimizer.lr=0.005,0.01 -m

test: .venv/installed ## run the tests (under five minutes)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-long: .venv/installed ## run the long tests alone (those on full MNIST need $LENET_DATA)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'slow or full_mnist'

# An environment of their own: Ray's launcher holds cloudpickle, which MLflow uses too, to an old version.
test-extras: .venv-extras/installed ## run the tests of searches, clusters, servers, CuPy's names and the UI in a browser
	.venv-extras/bin/python -m pytest tests/configuration/test_search.py
	.venv-extras/bin/python -m pytest tests/device/test_contract.py
	.venv-extras/bin/python -m pytest -m browser tests/browser
	.venv-extras/bin/python -m pytest -m cluster

test-all: test test-long test-extras ## run all tests

# In an environment made anew, with the versions that uv chooses of those that pyproject.toml allows.
test-lowest: ## run the tests with the oldest versions of the packages that pyproject.toml allows
test-latest: ## run the tests with the newest
test-lowest test-latest: test-%:
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check uv
	.venv-$*/bin/uv pip install --quiet --python .venv-$*/bin/python --resolution $(RESOLUTION_$*) --editable '.[test]'
	.venv-$*/bin/python -m pytest -n 2 --dist worksteal

RESOLUTION_lowest := lowest-direct
RESOLUTION_latest := highest

test-gpu: $(GPU)/installed ## run the tests on an NVIDIA GPU (CUDA=13 for a driver of CUDA 13)
	$(GPU)/bin/python -m pytest -m gpu tests/device
	$(GPU)/bin/python -m pytest tests/device/test_contract.py

screenshots: .venv-extras/installed ## take the pictures of the MLflow UI in docs/ anew (needs Chromium)
	LENET_SCREENSHOTS=docs .venv-extras/bin/python -m pytest -m browser tests/browser

reliability: .venv/installed ## try kills, faults and hostile input at length, and write what happened to docs/reliability.md
	$(BIN)/python -m pytest tests/reliability -n 2 --dist worksteal -m 'slow or not slow' --report docs/reliability.md

bench: .venv/installed ## measure speed and cost side by side with PyTorch and JAX, into benchmarks/results (some ten minutes)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks.train_step
	$(BIN)/python -m benchmarks.report_algorithm
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.whole_run
	$(BIN)/python -m benchmarks.sweeps

bench-gpu: $(GPU)/installed ## measure speed, memory and launches on an NVIDIA GPU side by side with PyTorch (some minutes)
	$(GPU)/bin/pip install --quiet --disable-pip-version-check --editable '.[test,cuda$(CUDA)]' '$(TORCH_FOR_$(CUDA))'
	$(GPU)/bin/python -m benchmarks.gpu

experiment: .venv/installed ## measure one again, NAME=…, on full MNIST, into experiments/results (seconds to an hour)
	@test -n '$(NAME)' || { echo 'make experiment NAME=…: a file of experiments/ without .yaml' >&2; exit 2; }
	$(BIN)/python -m experiments.measure $(NAME)

experiments: .venv/installed ## measure all again (hours)
	$(BIN)/python -m experiments.measure

experiments-report: .venv/installed ## make experiments/README.md and its figures of experiments/results
	$(BIN)/python -m experiments.report

docs: .venv/installed ## build the pages into build/docs, warnings being errors
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	$(BIN)/python -m sphinx -W --keep-going docs build/docs

pictures: .venv/installed ## draw the pages' pictures again, into docs/figures
	$(BIN)/python -m docs.pictures

lint: .venv/installed ## check style
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: .venv/installed ## check types
	$(BIN)/mypy

clean: ## remove the environment and all caches; runs are kept
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
