PYTHON ?= python

.PHONY: test check bench
test:
	$(PYTHON) -m pytest

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

bench:
	$(PYTHON) -m eval bench
	$(PYTHON) -m eval bench --cold
	$(PYTHON) -m eval bench-bulk
	$(PYTHON) -m eval bench-scaling
