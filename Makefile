# Every target sets up what it needs. Git, make and Python 3.11 or newer must be installed.

PYTHON ?= python3
BIN := .venv/bin

# Some containers set it. The tests start some hundred Pythons, each of which would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install bench bench-generator bench-collector bench-report compose test test-all test-compose test-browser check report clean

install: .venv/installed  ## install everything into .venv, from the lock file

bench: install  ## measure the core scenarios and draw the report (7 to 8 minutes, including the installation)
	$(BIN)/twinbench run

bench-generator: install  ## compare the load process with wrk and with Locust's own users (less than 3 minutes)
	$(BIN)/python -m tests.benchmarks.generator

bench-collector: install  ## show what the garbage collector does in both twins, and what gc.freeze() changes (2 minutes)
	$(BIN)/python -m tests.benchmarks.collector

bench-precision: install  ## measure how narrow intervals become, that a known cost is found, and that equal stacks seem equal (40 minutes)
	$(BIN)/python -m tests.benchmarks.precision

bench-report: install  ## measure how much time and memory reports of 1 and 10 million samples take
	$(BIN)/python -m tests.benchmarks.report

compose:  ## do what `make bench` does, in containers; needs Docker, but no Python
	@tools/compose

# Tests that keep all cores busy, tests that mostly wait for servers, and tests that need the machine
# for themselves run one after the other, so that they don't disturb each other.
test: install  ## test units, parity of the twins, a smoke run and an interrupt (at most 5 minutes on 2 cores)
	$(BIN)/pytest -m "busy and not thorough"
	$(BIN)/pytest -m "not busy and not alone and not compose and not browser and not thorough" -n 3
	$(BIN)/pytest -m "alone and not thorough" -n 0 tests/integration

test-all: test  ## test the rest as well: every scenario and stack, simulations, more interrupts
	$(BIN)/pytest -m "busy and thorough"
	$(BIN)/pytest -m "not busy and not alone and not compose and not browser and thorough" -n 3
	$(BIN)/pytest -m "alone and thorough" -n 0 tests/integration

test-compose: install  ## test the containers: build, run, interrupt, take everything down
	$(BIN)/pytest -m compose -n 0 tests/compose

test-browser: install  ## test the page in a real browser, which must be installed: Chromium (3 minutes)
	$(BIN)/pytest -m browser -n 2 --dist worksteal tests/browser

check: install  ## check format, lint and types
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

report: install  ## make tables, charts and page of the newest run again, from its raw data
	$(BIN)/twinbench report || test $$? -eq 1  # 1: it is made, and says what in the run is invalid

clean:  ## delete everything that can be made again; results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "twinbench needs Python 3.11 or newer, $(PYTHON) is older: try make PYTHON=python3.13")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) comes without venv: install it (Debian: python3-venv)"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes --only-binary :all: --requirement requirements.lock
	@# pip would compile on one core, and would compile the packages' own tests too, which are half of
	@# all files; a few packages ship files for other versions of Python, which don't compile
	@$(BIN)/python -m compileall -q -j 0 -x '/tests?/' .venv/lib > /dev/null || true
	$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@
