# `make demo` and `make test` need make and Python 3.11 or 3.12; they set up everything else in .venv.
# A file *.stamp in .venv says which requirements are installed there: delete .venv to start afresh.

PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --disable-pip-version-check

.PHONY: demo test

# Colorizes the example photos into out/ and draws out/before_after.jpg.
demo: .venv/runtime.stamp
	$(PYTHON) -m colorization.colorize examples --output_dir=out --overwrite
	$(PYTHON) -m examples.make_sheet examples out out/before_after.jpg

# Lint, format check and the whole test suite. The browser gets the machine, and a process, for itself: Playwright's event
# loop stays, and asyncio cannot run another beside it.
test: .venv/test.stamp .venv/chromium.stamp
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pytest --numprocesses=auto --dist=loadfile --ignore=tests/web
	$(PYTHON) -m pytest tests/web

.venv/test.stamp: requirements-dev.txt requirements-litert.txt requirements-serve.txt .venv/runtime.stamp
	$(PIP_INSTALL) -r requirements.txt -r requirements-litert.txt -r requirements-serve.txt -r requirements-dev.txt
	@touch $@

# The page is tested in a real browser; on Debian and Ubuntu it is installed if there is none.
.venv/chromium.stamp: | $(PYTHON)
	@if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1; then \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends chromium || \
	  { echo "error: the tests of the page need Chromium on the PATH; install it and try again" >&2; exit 1; }; \
	fi
	@touch $@

.venv/runtime.stamp: requirements.txt | $(PYTHON)
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

# A python3.12 on the path may be a version manager's stand-in that does not run, so each one is tried.
$(PYTHON):
	@rm -rf .venv; \
	for python in python3.12 python3.11 python3 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' >/dev/null 2>&1; then \
	    echo "$$python -m venv .venv"; \
	    $$python -m venv .venv || { rm -rf .venv; exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	echo "error: this needs Python 3.11 or 3.12; neither python3.12, python3.11, python3 nor python is one" >&2; \
	exit 1
