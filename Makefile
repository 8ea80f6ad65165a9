# Every target does its own set-up; git, make and Python 3.11 or newer are all that it needs.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: install bench bench-generator bench-report compose test test-all test-compose check report clean

install: .venv/installed  ## the environment in .venv, from the lock file

bench: install  ## measure the core scenarios and draw the report (about 6 minutes)
	$(BIN)/twinbench run

bench-generator: install  ## the load process beside wrk and Locust's own users (about 3 minutes)
	$(BIN)/python -m tests.benchmarks.generator

bench-report: install  ## how long a report of 1 and 10 million samples takes, and how much memory
	$(BIN)/python -m tests.benchmarks.report

compose:  ## `make bench` in containers; needs Docker and no Python
	@tools/compose

# Tests that keep all cores busy, tests that mostly wait for servers, and tests that need the machine
# for themselves: run apart, so that none disturbs the others.
test: install  ## units, parity of the twins, a smoke run, an interrupt (at most 5 minutes on 2 cores)
	$(BIN)/pytest -m "busy and not thorough"
	$(BIN)/pytest -m "not busy and not alone and not compose and not thorough" -n 3
	$(BIN)/pytest -m "alone and not thorough" -n 0

test-all: test  ## the rest as well: every scenario and stack, simulations, more interrupts
	$(BIN)/pytest -m "busy and thorough"
	$(BIN)/pytest -m "not busy and not alone and not compose and thorough" -n 3
	$(BIN)/pytest -m "alone and thorough" -n 0

test-compose: install  ## the containers: builds, runs, interrupts, takes everything down
	$(BIN)/pytest -m compose -n 0 tests/compose

check: install  ## format, lint, types
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

report: install  ## tables, charts and page of the newest run again, from its raw data
	$(BIN)/twinbench report

clean:  ## everything that can be made again; results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "twinbench needs Python 3.11 or newer, $(PYTHON) is older: try make PYTHON=python3.13")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) comes without venv: install it (Debian: python3-venv)"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes --only-binary :all: --requirement requirements.lock
	@# pip would compile on one core, and packages' own tests too, which are half of all; a few
	@# packages ship files for other versions, which fail
	@$(BIN)/python -m compileall -q -j 0 -x '/tests?/' .venv/lib > /dev/null || true
	$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@
