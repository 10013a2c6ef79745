# The two commands to know are `make lab` and `make test`; both start from nothing but
# Python 3.11 or newer. Needs GNU make 3.81 or newer and a POSIX shell.

SHELL = /bin/sh
LAB = .venv
TEST = .venv-test
LOCK = .venv-lock
NODE = .node-test
UV_COMPILE = $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL = help
.PHONY: help lab test check lint types unit notebooks-test notebooks bench growth wheel lock doctor format \
	clean venv venv-test node stress versions

help: ## list what can be made
	@echo "usage: make TARGET [PORT=8890] [BROWSER=none] [PYTHON=python3.12]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' Makefile

lab: venv ## open JupyterLab on the first lesson (PORT= and BROWSER=none are honoured)
	@$(LAB)/bin/mmsim lab --here notebooks $(if $(PORT),--port $(PORT))

test: venv-test node ## everything: style, types, tests with a real browser, both editions of the lessons
	@tests/run.sh $(TEST) lint format types notebooks unit

check: venv-test ## the quick part: style, types, tests that need no browser, SPIN or node, the vectors
	@tests/run.sh $(TEST) lint format types quick

lint: venv-test ## only ruff: style and layout
	@tests/run.sh $(TEST) lint format

types: venv-test ## only mypy --strict
	@tests/run.sh $(TEST) types

unit: venv-test node ## only the tests in tests/, with those that need a browser, SPIN or node
	@tests/run.sh $(TEST) unit

notebooks-test: venv-test ## only the lessons: run each and compare with its stored outputs
	@tests/run.sh $(TEST) notebooks

notebooks: venv-test ## write the lessons from their text sources, with outputs
	@$(TEST)/bin/python tools/build_lessons.py

stress: venv-test ## STEPS=1000000 random steps of a zone and of worlds, each checked
	@MMSIM_STRESS=$(or $(STEPS),1000000) $(TEST)/bin/pytest -q -s tests/test_stress.py

versions: $(LOCK)/bin/uv ## the quick tests with PYTHONS="3.11 3.12 3.13 3.14", oldest and newest packages
	@tools/versions $(LOCK)/bin/uv .venv-versions

bench: venv-test ## measure against the budgets, as ratios to a baseline of the same run
	@$(TEST)/bin/python -m benchmarks

growth: venv-test ## search for some minutes; write docs/growth.csv and docs/growth.svg
	@$(TEST)/bin/python -m benchmarks.growth

format: venv-test ## let ruff mend layout and imports
	@$(TEST)/bin/ruff format .
	@$(TEST)/bin/ruff check --fix .

doctor: venv ## say what is missing on this machine, and what to do about it
	@$(LAB)/bin/mmsim doctor

wheel: venv-test ## build dist/: the sdist, and the wheel from that sdist
	@rm -rf dist
	@$(TEST)/bin/python -m hatchling build -t sdist
	@$(TEST)/bin/python -m pip wheel --quiet --disable-pip-version-check \
		--no-build-isolation --no-deps --wheel-dir dist dist/*.tar.gz
	@ls dist

lock: $(LOCK)/bin/uv ## resolve requirements/*.txt and package-lock.json anew (UPGRADE=--upgrade for newer versions)
	@$(UV_COMPILE) pyproject.toml requirements/build.in --extra notebook --extra test \
		-o requirements/test.txt
	@$(UV_COMPILE) pyproject.toml requirements/build.in --extra notebook \
		-c requirements/test.txt -o requirements/lab.txt
	@npm install --prefix tests/pyodide --package-lock-only --omit-lockfile-registry-resolved \
		--loglevel=error

$(LOCK)/bin/uv:
	@"$$(tools/find-python)" -m venv $(LOCK)
	@$(LOCK)/bin/pip install --quiet --disable-pip-version-check uv

venv:
	@tools/make-venv $(LAB) requirements/lab.txt

venv-test:
	@tools/make-venv $(TEST) requirements/test.txt

node:
	@tools/make-node $(NODE)

clean: ## remove what make made: environments, dist, caches
	rm -rf $(LAB) $(TEST) $(LOCK) $(NODE) .venv-versions dist .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
