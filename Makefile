PYTHON ?= python

.PHONY: test fast check bench
test:
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist loadfile

fast:
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist loadfile -m "not slow"

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

bench:
	$(PYTHON) -m eval bench
	$(PYTHON) -m eval bench --cold
	$(PYTHON) -m eval bench-bulk
	$(PYTHON) -m eval bench-scaling
	$(PYTHON) -m eval bench-against
