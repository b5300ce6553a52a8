# Every target makes .venv with what it needs first; `make demo` and `make test` are all the set-up.
PYTHON ?= python3
BIN := .venv/bin
# Many tests wait for servers, so more than two cores are of use; a second thread each is of none.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 4 --dist worksteal --durations=20
unexport PYTHONDONTWRITEBYTECODE # each module is imported by many processes
MAKEFLAGS += --jobs=3 # MinIO's build beside the installation and the types

.PHONY: demo test coverage test-all lint docs notebooks clean

# Train a small study and publish its report.
demo: .venv/.installed
	$(BIN)/memtail demo

# While you work: lint, types, and every test that is not slow. Minutes.
test: lint servers
	$(PYTEST) -m "not slow"

# The same tests with the coverage of memtail_core, which must be 90% or more; a third slower.
coverage: lint servers
	$(PYTEST) -m "not slow" --cov

# Before you hand in, and in CI: lint, types, and every test there is.
test-all: lint servers
	$(PYTEST)

# Style, format and types.
lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site in build/site; a warning, as of a link that leads nowhere, is an error.
docs: .venv/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Run the notebooks of the documentation again, and keep what they show.
notebooks: .venv/.installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[notebooks]'
	$(BIN)/python docs/building/run_notebooks.py

# Redis, MinIO and Chromium for the tests, fetched where they are missing.
.PHONY: servers minio
servers: .venv/.installed-test minio
	$(BIN)/python -m tests.servers

minio:
	$(PYTHON) tests/servers/fetching.py

.venv/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("memtail needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -e .
	touch $@

.venv/.installed-test: .venv/.installed
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -e '.[test]'
	touch $@

# Remove what these commands made.
clean:
	rm -rf .venv build *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
