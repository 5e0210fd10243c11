PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test test-ray test-gpu check bench

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv ..."
	@PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

run: install
	@$(BIN)/dsray run jobs/experiments/quickstart.yaml

test: install
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not ray"

# runs, sweeps, jobs and serving on real clusters: about six minutes
test-ray: install
	@$(BIN)/python -m pytest -m ray

# what only an NVIDIA GPU can show; the other tests see no GPU
test-gpu: install
	@$(BIN)/python -m pytest -m gpu

check: install
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy

bench: install
	@$(BIN)/python -m benchmarks chain --quick
