# `make demo` and `make test` need make and Python 3.11 or 3.12; they set up everything else in .venv.
# A file *.stamp in .venv says which requirements are installed there: delete .venv to start afresh. The tests of Apache
# Beam have an environment of their own, .venv-beam, for it does not take the server's protobuf.

PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --disable-pip-version-check
BEAM_PYTHON := .venv-beam/bin/python

.PHONY: demo test

# Colorizes the example photos into out/ and draws out/before_after.jpg.
demo: .venv/runtime.stamp
	$(PYTHON) -m colorization.colorize examples --output_dir=out --overwrite
	$(PYTHON) -m examples.make_sheet examples out out/before_after.jpg

# Lint, format check and the whole test suite. The browser gets the machine, and a process, for itself: Playwright's event
# loop stays, and asyncio cannot run another beside it.
test: .venv/test.stamp .venv-beam/test.stamp .venv/chromium.stamp .venv/npm.stamp
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pytest --numprocesses=auto --dist=loadfile --ignore=tests/web --ignore=tests/archives
	$(BEAM_PYTHON) -m pytest tests/archives
	$(PYTHON) -m pytest tests/web

.venv/test.stamp: requirements-convert.txt requirements-dev.txt requirements-jax.txt requirements-serve.txt \
  .venv/runtime.stamp
	$(PIP_INSTALL) -r requirements.txt -r requirements-convert.txt -r requirements-jax.txt -r requirements-serve.txt \
	  -r requirements-dev.txt
	@touch $@

.venv-beam/test.stamp: requirements.txt requirements-beam.txt requirements-beam-dev.txt | $(PYTHON)
	@test -x $(BEAM_PYTHON) || $(PYTHON) -m venv .venv-beam
	$(BEAM_PYTHON) -m pip install --disable-pip-version-check -r requirements.txt -r requirements-beam.txt \
	  -r requirements-beam-dev.txt
	$(BEAM_PYTHON) -m pip check
	@touch $@

# The page is tested in a real browser; on Debian and Ubuntu it is installed if there is none.
.venv/chromium.stamp: | $(PYTHON)
	@if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1; then \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends chromium || \
	  { echo "error: the tests of the page need Chromium on the PATH; install it and try again" >&2; exit 1; }; \
	fi
	@touch $@

# The page without a server gets its runtime by npm. This fills npm's cache, from which the tests take it.
.venv/npm.stamp: colorization/browser/package-lock.json | $(PYTHON)
	@command -v npm >/dev/null 2>&1 || \
	{ echo "error: the tests of the page without a server need npm; install Node.js and try again" >&2; exit 1; }
	@rm -rf .venv/npm && mkdir .venv/npm && cp colorization/browser/package*.json .venv/npm
	cd .venv/npm && npm ci --ignore-scripts --no-audit --no-fund && rm -r node_modules
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
