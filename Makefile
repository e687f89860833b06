# `make` alone lists the targets.
PYTHON ?=
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=

export PYTHON
BIN := .venv/bin
SOURCES := config processing uploads tests manage.py

.DEFAULT_GOAL := help
.PHONY: help serve test lint format coverage bench fault lock clean

help:
	@echo 'make serve      install, migrate and run on http://$(HOST):$(PORT); HOST= and PORT= choose another address'
	@echo 'make test       the whole test suite; ARGS="-k name" or any other pytest arguments'
	@echo 'make lint       ruff, ruff format, mypy --strict and the import rules'
	@echo 'make format     let ruff format and repair what it can'
	@echo 'make coverage   the tests that need no browser, with coverage: htmlcov/index.html'
	@echo 'make fault      only the tests that kill, stop and flood'
	@echo 'make bench      the benchmarks'
	@echo 'make lock       make requirements/*.txt anew from pyproject.toml; ARGS=--upgrade takes the newest'
	@echo 'make clean      remove .venv and every cache; var/ (your data) stays'

# exec: the server is make's own child, so a signal to make reaches it and Ctrl-C leaves nothing behind.
serve:
	@sh requirements/install serve
	@exec $(BIN)/python manage.py serve --host '$(HOST)' --port '$(PORT)' $(ARGS)

test:
	@sh requirements/install dev
	@bash tests/install-services
	@exec $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile $(ARGS)

lint:
	@sh requirements/install dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	@sh requirements/install dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

coverage:
	@sh requirements/install dev
	@bash tests/install-services
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not browser' --timeout 300 $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

fault:
	@sh requirements/install dev
	@bash tests/install-services
	@exec $(BIN)/python -m pytest tests/fault $(ARGS)

bench:
	@sh requirements/install dev
	@bash tests/install-services
	@exec $(BIN)/python -m tests.bench $(ARGS)

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(ARGS)
lock:
	@sh requirements/install dev
	$(COMPILE) --extra tables --extra images -o requirements/serve.txt
	$(COMPILE) --all-extras --group dev -c requirements/serve.txt -o requirements/dev.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage .coverage.*
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
