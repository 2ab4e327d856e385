# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SETUP := @$(PYTHON) tools/setup_environment.py

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types arch docs clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo:  ## paint, train, segment and export on made-up cells; results in demo-output/
	$(SETUP) run
	@$(BIN)/napari-unet demo --output demo-output

test:  ## run the tests, two at a time (ARGS="-k tiles" for some of them)
	$(SETUP) test
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

check: lint types arch  ## lint, types and contracts

lint:  ## style of the code
	$(SETUP) check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types:  ## types, strictly
	$(SETUP) check
	@$(BIN)/mypy

arch:  ## which room may import which
	$(SETUP) check
	@$(BIN)/lint-imports --no-cache && $(BIN)/python tools/rooms.py

docs:  ## build the site in docs/_build, and check its links, commands, pictures and examples
	$(SETUP) test
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build
	@$(BIN)/python -m pytest tests/test_docs.py tests/test_site.py

clean:  ## remove all that these commands made
	@rm -rf .venv .tox build dist docs/_build demo-output htmlcov .coverage .*_cache .hypothesis .benchmarks
