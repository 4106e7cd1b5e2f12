# Each target is one command; the environment is made on first use and reused while pyproject.toml is older than it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint bench

run: .venv/run
	$(BIN)/seqjax run experiments/gru4rec_complete_journey.py --resume

test: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: .venv/bench
	$(BIN)/python benchmarks/gru4rec.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[demo]' && touch $@

.venv/dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[demo,dev]' && touch $@ .venv/run

.venv/bench: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[demo,bench]' && touch $@
