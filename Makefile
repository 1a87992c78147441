# `make demo` and `make test` need only git, make and Python 3.11: they create .venv themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= 0
PLAY_PORT ?= 8090

.PHONY: setup demo play test lint browser test-slow test-gpu format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, got: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable ".[dev,supervisely]"
	@# opencv-python needs libGL, which a bare machine lacks: the same version without its GUI serves there.
	@$(BIN)/python -c "import cv2" 2>/dev/null || $(BIN)/python -m pip install --disable-pip-version-check --quiet \
	  --force-reinstall --no-deps --constraint constraints.txt opencv-python-headless
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/mouse-ar demo --seed $(SEED)

# A double of a Supervisely instance; prints the environment in which the three apps open on it.
play: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m supervisely_double --port $(PLAY_PORT) --folder play --demo

# No cache: it does not notice that a module moved, which changes the order of imports elsewhere.
lint: $(STAMP)
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not gpu"

# The tests of the apps' pages want a browser, and npm for stand-ins of the platform's scripts;
# docker-compose reads docker/compose.yaml without an engine.
browser:
	@missing=; for name in chromium npm docker-compose; do command -v $$name >/dev/null || missing="$$missing $$name"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    $$missing fonts-liberation; \
	elif [ -n "$$missing" ]; then \
	  echo "Missing, so some slow tests are skipped: apt-get install$$missing"; \
	fi

test-slow: $(STAMP) browser
	$(BIN)/pytest -m "slow and not gpu" --timeout 1500

test-gpu: $(STAMP)
	$(BIN)/pytest -m gpu

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build demo play
