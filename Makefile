# penstock: everything a developer types. `make` alone lists it.

BIN := .venv/bin
INSTALLED := .venv/.installed
KILLS ?= 200
RUNS ?= 2000
TRIES ?= 10000
OLD ?= python3.6
PEERS := 'snakemake>=9.27' 'snakemake-executor-plugin-slurm>=2.8' 'doit>=0.37' 'gwf>=1.7.2'

.DEFAULT_GOAL := help
.PHONY: help setup lock lint test demo torture day fuzz bench peers field old pythons pictures docs clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## make .venv with penstock and all it needs, at the locked versions

$(INSTALLED): requirements.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh
	@touch $@

lock: $(INSTALLED)  ## resolve the dependencies anew into requirements.lock, with their hashes
	@sh tools/lock.sh

lint: $(INSTALLED)  ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

# Tests start thousands of commands: none compiles penstock, also where the environment lets Python write no bytecode.
# Of three processes one mostly waits for clusters or sshd (tests/conftest.py): that keeps two cores busy.
test: lint  ## lint, then run all tests (with 25 kills)
	@$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -n 3

demo: $(INSTALLED)  ## process half an hour of made-up recordings; AUDIO=dir takes real ones, SITE=slurm a cluster
	$(if $(SITE),sh tools/demo-on.sh $(SITE),$(BIN)/penstock demo acoustics) $(if $(AUDIO),--audio "$(AUDIO)")

torture: $(INSTALLED)  ## kill everything at random moments, KILLS=200 times
	PENSTOCK_KILLS=$(KILLS) $(BIN)/python -m pytest tests/torture

day: $(INSTALLED)  ## live a day of standing operation in minutes, and one of detectors: RUNS=2000 arrive, all is killed
	PENSTOCK_RUNS=$(RUNS) $(BIN)/python -m pytest -s tests/torture/test_day.py tests/torture/test_detector_day.py

fuzz: $(INSTALLED)  ## try TRIES=10000 made-up campaigns, data, histories and damages: only sentences may come of them
	PENSTOCK_TRIES=$(TRIES) $(BIN)/python -m pytest -n 2 -q tests/fuzz
	PENSTOCK_FLIPS=400 $(BIN)/python -m pytest -q tests/conductor/test_flips.py

bench: $(INSTALLED)  ## measure, side by side with others, into docs/benchmarks.md
	$(BIN)/python -m bench

peers: $(INSTALLED)  ## install snakemake, its plug-in for Slurm, doit and gwf in .venv-peers, for `make bench` and tests beside them
	$(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q --disable-pip-version-check $(PEERS)

field: $(INSTALLED)  ## install PyPAM, pbp, astropy and ctapipe, each in a .venv-NAME, for tests to compare with
	sh tools/field.sh

old: $(INSTALLED)  ## run the tests of the far end with an old Python there: OLD=python3.6
	PENSTOCK_FAR_PYTHON="$$($(OLD) -c 'import sys; print(sys.executable)')" $(BIN)/python -m pytest -n 2 -q tests/runner

pythons: $(INSTALLED)  ## run quick tests with each other Python that is here, of 3.11, 3.12 and 3.13; ONLY=3.13
	@sh tools/pythons.sh $(ONLY)

pictures: $(INSTALLED)  ## make the pictures of README and gallery anew, from demonstrations run in build/pictures
	$(BIN)/python tools/pictures.py build/pictures

docs: $(INSTALLED)  ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

clean:  ## remove what these targets made, .venv included
	rm -rf .venv .venv-3.* .venv-peers .venv-osekit .venv-pypam .venv-pbp .venv-astropy .venv-ctapipe build dist docs/_build demo-acoustics demo-sweep demo-slurm demo-torque demo-gridengine .pytest_cache .ruff_cache .hypothesis
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +
