# Every target sets up .venv by itself; the locks carry names, versions and hashes only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo serve test check bench lock clean

demo: $(VENV)/.run
	$(BIN)/recon demo $(ARGS)

serve: $(VENV)/.run
	$(BIN)/recon serve $(ARGS)

test: $(VENV)/.dev
	tests/install-chromium
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/python -m tests.checks $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

lock: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet --upgrade -o requirements.lock --group build
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet --upgrade -c requirements.lock -o requirements-dev.lock --group build --group dev

clean:
	rm -rf $(VENV) .recon dist build
