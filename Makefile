# The two commands to know are `make lab` and `make test`; both start from nothing but
# Python 3.11 or newer. Needs GNU make 3.81 or newer and a POSIX shell.

SHELL = /bin/sh
LAB = .venv
TEST = .venv-test
LOCK = .venv-lock
MUTANTS = .venv-mutants
NODE = .node-test
LITE = .venv-lite
SITE = build/lite
UV_COMPILE = $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)
PYODIDE = --python-version 3.14 --python-platform wasm32-pyodide2024 --only-binary :all:

# Packages are compiled when they are first imported; that is kept, as hundreds of processes follow.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL = help
.PHONY: help lab test check lint types unit notebooks-test notebooks card lesson teaching book html lite lite-test \
	lite-serve slides kit kit-test bench growth stress versions mutants wheel lock doctor format clean venv venv-test venv-lite node

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

card: venv-test ## after a change of a card: write its lesson and the key, and test both (LESSON=its_name)
	@$(TEST)/bin/python tools/build_lessons.py "$(or $(LESSON),$(error say LESSON=its_name))"
	@$(TEST)/bin/ruff format "mmsim/lessons/$(LESSON).py"
	@$(TEST)/bin/ruff check "mmsim/lessons/$(LESSON).py"
	@$(TEST)/bin/python tools/build_teaching.py
	@$(TEST)/bin/pytest -q tests/lessons tests/notebooks tests/test_teaching.py -k "$(LESSON) or entry or page_is"

lesson: venv-test ## begin a lesson: text, module, test and every line it needs (NEW=its_name)
	@$(TEST)/bin/python tools/new_lesson.py "$(NEW)"

teaching: venv-test ## write the pages of docs/teaching that the cards know, and dist/teaching.html to print
	@$(TEST)/bin/python tools/build_teaching.py

book: venv-test ## build the book, pages that need no kernel and no network: build/book/index.html
	@$(TEST)/bin/python tools/build_book.py

html: venv-test ## each lesson as one HTML file that works by itself: build/html/
	@PYTHONPATH=tools $(TEST)/bin/jupyter nbconvert --to html --log-level=WARN \
		--HTMLExporter.preprocessors=alive.Alive --output-dir build/html notebooks/*.ipynb

stress: venv-test ## STEPS=1000000 random steps of worlds, each checked
	@MMSIM_STRESS=$(or $(STEPS),1000000) $(TEST)/bin/pytest -q -s tests/test_stress.py

versions: $(LOCK)/bin/uv ## the quick tests with PYTHONS="3.11 3.12 3.13 3.14", oldest and newest packages
	@tools/versions $(LOCK)/bin/uv .venv-versions

bench: venv-test ## measure against the budgets, as ratios to a baseline of the same run
	@$(TEST)/bin/python -m benchmarks

growth: venv-test ## search for some minutes; write docs/growth.csv and docs/growth.svg
	@$(TEST)/bin/python -m benchmarks.growth

mutants: ## change engine/ and mm/ in one place at a time, a sixth of all (ONE_IN=1: all): does a test notice?
	@tools/make-venv $(MUTANTS) requirements/mutants.txt
	@$(MUTANTS)/bin/python tools/mutants.py --one-in $(or $(ONE_IN),6)

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

slides: venv-test ## build/slides: slides of the core lessons, and their pictures as SVG and PDF
	@$(TEST)/bin/python tools/slides.py build/slides

kit: venv-test ## build/kit: a folder for a stick, to install from without a network (SOLUTIONS=no)
	@$(TEST)/bin/python tools/kit.py build/kit $(if $(filter no,$(SOLUTIONS)),--no-solutions)

kit-test: ## install from build/kit in a place without a network (Linux)
	@tools/kit-test build/kit

lite: venv-lite node ## build the browser edition into build/lite: JupyterLite, which needs no install
	@$(LITE)/bin/python tools/build_lite.py $(NODE)/node_modules $(SITE)

lite-test: lite venv-test ## use the browser edition in a real browser, with the network off
	@$(TEST)/bin/pytest -n 0 -s tests/lite/in_browser.py

lite-serve: ## serve the browser edition to a class room (PORT= is honoured)
	@"$$(tools/find-python)" tools/serve_lite.py $(SITE) $(PORT)

lock: $(LOCK)/bin/uv ## resolve requirements/*.txt and package-lock.json anew (UPGRADE=--upgrade for newer versions)
	@$(UV_COMPILE) requirements/uv.in -o requirements/uv.txt
	@$(UV_COMPILE) pyproject.toml requirements/build.in --extra notebook --extra test \
		-o requirements/test.txt
	@$(UV_COMPILE) pyproject.toml requirements/build.in --extra notebook \
		-c requirements/test.txt -o requirements/lab.txt
	@$(UV_COMPILE) requirements/lite.in requirements/build.in -c requirements/test.txt \
		-o requirements/lite.txt
	@$(subst --universal --python-version 3.11,$(PYODIDE),$(UV_COMPILE)) requirements/pyodide.in \
		-c requirements/test.txt -o requirements/pyodide.txt
	@$(UV_COMPILE) requirements/build.in requirements/mutants.in \
		-c requirements/test.txt -o requirements/mutants.txt
	@npm install --prefix tests/pyodide --package-lock-only --omit-lockfile-registry-resolved \
		--loglevel=error

$(LOCK)/bin/uv:
	@"$$(tools/find-python)" -m venv $(LOCK)
	@$(LOCK)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

venv:
	@tools/make-venv $(LAB) requirements/lab.txt

venv-lite:
	@tools/make-venv $(LITE) requirements/lite.txt

venv-test:
	@tools/make-venv $(TEST) requirements/test.txt

node:
	@tools/make-node $(NODE)

clean: ## remove what make made: environments, build, dist, caches
	rm -rf $(LAB) $(TEST) $(LITE) $(LOCK) $(MUTANTS) $(NODE) .venv-versions build dist .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
