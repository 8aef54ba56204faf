# Every target sets up .venv by itself. The locks carry names, versions and hashes, no host.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# -qq: errors only. What a machine's own pip settings warn of is not ours to repeat.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
ARGS ?=

.PHONY: demo serve test check bench lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.run
	$(BIN)/recon demo $(ARGS)

serve: $(VENV)/.run
	$(BIN)/recon serve $(ARGS)

test: $(VENV)/.dev
	@tests/install-programs
	@# Each worker reads five hundred modules, and rewrites each assert unless it finds that done.
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/python -m tests.checks $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks $(ARGS)

# A stamp is written last: a set-up that broke off is begun again.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "recon needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || :)." >&2; \
		echo "Name another one: make PYTHON=python3.13 …" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "'$(PYTHON) -m venv' failed; on Debian it is in the package python3-venv." >&2; exit 1; }
	@touch $@

$(VENV)/.run: requirements.lock requirements-build.lock pyproject.toml $(VENV)/.made
	@echo "Setting up $(VENV) …" >&2
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Adding what tests and checks need …" >&2
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# What runs; the same with the extra `otel`; what builds and installs that; what tests and checks it.
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade \
	--universal --generate-hashes --no-emit-index-url
lock: $(VENV)/.made
	$(PIP) uv
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --extra otel -c requirements.lock -o requirements-otel.lock
	$(LOCK) --group pyproject.toml:build -c requirements.lock -o requirements-build.lock
	$(LOCK) pyproject.toml --group build --group dev -c requirements.lock -c requirements-otel.lock \
		-c requirements-build.lock -o requirements-dev.lock

# The data under .recon is nobody's to delete by a build target.
clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
