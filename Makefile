# make demo: fit a law to small real runs in sample_runs/, predict larger ones, find the best mixture.
# make test: run all tests.   make lint: ruff and mypy.   make bench: time the solvers.
# make release: build wheel and sdist, check them, and run the worked example with the wheel alone.
# make test-lowest: run them on the lowest versions of all packages, which lowest.txt lists.
# make docs: build the documentation as a site, in build/site/.
# make verify: measure what must hold of the statistics, and write docs/verify.md.
# make gallery: draw the pictures of docs/gallery.md again.

PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-lowest lint bench verify gallery docs release clean

DEMO_RUNS = sample_runs/tiny_lm/runs.csv
demo: .venv/.installed
	$(BIN)/mixfit fit $(DEMO_RUNS) --where 'model_size<200K' --allow-units --resamples 100 -o fit.yaml
	mkdir -p build
	$(BIN)/mixfit eval fit.yaml $(DEMO_RUNS) --where 'model_size>200K' --allow-units --plot build/observed.png
	$(BIN)/mixfit optimize fit.yaml --model-size 788K --tokens 4M -o mixture.yaml --plot build/weights.png
	$(BIN)/mixfit predict fit.yaml --mixture mixture.yaml --model-size 788K --tokens 4M

# A file of tests goes to one of two processes, so that what its tests share is made once.
PROCESSES ?= 2
PYTEST = python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
test: .venv/.installed-test
	$(BIN)/$(PYTEST)

# make test-lowest TESTS=tests/runs for a part of them.
TESTS ?=
test-lowest: .venv-lowest/.installed
	.venv-lowest/bin/$(PYTEST) $(TESTS)

lint: .venv/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Any table: make bench RUNS=table.csv WHERE='model_size>=3e8' SECONDS=60
RUNS ?= sample_runs/joint.parquet
WHERE ?=
SECONDS ?= 20
bench: .venv/.installed-bench
	mkdir -p build
	$(BIN)/python benchmarks/solvers.py $(RUNS) $(if $(WHERE),--where '$(WHERE)') --seconds $(SECONDS) -o build/solvers.csv
	$(BIN)/python benchmarks/calls.py $(RUNS) $(if $(WHERE),--where '$(WHERE)') -o build/calls.png
	$(BIN)/python benchmarks/growth.py --quick

# In minutes of two cores; on fewer processes by JOBS=1.
JOBS ?=
verify: .venv/.installed
	$(BIN)/python benchmarks/verify.py $(if $(JOBS),--jobs $(JOBS)) -o docs/verify.md

gallery: .venv/.installed
	$(BIN)/python docs/draw_gallery.py

# Material says when it will end at every build; another generator is a question of that day.
docs: .venv/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "wrote build/site/index.html"

release: .venv/.installed-release
	$(BIN)/python .ci/release.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plot]'
	touch $@

.venv/.installed-%: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	touch $@

.venv-lowest/.installed: pyproject.toml lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' -c lowest.txt
	touch $@

clean:
	rm -rf .venv .venv-lowest build dist fit.yaml fit.resamples.parquet mixture.yaml
