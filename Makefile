PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo docs test
demo: .venv/installed
	.venv/bin/gaussiantalker demo

docs: .venv/installed-docs
	.venv/bin/zensical build --strict

test: .venv/installed-test
	.venv/bin/python -m pytest

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/pip install --quiet -c constraints.txt -e ".[provenance]"
	touch $@

.venv/installed-test: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

.venv/installed-docs: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@
