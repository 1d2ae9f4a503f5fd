# Two commands are all a newcomer needs: `make demo` and `make test`. Each makes its own .venv from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: setup demo test chaos check format bench fuzz clean

setup: $(READY)

# pip, not uv: uv would take the CUDA build of torch, several GB
$(READY): constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: setup
	$(BIN)/l9 run pipelines/quickstart.py

# two processes: much of the suite waits for what it has started, killed or cut off
test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# kills preparations and trainings, and compares every byte; about an hour, and it goes on where it was stopped. SHORT=1: 5 minutes
chaos: setup
	PYTHONPATH=tests nice $(BIN)/python -m chaos.run $(if $(SHORT),--short)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_arrows.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# side by side with named peers; one of them: make bench ONLY=loader
bench: $(VENV)/.bench
	for name in $(or $(ONLY),loader loop prep sample sdf sens fusion virtual pixel_generation pairs whole classify scale); do $(BIN)/python bench/$$name.py || exit 1; done

$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	touch $(VENV)/.bench

# 20 s a reader: make fuzz SHORT=1; without it half an hour each, going on where the last run ended; one of them: make fuzz ONLY=ply
fuzz: $(VENV)/.fuzz
	SHORT=$(SHORT) $(BIN)/python tests/fuzz/fuzz_run.py $(ONLY)

$(VENV)/.fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	touch $(VENV)/.fuzz

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
