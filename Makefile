PYTHON ?= python3
INSTALL = .venv/bin/pip install --quiet --no-require-hashes -c constraints.txt --build-constraint constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: check demo docs test
demo: .venv/installed
	.venv/bin/gaussiantalker demo

docs: .venv/installed-docs
	.venv/bin/zensical build --strict

check: .venv/installed-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright --pythonpath .venv/bin/python

# Ends with what was skipped and why. With CI set, a missing browser or model fails; NO_BROWSER=1 says that there is none.
test: .venv/installed-test
	.venv/bin/python -m pytest

.venv/pip: pip.txt torch-cpu.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r pip.txt
	.venv/bin/pip install --quiet --require-hashes --no-deps -r torch-cpu.txt 2>/dev/null || true
	touch $@

.venv/installed: .venv/pip pyproject.toml constraints.txt
	$(INSTALL) -e '.[provenance]'
	touch $@

.venv/installed-test: .venv/pip pyproject.toml constraints.txt
	$(INSTALL) -e '.[test]'
	touch $@

.venv/installed-docs: .venv/pip pyproject.toml constraints.txt
	$(INSTALL) -e '.[docs]'
	touch $@
